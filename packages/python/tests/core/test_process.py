"""How the end of a process ends its run."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import trainer
from server import Server, until

BEGIN = """
import os, signal, sys, time
import evenkeel

run = evenkeel.init("python", server=os.environ["EVENKEEL_SERVER"])
print(run.id, flush=True)
for step in range(20):
    run.log(loss=5.0 - step)
"""


@pytest.mark.parametrize(
    ("end", "code", "status", "reason"),
    [
        ("", 0, "finished", None),
        ("raise ValueError('the loss is gone')", 1, "failed", "ValueError: the loss is gone"),
        ("sys.exit(3)", 3, "failed", "the process exited with status 3"),
        ("sys.exit(0)", 0, "finished", None),
        ("exit(3)", 3, "failed", "the process exited with status 3"),
        (
            "try:\n    sys.exit(2)\nexcept SystemExit:\n    pass\nrun.log(loss=1.0, step=19)",
            0,
            "finished",
            None,
        ),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", -signal.SIGINT, "stopped", "SIGINT"),
        ("with run: raise ValueError('inside')", 1, "failed", "ValueError: inside"),
        ("run.finish('failed', 'I say so'); raise ValueError('later')", 1, "failed", "I say so"),
    ],
)
def test_the_end_of_a_process(
    server: Server, tmp_path: Path, end: str, code: int, status: str, reason: str | None
) -> None:
    process = trainer.start(BEGIN + end, tmp_path, EVENKEEL_SERVER=server.url)
    run = trainer.line_of(process)
    _, errors = process.communicate(timeout=trainer.LIMIT)
    assert process.returncode == code, errors
    is_late = "evenkeel: the end of this run is not with the server" in errors  # a busy machine: it took above 10 s
    if is_late:
        assert trainer.evenkeel("sync", ".", "--server", server.url, folder=tmp_path).returncode == 0
    about = server.run(run)
    assert (about["status"], about["reason"]) == (status, reason)
    assert about["lastStep"] == 19
    if not is_late:  # a spool keeps no console output
        lines = [each["text"] for each in server.query("console.lines", run=run)["lines"]]
        assert run in lines
        if code == 1 and "run" not in end:  # else the run had ended before the trace was printed
            assert reason in lines


def test_a_signal_ends_the_run_and_then_the_process(server: Server, tmp_path: Path) -> None:
    process = trainer.start(BEGIN + "print('ready'); time.sleep(600)", tmp_path, EVENKEEL_SERVER=server.url)
    run = trainer.line_of(process)
    assert trainer.line_of(process) == "ready"
    until("the steps", lambda: server.run(run)["lastStep"] == 19, trainer.LIMIT)
    process.terminate()
    _, errors = process.communicate(timeout=trainer.LIMIT)
    assert process.returncode == -signal.SIGTERM, errors
    trainer.evenkeel("sync", ".", "--server", server.url, folder=tmp_path)  # a busy machine: it took above 2 s
    about = server.run(run)
    assert (about["status"], about["reason"], about["lastStep"]) == ("stopped", "SIGTERM", 19)


def test_a_handler_of_the_trainer_keeps_its_signal(tmp_path: Path) -> None:
    code = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('mine'))\n"
    code += BEGIN + "os.kill(os.getpid(), signal.SIGTERM); run.finish(timeout=0)"
    process = trainer.start(code, tmp_path, EVENKEEL_SERVER=trainer.closed_port())
    out, errors = process.communicate(timeout=trainer.LIMIT)
    assert process.returncode == 0, errors
    assert out.splitlines()[-1] == "mine"


def test_children_neither_talk_nor_hang(server: Server, tmp_path: Path) -> None:
    code = (
        BEGIN
        + """
import multiprocessing

def load(number):  # as a worker of a data loader does
    run.log(loss=1000.0)
    assert not run.should_stop
    assert not run.finish().delivered
    return number

with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(load, range(8)) == list(range(8))
workers = [multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)) for _ in range(2)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.terminate()
    worker.join()
    assert worker.exitcode == -signal.SIGTERM, worker.exitcode
if os.fork() == 0:
    sys.exit(5)  # runs the handlers of the exit too
assert os.waitstatus_to_exitcode(os.wait()[1]) == 5
run.log(loss=-50.0)
assert run.finish(timeout=240).delivered
"""
    )
    process = trainer.start(code, tmp_path, EVENKEEL_SERVER=server.url)
    run = trainer.line_of(process)
    _, errors = process.communicate(timeout=trainer.LIMIT)
    assert process.returncode == 0, errors
    history = server.history(run, "loss")
    assert [row["loss"] for row in history.values()] == [*(5.0 - step for step in range(20)), -50.0]
    assert server.run(run)["status"] == "finished"


def test_a_handler_that_calls_the_former_one_goes_on(tmp_path: Path) -> None:
    """As Lightning composes handlers: what this package does on a signal must not end the shutdown of the trainer."""
    code = """
former = signal.getsignal(signal.SIGTERM)
signal.signal(signal.SIGTERM, lambda number, frame: former(number, frame))
os.kill(os.getpid(), signal.SIGTERM)
run.finish(timeout=0)
print("saved")
"""
    process = trainer.start(BEGIN + code, tmp_path, EVENKEEL_SERVER=trainer.closed_port())
    out, errors = process.communicate(timeout=trainer.LIMIT)
    assert process.returncode == 0, errors
    assert out.splitlines()[-1] == "saved"


def test_no_thread_is_needed_while_the_interpreter_exits(server: Server, tmp_path: Path) -> None:
    """Since Python 3.12 none can be started then: what is not sent yet is in the spool."""
    code = """
import threading

start = threading.Thread.start

def start_unless_exiting(thread):
    if not threading.main_thread().is_alive():
        raise RuntimeError("can't create new thread at interpreter shutdown")
    start(thread)

threading.Thread.start = start_unless_exiting
"""
    code += BEGIN.replace('"python",', '"python", console=False, system_metrics=False,')
    process = trainer.start(code, tmp_path, EVENKEEL_SERVER=server.url)
    run = trainer.line_of(process)
    _, errors = process.communicate(timeout=trainer.LIMIT)
    assert process.returncode == 0, errors
    assert trainer.evenkeel("sync", ".", "--server", server.url, folder=tmp_path).returncode == 0
    assert (server.run(run)["status"], server.run(run)["lastStep"]) == ("finished", 19)
