"""The callback of transformers, in real trainings, against the real server."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from server import Server

pytest.importorskip("torch.nn", reason="PyTorch is not installed: the callback of transformers is not tested")
pytest.importorskip("transformers", reason="transformers is not installed: its callback is not tested")

import torch
from tiny import Gpt2Data, Person, gpt2, losses_of, outcome, steps_of_attempt
from torch.nn import functional
from transformers import Trainer, TrainerCallback, TrainingArguments

from evenkeel.integrations.transformers import EvenkeelCallback

MICRO_BATCHES = 2


class AtStep(TrainerCallback):  # type: ignore[misc]
    """Does something while a step ends, before the callback under test looks for commands."""

    def __init__(self, step: int, act: Any) -> None:
        self._step = step
        self._act = act

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self._step:
            self._act()


class Rates(TrainerCallback):  # type: ignore[misc]
    """The rate that each optimizer step used."""

    def __init__(self) -> None:
        self.used: list[float] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        optimizer = kwargs["optimizer"].optimizer
        optimizer.register_step_post_hook(lambda *_: self.used.append(optimizer.param_groups[0]["lr"]))


def arguments(folder: Path, **more: Any) -> TrainingArguments:
    return TrainingArguments(
        **{
            "output_dir": str(folder / "out"),
            "max_steps": 6,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": MICRO_BATCHES,
            "learning_rate": 1e-2,
            "lr_scheduler_type": "linear",
            "logging_steps": 3,
            "save_strategy": "no",
            "report_to": [],
            "use_cpu": True,
            "disable_tqdm": True,
            "train_sampling_strategy": "sequential",
            **more,
        }
    )


def trainer(callback: EvenkeelCallback, args: TrainingArguments, *others: Any, model: Any = None) -> Trainer:
    data = Gpt2Data()
    return Trainer(model or gpt2(), args, train_dataset=data, eval_dataset=Gpt2Data(8), callbacks=[*others, callback])


def callback(server: Server, **options: Any) -> EvenkeelCallback:
    return EvenkeelCallback("transformers", server=server.url, **options)


def test_every_step_has_its_true_loss_and_the_unclipped_gradient(server: Server, tmp_path: Path) -> None:
    watching = callback(server, name="truth", config={"seed": 7})
    args = arguments(tmp_path, max_grad_norm=1e-3, eval_strategy="steps", eval_steps=3)
    trainer(watching, args).train()
    run = watching.run
    assert run is not None
    history = server.history(run.id, "loss", "lr", "lrAhead", "gradNorm", "gradVar", "tevMean", "custom:eval/loss")
    assert list(history) == [1, 2, 3, 4, 5, 6]
    rows = [Gpt2Data()[at] for at in range(4 * MICRO_BATCHES)]
    tokens, labels = (torch.stack([row[name] for row in rows]) for name in ("input_ids", "labels"))
    model = gpt2().double()
    losses = losses_of(model, tokens, labels)
    loss = losses.sum() / labels[:, 1:].ne(-100).sum()
    assert history[1]["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    # the Trainer divides the gradient by the first positions, too, for models such as GPT-2
    divided = (
        functional.cross_entropy(model(tokens).logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")
        / labels.ne(-100).sum()
    )
    gradients = torch.autograd.grad(divided, list(model.parameters()))
    norm = math.sqrt(sum(float(each.square().sum()) for each in gradients))
    assert history[1]["gradNorm"] == pytest.approx(norm, rel=1e-4)
    assert all(row["gradVar"] > 0 and row["tevMean"] > 0 for row in history.values())
    assert [row["lr"] for row in history.values()] == pytest.approx([1e-2 * (6 - at) / 6 for at in range(6)])
    assert [row["lrAhead"] for row in history.values()] == [None, None, 0, 0, 0, 0]  # a line that ends after 6 steps
    assert [step for step, row in history.items() if row["custom:eval/loss"]] == [3, 6]
    about = server.run(run.id)
    assert about["status"] == "finished"
    assert about["config"]["seed"] == 7
    assert about["config"]["learning_rate"] == 1e-2
    assert about["config"]["model"]["n_embd"] == 16
    assert about["config"]["summary"]["train_loss"] > 0


def test_nan_is_the_loss_of_its_step_and_raises_non_finite(server: Server, tmp_path: Path) -> None:
    """The Trainer itself would log a finite loss here."""

    class Broken(Trainer):  # type: ignore[misc]
        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().compute_loss(*args, **kwargs)
            return loss * math.nan if self.state.global_step == 3 else loss

    watching = callback(server)
    Broken(gpt2(), arguments(tmp_path), train_dataset=Gpt2Data(), callbacks=[watching]).train()
    assert watching.run is not None
    history = server.history(watching.run.id, "loss")
    assert [math.isnan(row["loss"]) for row in history.values()][:4] == [False, False, False, True]
    alerts = server.query("alert.list", run=watching.run.id)
    assert [(each["rule"], each["step"]) for each in alerts if each["rule"] == "non-finite"] == [("non-finite", 4)]


def test_a_stop_ends_the_training_behind_a_checkpoint(server: Server, tmp_path: Path) -> None:
    watching = callback(server)
    stop = Person(server, "stop")
    training = trainer(watching, arguments(tmp_path), AtStep(2, lambda: stop.send(watching.run)))
    training.train()
    assert watching.run is not None
    assert training.state.global_step == 2
    assert (tmp_path / "out" / "checkpoint-2" / "optimizer.pt").exists()
    about = server.run(watching.run.id)
    assert (about["status"], about["reason"]) == ("stopped", "a test")


def test_a_checkpoint_is_saved_when_it_is_asked_for(server: Server, tmp_path: Path) -> None:
    watching = callback(server)
    asked = Person(server, "checkpoint")
    training = trainer(watching, arguments(tmp_path), AtStep(4, lambda: asked.send(watching.run)))
    training.train()
    assert watching.run is not None
    assert training.state.global_step == 6
    assert [path.name for path in (tmp_path / "out").glob("checkpoint-*")] == ["checkpoint-4"]
    assert outcome(server, watching.run.id)["result"] == "checkpoint saved: checkpoint-4"


def test_a_resume_is_the_next_attempt_at_the_reduced_rate(server: Server, tmp_path: Path) -> None:
    watching, rates = callback(server), Rates()
    reduce = Person(server, "reduce-lr", factor=0.25)
    trainer(watching, arguments(tmp_path), rates, AtStep(2, lambda: reduce.send(watching.run))).train()
    first = watching.run
    assert first is not None
    planned = [1e-2 * (6 - at) / 6 for at in range(6)]
    expected = planned[:2] + [rate / 4 for rate in planned[2:]]
    assert rates.used == pytest.approx(expected)
    assert [row["lr"] for row in server.history(first.id, "lr").values()] == pytest.approx(expected)
    assert "0.25 of the schedule" in outcome(server, first.id)["result"]

    again, rates = callback(server), Rates()
    checkpoint = str(tmp_path / "out" / "checkpoint-2")
    trainer(again, arguments(tmp_path), rates, model=gpt2(2)).train(resume_from_checkpoint=checkpoint)
    assert again.run is not None
    assert (again.run.id, again.run.attempt) == (first.id, 2)
    assert rates.used == pytest.approx(expected[2:])
    assert steps_of_attempt(server, first.id, 2) == [3, 4, 5, 6]
