"""What happens while the server is away, or goes away."""

from __future__ import annotations

import json
import math
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import trainer
from server import REPOSITORY, Server, command, until

import evenkeel

KILLED = """
import os, time
import evenkeel

run = evenkeel.init("python", server=os.environ["EVENKEEL_SERVER"], config={"killed": True})
print(run.id, flush=True)
step = 0
while True:
    run.log({"loss": 1.0 / (step + 1), "eval/x": step, "nan": float("nan")}, step=step)
    time.sleep(0.02)
    print(step, flush=True)
    step += 1
"""


def sync_by(program: str, folder: Path, server: Server) -> str:
    """What a command printed that sent a folder's spool."""
    if program == "python":
        done = trainer.evenkeel("sync", str(folder), "--server", server.url, folder=folder)
    else:
        spool = str(folder / ".evenkeel" / "spool")
        done = subprocess.run(
            command("sync", spool, "--server", server.url), capture_output=True, text=True, timeout=trainer.LIMIT
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("program", ["python", "node"])
def test_a_trainer_killed_while_the_server_is_away_loses_no_step(server: Server, tmp_path: Path, program: str) -> None:
    process = trainer.start(KILLED, tmp_path, EVENKEEL_SERVER=trainer.closed_port())
    run = trainer.line_of(process)
    last = -1
    while last < 150:
        last = int(trainer.line_of(process))
    process.kill()
    out, _ = process.communicate()
    last = max([last, *(int(line) for line in out.split())])  # every step that it has logged

    sync_by(program, tmp_path, server)
    history = server.history(run, "loss", "custom:eval/x", "custom:nan")
    assert [step for step in range(last + 1) if step not in history] == []
    for step in range(last + 1):
        assert history[step]["loss"] == 1.0 / (step + 1)
        assert history[step]["custom:eval/x"] == step
        assert math.isnan(history[step]["custom:nan"])
    assert server.run(run)["config"] == {"killed": True}
    assert not list(tmp_path.rglob("*.spool"))


@pytest.mark.parametrize("program", ["python", "node"])
def test_what_was_recorded_offline_can_be_sent_later(server: Server, tmp_path: Path, program: str) -> None:
    about = {"id": str(uuid.uuid4()), "resume": "next"}  # the server counts the attempts
    run = evenkeel.init(
        "python", name="offline", mode="offline", dir=tmp_path, server="http://nowhere.invalid", **about
    )
    for step in range(1_000):
        run.log({"loss": float(step), "bad": "text"}, step=step)
    run.config["late"] = 1
    result = run.finish("failed", "it was far away")
    assert not result.delivered
    assert result.spool is not None
    assert result.spool.exists()

    sync_by(program, tmp_path, server)
    history = server.history(run.id, "loss")
    assert {step: row["loss"] for step, row in history.items()} == {step: float(step) for step in range(1_000)}
    stored = server.run(run.id)
    assert (stored["status"], stored["reason"], stored["droppedValues"]) == ("failed", "it was far away", 1_000)
    assert stored["config"] == {"late": 1}


def test_a_spool_that_emit_wrote_is_sent(server: Server, tmp_path: Path) -> None:
    code = f"""
        import {{ startRun }} from {json.dumps(str(REPOSITORY / "packages" / "emit" / "dist" / "index.mjs"))};
        const run = await startRun({{
          server: {json.dumps(trainer.closed_port())}, project: 'emit', name: 'node', attempt: 'next',
          spool: {json.dumps(str(tmp_path))}, onWarning: () => {{}},
        }});
        for (let step = 0; step < 300; step++) run.log({{ step, loss: step / 2, custom: {{ 'eval/λ': -step }} }});
        run.log({{ step: 300, loss: 'bad' }});
        await run.finish('stopped', 'enough', {{ timeoutMs: 0 }});
        console.log(run.id);
    """
    made = subprocess.run(
        ["node", "--input-type=module", "-e", code], capture_output=True, text=True, timeout=trainer.LIMIT
    )
    run = made.stdout.strip()
    assert run, made.stderr
    done = trainer.evenkeel("sync", str(tmp_path), "--server", server.url, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["status"], outcome["run"], outcome["attempt"], outcome["steps"]) == ("sent", run, 1, 301)
    history = server.history(run, "loss", "custom:eval/λ")
    assert [history[step]["loss"] for step in range(300)] == [step / 2 for step in range(300)]
    assert [history[step]["custom:eval/λ"] for step in range(1, 300)] == [-step for step in range(1, 300)]
    about = server.run(run)
    assert (about["status"], about["reason"], about["droppedValues"]) == ("stopped", "enough", 1)
    assert not list(tmp_path.glob("*.spool"))


def test_the_next_run_sends_what_an_earlier_one_has_left(server: Server, tmp_path: Path) -> None:
    first = evenkeel.init("python", mode="offline", dir=tmp_path, server=server.url)
    first.log(loss=1.0)
    assert first.finish().spool is not None
    second = evenkeel.init("python", dir=tmp_path, server=server.url, id=first.id, resume=True)
    second.log({"loss": 2.0}, step=1)
    assert second.finish(timeout=trainer.LIMIT).delivered
    until("the spool to be gone", lambda: not list(tmp_path.rglob("*.spool")), trainer.LIMIT)
    assert [row["loss"] for row in server.history(first.id, "loss").values()] == [1.0, 2.0]
    assert second.attempt == 2


def test_a_file_of_a_living_trainer_is_left_alone(tmp_path: Path) -> None:
    process = trainer.start(KILLED, tmp_path, EVENKEEL_SERVER=trainer.closed_port())
    try:
        trainer.line_of(process)
        until("the spool", lambda: list(tmp_path.rglob("*.spool")), trainer.LIMIT)
        done = trainer.evenkeel("sync", ".", "--server", trainer.closed_port(), folder=tmp_path)
        assert done.returncode == 0
        assert "left alone" in done.stdout
        assert list(tmp_path.rglob("*.spool"))
    finally:
        process.kill()
        process.communicate()


def test_a_file_that_cannot_be_sent_is_kept(tmp_path: Path) -> None:
    run = evenkeel.init("python", mode="offline", dir=tmp_path)
    run.log(loss=1.0)
    run.finish()
    done = trainer.evenkeel("sync", ".", "--server", trainer.closed_port(), folder=tmp_path)
    assert done.returncode == 1
    assert "cannot be reached" in done.stdout
    assert len(list(tmp_path.rglob("*.spool"))) == 1


def test_without_a_spool_what_was_logged_waits_in_memory(own_server: Server, tmp_path: Path) -> None:
    own_server.start()
    run = evenkeel.init("python", server=own_server.url, spool=False, dir=tmp_path)
    total = 3_000
    for step in range(total):
        run.log({"loss": float(step)}, step=step)
        if step == total // 3:
            until("some steps", lambda: own_server.run(run.id)["lastStep"], trainer.LIMIT)
            own_server.kill()
        if step == 2 * total // 3:
            own_server.start()
        time.sleep(0.0005)
    assert run.finish(timeout=trainer.LIMIT).delivered
    assert len(own_server.history(run.id, "loss")) == total


def test_a_server_killed_and_restarted_under_load_loses_nothing(own_server: Server, tmp_path: Path) -> None:
    own_server.start()
    run = evenkeel.init("python", server=own_server.url, dir=tmp_path)
    total, killed_at = 4_000, (1_000, 2_500)
    for step in range(total):
        run.log({"loss": float(step), "eval/x": -step}, step=step)
        if step in killed_at:
            until("some steps", lambda: own_server.run(run.id)["lastStep"], trainer.LIMIT)
            own_server.kill()
        if step - 500 in killed_at:
            own_server.start()
        time.sleep(0.0005)
    result = run.finish(timeout=trainer.LIMIT)
    assert result.delivered
    history = own_server.history(run.id, "loss", "custom:eval/x")
    assert {step: row["loss"] for step, row in history.items()} == {step: float(step) for step in range(total)}
    assert own_server.run(run.id)["status"] == "finished"
    assert not list(tmp_path.rglob("*.spool"))


def test_a_client_without_a_key_is_warned_once_and_keeps_its_steps(
    own_server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own_server.start()
    key = own_server.call("apiKey.create", name="lab")["secret"]
    run = evenkeel.init("python", server=own_server.url, dir=tmp_path)
    run.log(loss=1.0)
    warned = ""

    def is_warned() -> bool:
        nonlocal warned
        warned += capfd.readouterr().err
        return "refuses this client" in warned

    until("the warning", is_warned, trainer.LIMIT)
    result = run.finish(timeout=1)
    assert not result.delivered
    assert (warned + capfd.readouterr().err).count("refuses this client") == 1
    done = trainer.evenkeel("sync", ".", "--server", own_server.url, folder=tmp_path, EVENKEEL_KEY=key)
    assert done.returncode == 0, done.stdout + done.stderr
    assert own_server.run(run.id)["lastStep"] == 0
