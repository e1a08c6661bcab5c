"""The tracker of Accelerate, in a real training, against the real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from server import Server

pytest.importorskip("torch.nn", reason="PyTorch is not installed: Accelerate's tracker is not tested")
pytest.importorskip("accelerate", reason="accelerate is not installed: its tracker is not tested")

import torch
from accelerate import Accelerator
from tiny import VOCABULARY, Person, outcome, steps_of_attempt
from torch import nn

from evenkeel import Run
from evenkeel.integrations.accelerate import EvenkeelTracker

STEPS = 6


def train(
    tracker: EvenkeelTracker, folder: Path, send: dict[int, Person], begin: int = 0, load: Path | None = None
) -> tuple[list[float], list[float]]:
    """The losses and the learning rates of the steps. A person sends a command before a step looks for it."""
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2, log_with=tracker)
    accelerator.init_trackers("accelerate", config={"seed": 7})
    torch.manual_seed(5)
    model = nn.Sequential(nn.Embedding(VOCABULARY, 8), nn.Linear(8, VOCABULARY))
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer.optimizer, lambda step: 1 - step / 8)
    used: list[float] = []
    optimizer.optimizer.register_step_post_hook(lambda own, *_: used.append(own.param_groups[0]["lr"]))
    losses: list[float] = []

    def save() -> str:
        accelerator.save_state(folder / f"step-{step}")
        return f"step-{step}"

    commands = tracker.watch(model, optimizer, save=save)
    accelerator.register_for_checkpointing(commands, scheduler)
    if load is not None:
        accelerator.load_state(load)
    for step in range(begin, STEPS):
        parts = []
        for at in range(2):
            tokens = torch.arange(5) + 3 * step + at
            with accelerator.accumulate(model):
                loss = nn.functional.cross_entropy(model(tokens), tokens)
                accelerator.backward(loss)
                parts.append(loss.detach())
                optimizer.step()
                optimizer.zero_grad()
        scheduler.step()
        losses.append(float(torch.stack(parts).mean()))
        accelerator.log({"loss": torch.stack(parts).mean()}, step=step)
        if step in send:
            send[step].send(tracker.run)
        if commands.obey():
            break
    accelerator.end_training()
    return losses, used


def tracker(server: Server, folder: Path, **options: Any) -> EvenkeelTracker:
    return EvenkeelTracker("accelerate", server=server.url, dir=folder, **options)


def test_what_is_logged_is_recorded_beside_what_is_measured(server: Server, tmp_path: Path) -> None:
    recording = tracker(server, tmp_path)
    losses, _ = train(recording, tmp_path, {})
    run = recording.tracker
    assert isinstance(run, Run)
    history = server.history(run.id, "loss", "gradVar", "tevMean")
    assert [row["loss"] for row in history.values()] == pytest.approx(losses)
    assert all(row["gradVar"] > 0 and row["tevMean"] > 0 for row in history.values())
    about = server.run(run.id)
    assert (about["status"], about["config"]["seed"]) == ("finished", 7)


def test_a_stop_and_a_checkpoint(server: Server, tmp_path: Path) -> None:
    recording = tracker(server, tmp_path)
    losses, _ = train(recording, tmp_path, {1: Person(server, "checkpoint"), 3: Person(server, "stop")})
    assert len(losses) == 4
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-1", "step-3"]
    assert server.run(recording.run.id)["status"] == "stopped"
    results = {each["kind"]: each["result"] for each in server.query("run.commands", run=recording.run.id)}
    assert results["checkpoint"] == "checkpoint saved: step-1"


def test_a_resume_is_the_next_attempt_at_the_reduced_rate(server: Server, tmp_path: Path) -> None:
    first = tracker(server, tmp_path)
    _, used = train(first, tmp_path, {1: Person(server, "reduce-lr", factor=0.25)})
    planned = [0.1 * (1 - at / 8) for at in range(STEPS)]
    expected = planned[:2] + [rate / 4 for rate in planned[2:]]
    assert used == pytest.approx(expected)
    assert [row["lr"] for row in server.history(first.run.id, "lr").values()] == pytest.approx(expected)
    assert "checkpoint saved: step-1" in outcome(server, first.run.id)["result"]

    again = tracker(server, tmp_path, id=first.run.id, resume=True)
    _, used = train(again, tmp_path, {}, begin=2, load=tmp_path / "step-1")
    assert used == pytest.approx(expected[2:])
    assert again.run.attempt == 2
    assert steps_of_attempt(server, first.run.id, 2) == [2, 3, 4, 5]
