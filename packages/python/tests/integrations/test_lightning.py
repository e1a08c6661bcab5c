"""The logger and the callback of Lightning, in real trainings, against the real server."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from server import Server
from trainer import LIMIT

pytest.importorskip("torch.nn", reason="PyTorch is not installed: Lightning's logger is not tested")
pytest.importorskip("lightning", reason="lightning is not installed: its logger is not tested")

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from tiny import CONTEXT, VOCABULARY, Gpt2Data, Person, outcome, steps_of_attempt
from torch import nn

from evenkeel.integrations.lightning import EvenkeelCallback, EvenkeelLogger

MICRO_BATCHES = 2


class Module(LightningModule):  # type: ignore[misc]
    """A token embedding and a head; its loss is NaN, or an error, where a test asks for it."""

    def __init__(self, width: int = 16, nan_at: int = -1, error_at: int = -1) -> None:
        super().__init__()
        self.save_hyperparameters()
        torch.manual_seed(3)
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.head = nn.Linear(width, VOCABULARY)

    def training_step(self, batch: dict[str, Any], at: int) -> torch.Tensor:
        tokens = batch["input_ids"]
        logits = self.head(self.embedding(tokens[:, :-1]))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("length", float(CONTEXT), on_step=True)
        if self.hparams.error_at == self.global_step:
            raise RuntimeError("a bad batch")
        return loss * math.nan if self.hparams.nan_at == self.global_step else loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 8)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class AtStep(Callback):  # type: ignore[misc]
    def __init__(self, step: int, act: Any) -> None:
        self._step = step
        self._act = act

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self._step:
            self._step, act = -1, self._act
            act()


class Rates(Callback):  # type: ignore[misc]
    def __init__(self) -> None:
        self.used: list[float] = []

    def on_train_start(self, trainer: Trainer, *_: Any) -> None:
        optimizer = trainer.optimizers[0]
        optimizer.register_step_post_hook(lambda *_: self.used.append(optimizer.param_groups[0]["lr"]))


def trainer(folder: Path, *callbacks: Any, **options: Any) -> Trainer:
    return Trainer(
        **{
            "default_root_dir": folder,
            "accelerator": "cpu",
            "max_epochs": 1,
            "accumulate_grad_batches": MICRO_BATCHES,
            "log_every_n_steps": 1,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "logger": False,
            "callbacks": list(callbacks),
            "gradient_clip_val": 1e-3,
            **options,
        }
    )


def data() -> Any:
    """16 micro-batches: 8 optimizer steps."""
    return torch.utils.data.DataLoader(Gpt2Data(64), batch_size=4)


def callback(server: Server, folder: Path, **options: Any) -> EvenkeelCallback:
    return EvenkeelCallback("lightning", server=server.url, dir=folder, **options)


def test_every_step_has_its_loss_beside_what_the_module_logs(server: Server, tmp_path: Path) -> None:
    logger = EvenkeelLogger("lightning", server=server.url, dir=tmp_path, name="both", config={"seed": 7})
    watching = EvenkeelCallback()
    trainer(tmp_path, watching, logger=logger).fit(Module(), data())
    run = logger.run
    assert watching.run is run
    logger.log_metrics({"test/accuracy": 0.5}, step=8)
    run.finish(timeout=LIMIT)
    names = ("loss", "lr", "gradNorm", "gradVar", "tevMean", "custom:length", "custom:logged/train_loss")
    history = server.history(run.id, *names, "custom:test/accuracy")
    assert list(history) == [1, 2, 3, 4, 5, 6, 7, 8]
    model, tokens = Module(), Gpt2Data(64).tokens[: 4 * MICRO_BATCHES]
    logits = model.head(model.embedding(tokens[:, :-1]))
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert history[1]["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    norm = math.sqrt(sum(float(each.square().sum()) for each in gradients))
    assert history[1]["gradNorm"] == pytest.approx(norm, rel=1e-4)
    assert all(row["gradVar"] > 0 and row["tevMean"] > 0 for row in history.values())
    assert [row["lr"] for row in history.values()] == pytest.approx([0.1 * (1 - at / 8) for at in range(8)])
    assert history[1]["custom:length"] == CONTEXT
    mean = sum(row["loss"] for row in history.values()) / 8
    assert history[8]["custom:logged/train_loss"] == pytest.approx(mean, rel=1e-5)
    assert history[8]["custom:test/accuracy"] == 0.5
    about = server.run(run.id)
    assert (about["name"], about["config"]["seed"], about["config"]["width"]) == ("both", 7, 16)


def test_the_logger_alone_records_what_is_logged(server: Server, tmp_path: Path) -> None:
    logger = EvenkeelLogger("lightning", server=server.url, dir=tmp_path)
    trainer(tmp_path, logger=logger).fit(Module(), data())
    logger.experiment.finish(timeout=LIMIT)
    history = server.history(logger.version, "loss", "custom:length")
    assert [row["custom:length"] for row in history.values()] == [CONTEXT] * len(history)
    assert len(history) >= 8
    assert sum(row["loss"] is not None for row in history.values()) == 1


def test_nan_raises_non_finite_at_its_step(server: Server, tmp_path: Path) -> None:
    watching = callback(server, tmp_path)
    trainer(tmp_path, watching).fit(Module(nan_at=3), data())
    assert watching.run is not None
    alerts = server.query("alert.list", run=watching.run.id)
    assert ("non-finite", 4) in [(each["rule"], each["step"]) for each in alerts]


def test_a_stop_ends_the_training_behind_a_checkpoint(server: Server, tmp_path: Path) -> None:
    watching, stop = callback(server, tmp_path), Person(server, "stop")
    training = trainer(tmp_path, AtStep(2, lambda: stop.send(watching.run)), watching)
    training.fit(Module(), data())
    assert watching.run is not None
    assert training.global_step == 2
    assert [path.name for path in tmp_path.rglob("*.ckpt") if "evenkeel" in path.name] == ["evenkeel-step=2.ckpt"]
    about = server.run(watching.run.id)
    assert (about["status"], about["reason"]) == ("stopped", "a test")


def test_a_minimum_of_steps_that_delays_a_stop_is_named(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watching, stop = callback(server, tmp_path), Person(server, "stop")
    training = trainer(tmp_path, AtStep(2, lambda: stop.send(watching.run)), watching, min_steps=1, max_epochs=2)
    training.fit(Module(), data())
    assert watching.run is not None
    assert training.global_step == 8
    assert "a stop will wait for the end of the epoch" in capsys.readouterr().err
    assert "training ends with the epoch" in outcome(server, watching.run.id)["result"]


def test_a_resume_is_the_next_attempt_at_the_reduced_rate(server: Server, tmp_path: Path) -> None:
    watching, rates = callback(server, tmp_path), Rates()
    reduce = Person(server, "reduce-lr", factor=0.25)
    trainer(tmp_path, rates, AtStep(2, lambda: reduce.send(watching.run)), watching).fit(Module(), data())
    first = watching.run
    assert first is not None
    planned = [0.1 * (1 - at / 8) for at in range(8)]
    expected = planned[:2] + [rate / 4 for rate in planned[2:]]
    assert rates.used == pytest.approx(expected)
    assert [row["lr"] for row in server.history(first.id, "lr").values()] == pytest.approx(expected)
    (checkpoint,) = [path for path in tmp_path.rglob("*.ckpt") if "evenkeel" in path.name]

    again, rates = EvenkeelCallback(), Rates()
    logger = EvenkeelLogger("lightning", server=server.url, dir=tmp_path)
    trainer(tmp_path, rates, again, logger=logger).fit(Module(), data(), ckpt_path=checkpoint)
    run = logger.run
    run.finish(timeout=LIMIT)
    assert (run.id, run.attempt) == (first.id, 2)
    assert rates.used == pytest.approx(expected[2:])
    assert steps_of_attempt(server, first.id, 2) == [3, 4, 5, 6, 7, 8]


def test_an_error_is_how_the_run_failed(server: Server, tmp_path: Path) -> None:
    watching = callback(server, tmp_path)
    with pytest.raises(RuntimeError, match="a bad batch"):
        trainer(tmp_path, watching, ModelCheckpoint(tmp_path / "own")).fit(Module(error_at=3), data())
    assert watching.run is not None
    about = server.run(watching.run.id)
    assert (about["status"], about["reason"]) == ("failed", "RuntimeError: a bad batch")


def test_a_signal_is_how_the_run_was_stopped(server: Server, tmp_path: Path) -> None:
    """Lightning raises this a batch after the signal."""

    def end() -> None:
        raise SIGTERMException

    watching = callback(server, tmp_path)
    with pytest.raises(SystemExit):
        trainer(tmp_path, watching, AtStep(2, end)).fit(Module(), data())
    assert watching.run is not None
    about = server.run(watching.run.id)
    assert (about["status"], about["reason"]) == ("stopped", "SIGTERM")
