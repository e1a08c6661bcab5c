"""Records a training by Lightning.

    trainer = Trainer(logger=EvenkeelLogger("my-project"), callbacks=[EvenkeelCallback()])

The logger records what the module logs. The callback measures every optimizer step, obeys commands and goes on with the
same run where a training goes on from a checkpoint; it works without the logger, too. With the callback a step has the
number that Lightning calls `global_step` when it has ended, as checkpoints do, so the first one is 1; without it, that
under which Lightning logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.loggers.logger import rank_zero_experiment  # type: ignore[attr-defined,unused-ignore]
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

import evenkeel
from evenkeel.intake import ALIASES
from evenkeel.integrations.commands import Commands
from evenkeel.integrations.guard import harmless, warn
from evenkeel.process import describe_exit
from evenkeel.run import Run
from evenkeel.settings import new_id
from evenkeel.wire.config import as_mapping

_MEASURED = frozenset(("loss", "lr"))


class EvenkeelLogger(Logger):  # type: ignore[misc,unused-ignore]
    """Records what a module logs. Its run ends with the process, so that a test after the training is recorded, too.

    Args:
        project: of the run.
        options: of `evenkeel.init`, such as `name`, `policy`, `server` and `tags`.
    """

    def __init__(self, project: str | None = None, **options: Any) -> None:
        super().__init__()
        self._options = {"project": project, "id": new_id(), **options}
        self._config = dict(as_mapping(options.get("config")) or {})
        self._run: Run | None = None
        self.step: Callable[[], int] | None = None
        """The number of the step that the training is at, of the callback; else what Lightning says."""

    @property
    def run(self) -> Run:
        """The run, started when it is first asked for. On ranks other than 0 it records nothing."""
        if self._run is None:
            self._run = evenkeel.init(**{**self._options, "config": self._config})
        return self._run

    @property
    @rank_zero_experiment  # type: ignore[untyped-decorator,unused-ignore]
    def experiment(self) -> Any:
        """The run, on rank 0; elsewhere an object that does nothing."""
        return _LazyRun(self)

    @property
    def name(self) -> str | None:
        project: str | None = self._options["project"]
        return project

    @property
    def version(self) -> str:
        """The run's id. A resume may change it until the run has started."""
        id: str = self._options["id"]
        return id

    def resume(self, run: str) -> None:
        """Goes on with a run that a checkpoint names, as its next attempt."""
        if self._run is None:
            self._options = {**self._options, "id": run, "resume": True}
        elif self._run.id != run:
            warn("the logger's run had started before the checkpoint was loaded, so it does not go on with the former")

    @rank_zero_only  # type: ignore[untyped-decorator,unused-ignore]
    @harmless
    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        """Adds to the run's configuration."""
        given = dict(as_mapping(params) or {})
        if self._run is None:
            self._config.update(given)
        else:
            self._run.config.update(given)

    @rank_zero_only  # type: ignore[untyped-decorator,unused-ignore]
    @harmless
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Records scalars of a step. What the callback measures goes before a scalar of the same meaning."""
        if self.step is None:
            self.run.log(metrics, step=step)
        else:
            self.run.log({_own_name(name): value for name, value in metrics.items()}, step=self.step())

    @rank_zero_only  # type: ignore[untyped-decorator,unused-ignore]
    @harmless
    def finalize(self, status: str) -> None:
        if self._run is not None and status == "failed":
            self._run.finish("failed")


class _LazyRun:
    """The run of a logger, started when it is used: Lightning asks for it before it loads a checkpoint."""

    def __init__(self, logger: EvenkeelLogger) -> None:
        object.__setattr__(self, "_logger", logger)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger.run, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._logger.run, name, value)


class EvenkeelCallback(Callback):  # type: ignore[misc,unused-ignore]
    """Measures each optimizer step, obeys commands, and keeps run and attempt over a resume.

    Args:
        project: of the run, where the Trainer has no `EvenkeelLogger`.
        watch: measure TEV and gradients; see `evenkeel.Run.watch` for `every`, `grad_variance`, `vocab_size` and
            `embedding`.
        folder: for checkpoints that commands ask for; by default that of the Trainer's other checkpoints.
        options: of `evenkeel.init`, where the Trainer has no `EvenkeelLogger`.
    """

    def __init__(
        self,
        project: str | None = None,
        *,
        watch: bool = True,
        every: int = 1,
        grad_variance: Any = "auto",
        vocab_size: int | None = None,
        embedding: Any = None,
        folder: str | None = None,
        **options: Any,
    ) -> None:
        self.run: Run | None = None
        """The run, once training has begun."""
        self._options = {"project": project, **options}
        self._watches = watch
        self._watching = {
            "every": every,
            "grad_variance": grad_variance,
            "vocab_size": vocab_size,
            "embedding": embedding,
        }
        self._folder = folder
        self._kept: dict[str, Any] = {}
        self._commands: Commands | None = None
        self._logger: EvenkeelLogger | None = None
        self._step = 0
        self._losses: list[torch.Tensor] = []

    def state_dict(self) -> dict[str, Any]:
        return self._kept if self._commands is None else self._commands.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._kept = dict(state_dict)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._logger = next((each for each in trainer.loggers if isinstance(each, EvenkeelLogger)), None)
        resumed = {"id": self._kept["run"], "resume": True} if "run" in self._kept else {}
        if self._logger is None:
            self.run = evenkeel.init(**{"config": dict(pl_module.hparams), **resumed, **self._options})
        else:
            if resumed:
                self._logger.resume(self._kept["run"])
            self.run = self._logger.run
            self._logger.step = lambda: trainer.global_step
        self._begin(trainer, pl_module, self.run)

    @harmless
    def _begin(self, trainer: Trainer, pl_module: LightningModule, run: Run) -> None:
        self._step = trainer.global_step
        self._losses = []
        if self._watches:
            schedulers = [each.scheduler for each in trainer.lr_scheduler_configs if each.interval == "step"]
            run.watch(pl_module, list(trainer.optimizers), scheduler=schedulers, **self._watching)
        self._commands = Commands(run, list(trainer.optimizers), lambda: self._save(trainer))
        self._commands.load_state_dict(self._kept)
        if _stops_late(trainer):
            warn(
                "a stop will wait for the end of the epoch, since Lightning ends training nowhere else where min_steps "
                "or min_epochs is set"
            )

    @harmless
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.run is None or self._commands is None:
            return
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, torch.Tensor) and pl_module.automatic_optimization:
            self._losses.append(loss.detach() * trainer.accumulate_grad_batches)  # Lightning has divided it
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        self.run.log(self._values(), step=self._step)
        if self._commands.obey():
            trainer.should_stop = True

    def _values(self) -> dict[str, Any]:
        losses, self._losses = self._losses, []
        rate = self._commands.rates.used if self._commands else None
        values = {"loss": torch.stack(losses).mean() if losses else None, "lr": rate}
        return {name: value for name, value in values.items() if value is not None}

    def _save(self, trainer: Trainer) -> str:
        beside = getattr(trainer.checkpoint_callback, "dirpath", None)
        path = Path(self._folder or beside or trainer.default_root_dir) / f"evenkeel-step={trainer.global_step}.ckpt"
        trainer.save_checkpoint(path)
        is_late = self._commands is not None and self._commands.is_stopping and _stops_late(trainer)
        return f"{path}; training ends with the epoch, because of min_steps or min_epochs" if is_late else str(path)

    @harmless
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self.run is None:
            return
        if isinstance(exception, SIGTERMException):  # a SystemExit without a status, as of an end without a fault
            self.run.finish("stopped", "SIGTERM")
        else:
            self.run.finish(*describe_exit(exception))

    @harmless
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._commands is not None:
            self._kept = self._commands.state_dict()
            self._commands.close()
        self._commands = None
        if self._logger is not None:
            self._logger.step = None
        if self.run is not None and (self._logger is None or self.run.should_stop):
            self.run.finish()


def _stops_late(trainer: Trainer) -> bool:
    """Whether Lightning looks at `should_stop` at the end of an epoch only."""
    return bool(trainer.fit_loop.min_epochs or trainer.fit_loop.min_steps)


def _own_name(name: str) -> str:
    """Under which name a scalar is kept that means what the callback measures of every step."""
    field = ALIASES.get(name, name)
    return f"logged/{name}" if field in _MEASURED else name
