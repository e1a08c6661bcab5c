"""A run against the real server."""

from __future__ import annotations

import copy
import math
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
import trainer
from server import Server, until

import evenkeel
from evenkeel import Command
from evenkeel.values import PendingTensor

# Seconds within which a client has not noticed yet that its server is frozen: that takes 45 s.
FROZEN = 20


def start(server: Server, folder: Path, **options: Any) -> evenkeel.Run:
    return evenkeel.init(**{"project": "python", "server": server.url, "dir": folder, **options})


def test_everything_logged_is_in_the_history(server: Server, tmp_path: Path) -> None:
    run = start(server, tmp_path, name="gpt", config={"lr": 3e-4, "clip": math.inf}, tags=["a"], notes="# why")
    for step in range(500):
        run.log({"loss": math.nan if step == 7 else 5 - step / 100, "eval/x": step}, step=step)
    run.log(grad_norm=1.5)
    run.config["late"] = "yes"
    run.config.update({"late2": 2})
    run.tags = ("a", "b")
    run.summary["best"] = 0.5
    result = run.finish(timeout=trainer.LIMIT)

    assert result.delivered
    assert result.pending == 0
    assert result.spool is None
    history = server.history(run.id, "loss", "gradNorm", "custom:eval/x")
    assert list(history) == list(range(501))
    assert math.isnan(history[7]["loss"])
    assert history[8] == {"loss": 4.92, "gradNorm": None, "custom:eval/x": 8}
    assert history[500]["gradNorm"] == 1.5
    about = server.run(run.id)
    assert about["status"] == "finished"
    assert about["project"] == "python"
    assert about["name"] == "gpt"
    assert about["tags"] == ["a", "b"]
    assert about["notes"] == "# why"
    assert about["config"] == {
        "lr": 3e-4,
        "clip": {"$number": "Infinity"},
        "late": "yes",
        "late2": 2,
        "summary": {"best": 0.5},
    }
    assert run.config.clip == math.inf
    assert run.summary["eval/x"] == 499
    assert not list(tmp_path.rglob("*.spool"))


def test_values_that_are_left_out_are_counted_with_the_run(server: Server, tmp_path: Path) -> None:
    run = start(server, tmp_path)
    for step in range(3):
        run.log({"loss": 1.0, "image": "a picture"}, step=step)
    run.log({"loss": 1.0}, step="seven")  # type: ignore[arg-type]
    result = run.finish(timeout=trainer.LIMIT)
    assert result.delivered
    counted = {(each.field, each.reason): each.count for each in result.dropped}
    assert counted == {("custom.image", "not a number"): 3, ("step", "not a whole number"): 1}
    assert server.run(run.id)["droppedValues"] == 4


def test_values_that_wait_belong_to_the_step_that_follows(server: Server, tmp_path: Path) -> None:
    run = start(server, tmp_path)
    run.log({"a": 1}, commit=False)
    run.log({"loss": 2})
    run.log({"b": 3}, step=5, commit=False)
    run.log({"loss": 4}, step=6)
    run.log({"c": 5}, commit=False)
    run.finish(timeout=trainer.LIMIT)
    history = server.history(run.id, "loss", "custom:a", "custom:b", "custom:c")
    values = {step: {name: each for name, each in row.items() if each is not None} for step, row in history.items()}
    assert values == {
        0: {"loss": 2, "custom:a": 1},
        5: {"custom:b": 3},
        6: {"loss": 4},
        7: {"custom:c": 5},
    }


def test_a_stop_is_obeyed_and_the_run_ends_as_stopped(server: Server, tmp_path: Path) -> None:
    run = start(server, tmp_path)
    run.log(loss=1.0)
    until("the run", lambda: server.run(run.id), trainer.LIMIT)
    assert not run.should_stop
    server.call("run.command", run=run.id, action={"kind": "stop"}, by="ada", reason="enough")
    until("the stop", lambda: run.should_stop, trainer.LIMIT)
    run.finish(timeout=trainer.LIMIT)
    about = server.run(run.id)
    assert about["status"] == "stopped"
    assert about["reason"] == "enough"


def test_commands_are_carried_out_once_where_the_loop_logs_and_reported(server: Server, tmp_path: Path) -> None:
    run = start(server, tmp_path)
    carried_out: list[tuple[str, float | None, threading.Thread]] = []

    def obey(command: Command) -> str:
        carried_out.append((command.kind, command.factor, threading.current_thread()))
        if command.kind == "checkpoint":
            raise RuntimeError("the disk is full")
        return "half of it"

    run.on_command(obey)
    run.log(loss=1.0)
    until("the run", lambda: server.run(run.id), trainer.LIMIT)
    server.call("run.command", run=run.id, action={"kind": "reduce-lr", "factor": 0.5}, reason="too fast")
    server.call("run.command", run=run.id, action={"kind": "checkpoint"}, reason="to be safe")

    def is_reported() -> bool:
        run.log(loss=1.0)
        return {each["status"] for each in server.query("run.commands", run=run.id)} == {"done", "failed"}

    until("both reports", is_reported, trainer.LIMIT)
    run.finish(timeout=trainer.LIMIT)
    assert carried_out == [
        ("reduce-lr", 0.5, threading.main_thread()),
        ("checkpoint", None, threading.main_thread()),
    ]
    outcomes = {each["kind"]: each for each in server.query("run.commands", run=run.id)}
    assert outcomes["reduce-lr"]["result"] == "half of it"
    assert outcomes["checkpoint"]["error"] == "RuntimeError: the disk is full"


def test_a_command_that_nobody_carries_out_is_refused_by_name(server: Server, tmp_path: Path) -> None:
    run = start(server, tmp_path)
    run.log(loss=1.0)
    until("the run", lambda: server.run(run.id), trainer.LIMIT)
    server.call("run.command", run=run.id, action={"kind": "checkpoint"}, reason="to be safe")
    (command,) = server.query("run.commands", run=run.id)
    run.finish(timeout=trainer.LIMIT)
    assert command["status"] == "failed"
    assert "run.on_command" in command["error"]


def test_a_resume_opens_the_next_attempt(server: Server, tmp_path: Path) -> None:
    first = start(server, tmp_path)
    for step in range(10):
        first.log({"loss": 1.0}, step=step)
    first.finish("failed", "a spot instance", timeout=trainer.LIMIT)
    second = start(server, tmp_path, id=first.id, resume=True)
    for step in range(6, 12):
        second.log({"loss": 2.0}, step=step)
    second.finish(timeout=trainer.LIMIT)
    assert second.attempt == 2
    history = server.history(first.id, "loss")
    assert [history[step]["loss"] for step in range(12)] == [1.0] * 6 + [2.0] * 6
    assert [each["status"] for each in server.run(first.id)["attempts"]] == ["failed", "finished"]


def test_measurements_of_optimizer_steps_come_under_the_numbers_of_the_loop(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watch:
        """Measures nothing, but as often as `evenkeel.torch.Watch` does."""

        layers = ("embedding", "head")

        def __init__(self, model: object, optimizer: object, **options: Any) -> None:
            self.steps = 0
            self._measured: list[tuple[int, dict[str, Any]]] = []

        def step(self) -> None:
            self.steps += 1
            self._measured.append((self.steps, {"tevMean": float(self.steps), "layerGradVar": [1.0, 2.0]}))

        def take(self) -> list[tuple[int, dict[str, Any]]]:
            taken, self._measured = self._measured, []
            return taken

        def close(self) -> None:
            pass

    module = type("module", (), {"Watch": Watch})
    monkeypatch.setitem(__import__("sys").modules, "evenkeel.torch", module)
    run = start(server, tmp_path)
    run.watch(object())
    watch: Any = run._watch
    for _ in range(3):
        watch.step()
    run.log({"loss": 9.0}, step=102)  # resumed at 100, logs every third step
    for _ in range(3):
        watch.step()
    run.log({"loss": 8.0}, step=105)
    watch.step()
    run.log({"loss": 7.0})
    watch.step()
    result = run.finish(timeout=trainer.LIMIT)
    assert result.delivered
    assert result.dropped == ()
    history = server.history(run.id, "loss", "tevMean")
    assert {step: row["tevMean"] for step, row in history.items()} == {100 + at: at + 1 for at in range(8)}
    assert {step: row["loss"] for step, row in history.items() if row["loss"]} == {102: 9.0, 105: 8.0, 106: 7.0}
    assert server.run(run.id)["layers"] == ["embedding", "head"]


def test_what_the_program_prints_and_what_the_machine_does_is_kept(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("psutil", reason="psutil is absent: nothing measures the machine")
    run = start(server, tmp_path)
    run.log({"loss": 1.0}, step=3)
    print("half of a line,", end=" ")
    print("and the rest")
    until("metrics", lambda: "custom:system/memory_percent" in _series(server, run.id), trainer.LIMIT)
    run.finish(timeout=trainer.LIMIT)
    lines = [(each["stream"], each["text"]) for each in server.query("console.lines", run=run.id)["lines"]]
    assert ("stdout", "half of a line, and the rest") in lines


def _series(server: Server, run: str) -> dict[str, Any]:
    return server.history(run, "custom:system/memory_percent").get(3, {})


def test_a_disabled_run_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = threading.active_count()
    with evenkeel.init(mode="disabled", config={"a": 1}) as run:
        run.watch(object())
        run.log({"loss": 1.0})
        run.config["b"] = 2
        assert not run.should_stop
    assert threading.active_count() == before
    assert not list(tmp_path.iterdir())


def test_ranks_other_than_the_first_send_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    run = evenkeel.init(server=trainer.closed_port(), dir=tmp_path)
    run.log(loss=1.0)
    assert not run.finish().delivered
    assert not list(tmp_path.iterdir())


def test_a_copy_of_a_run_records_nothing(tmp_path: Path) -> None:
    run = evenkeel.init(server=trainer.closed_port(), dir=tmp_path, spool=False)
    for made in (copy.deepcopy(run), pickle.loads(pickle.dumps(run))):
        assert made.id == run.id
        made.log(loss=1.0)
        assert made.pending == 0
    run.finish(timeout=0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("project", ""),
        ("name", "x" * 201),
        ("config", [1]),
        ("tags", "one"),
        ("notes", 3),
        ("id", "seven"),
        ("resume", True),
        ("server", "localhost"),
        ("mode", "on"),
        ("spool", {"mode": "offline", "spool": False}),
        ("policy", {"warning": "explode"}),
        ("policy", {"critical": {"kind": "reduce-lr", "factor": 2}}),
    ],
)
def test_an_argument_that_is_wrong_is_named(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{option}: "):
        evenkeel.init(**(value if option == "spool" else {option: value}))


def test_nothing_raises_into_the_loop(tmp_path: Path) -> None:
    class Hostile(dict[str, Any]):
        def items(self) -> Any:
            raise RuntimeError("no")

    run = evenkeel.init(server=trainer.closed_port(), dir=tmp_path, spool=False, name="gpt")
    run.log(Hostile(loss=1.0))
    run.log(7)  # type: ignore[arg-type]
    run.log({"loss": object(), ("a", 1): 2, 3: 4})
    run.define_metric("x", field="no such field")
    run.config["x"] = "y" * 100_000
    run.tags = "not a list"
    run.tags = None  # type: ignore[assignment]
    run.name = ""
    assert (run.tags, run.name) == ((), "gpt")
    run.log(loss=1.0)
    del run.summary["loss"]
    assert "loss" not in run.summary
    run.finish("exploded", timeout=0)
    run.log(loss=1.0)
    run.finish()


def test_a_message_that_fails_costs_itself_alone(server: Server, tmp_path: Path) -> None:
    class Nameless:
        def __str__(self) -> str:
            raise RuntimeError("no name")

    class Broken:
        def synchronize(self) -> None:
            raise RuntimeError("CUDA error")

    run = start(server, tmp_path)
    run.log({"loss": 0.0}, step=0)
    run.log({Nameless(): 1.0}, step=1)  # type: ignore[dict-item]
    run.log({"loss": 2.0, "gpu": PendingTensor(None, Broken())}, step=2)
    result = run.finish(timeout=trainer.LIMIT)
    assert not result.delivered, "a step is lost"
    assert [(each.field, each.reason) for each in result.dropped] == [("custom.gpu", "not a number")]
    assert server.history(run.id, "loss") == {0: {"loss": 0.0}, 2: {"loss": 2.0}}
    assert server.run(run.id)["status"] == "finished"


def test_a_configuration_that_grows_too_large_keeps_what_it_had(server: Server, tmp_path: Path) -> None:
    run = start(server, tmp_path, config={"a": "x" * 40_000})
    run.config["b"] = "y" * 40_000
    run.config["c"] = 1
    run.log(loss=1.0)
    assert run.finish(timeout=trainer.LIMIT).delivered
    assert server.run(run.id)["config"] == {"a": "x" * 40_000, "c": 1}


def test_neither_key_nor_password_is_shown_or_copied(tmp_path: Path) -> None:
    run = evenkeel.init(server="http://ada:secret@127.0.0.1:9/base", key="secret", dir=tmp_path, spool=False)
    assert run.url == f"http://127.0.0.1:9/base/runs/{run.id}"
    assert "secret" not in repr(run._settings)
    assert b"secret" not in pickle.dumps(run)
    run.finish(timeout=0)


def test_a_server_that_is_frozen_holds_no_end_up(own_server: Server, tmp_path: Path) -> None:
    own_server.start()
    run = start(own_server, tmp_path)
    run.log({"loss": 1.0}, step=0)
    until("the run", lambda: own_server.run(run.id), trainer.LIMIT)
    own_server.pause()
    run.log({"loss": 2.0}, step=1)
    ending = threading.Thread(target=run.finish, kwargs={"timeout": 0.1}, daemon=True)
    ending.start()
    ending.join(FROZEN)
    own_server.resume()
    assert not ending.is_alive()
    assert run.finish().spool, "the step and the end are kept"


def test_an_interrupt_while_the_last_measurements_are_read_ends_the_run_all_the_same(tmp_path: Path) -> None:
    class Watch:
        steps = 1

        def take(self) -> list[tuple[int, dict[str, Any]]]:
            raise KeyboardInterrupt

        def close(self) -> None:
            pass

    run = evenkeel.init(server=trainer.closed_port(), dir=tmp_path)
    run.log(loss=1.0)
    run._watch = Watch()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        run.finish(timeout=0)
    assert run.finish().spool


def test_a_run_that_is_hurried_reads_nothing_from_an_accelerator(tmp_path: Path) -> None:
    class Watch:
        steps = 1

        def take(self) -> list[tuple[int, dict[str, Any]]]:
            raise AssertionError("it may wait without end")

    run = evenkeel.init(server=trainer.closed_port(), dir=tmp_path)
    run.log(loss=1.0)
    run._watch = Watch()  # type: ignore[assignment]
    assert not run.hurry(0.1)
    run.end_with_process("stopped", "SIGTERM", 0.1)
    assert run.finish().spool


def test_a_resumed_run_that_says_no_step_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def warned(**step: int) -> bool:
        about = {"id": "01890a5d-ac96-774b-bcce-b302099a8057", "resume": True, "console": False}
        run = evenkeel.init(server=trainer.closed_port(), dir=tmp_path, spool=False, **about)
        run.log({"loss": 1.0}, **step)
        run.log({"loss": 1.0})
        run.finish(timeout=0)
        return "a resumed run needs the step" in capsys.readouterr().err

    assert warned()
    assert not warned(step=100)
