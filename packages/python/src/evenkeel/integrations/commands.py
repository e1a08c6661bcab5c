"""Carrying out what the server asks, between two optimizer steps and on every rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

from evenkeel.delivery.commands import Command
from evenkeel.integrations.rates import RateFactor
from evenkeel.run import Run
from evenkeel.wire.text import words_of

Save = Callable[[], Optional[str]]
"""Saves a checkpoint; where, for the run's history, or None."""


@dataclass(frozen=True)
class Due:
    """What is to be done now, the same on every rank."""

    stop: bool
    checkpoint: bool
    """A checkpoint is to be saved: it was asked for, or training stops or goes on with another learning rate."""


class Commands:
    """Obeys `stop`, `checkpoint` and `reduce-lr` in a training loop.

    Make it on every rank, and call `obey` on every rank after each optimizer step, behind `log`:

        commands = Commands(run, optimizer, save=lambda: save_checkpoint(step))
        ...
            if commands.obey():
                break

    Keep `state_dict()` in the checkpoint: it has the run's id and the factor of the learning rate.

    Args:
        run: of this rank.
        optimizers: those whose learning rates `reduce-lr` multiplies.
        save: saves a checkpoint, called on every rank: when it is asked for, and before a stop or another rate.
    """

    def __init__(self, run: Run, optimizers: Any, save: Save | None = None) -> None:
        self._run = run
        self._save = save
        self._asked: list[Command] = []
        self._now: list[Command] = []
        self.is_stopping = False
        """Whether training is to stop, also while a checkpoint is saved for that."""
        self.rates = RateFactor(optimizers)
        run.on_command(self._asked.append, report=False)

    def obey(self) -> bool:
        """Carries out what was asked for; whether to stop. In a distributed job every rank calls it, and all agree."""
        due = self.due()
        if not due.checkpoint:
            return False
        where, problem = None, None
        try:
            where = self._save() if self._save else None
        except Exception as error:
            problem = f"no checkpoint could be saved: {words_of(error)}"
        self.report(where, problem)
        return due.stop

    def due(self) -> Due:
        """What every rank has to do now; reports follow with `report`. The learning rate is already reduced."""
        stop = self.is_stopping = self._run.should_stop
        self._now, self._asked[:] = [*self._now, *self._asked], []
        factor = 1.0
        for command in self._now:
            factor *= command.factor or 1.0
        if self.rates.is_effective:
            self.rates.factor *= factor
        return Due(stop, stop or bool(self._now))

    def report(self, where: str | None = None, problem: str | None = None) -> None:
        """Reports the commands that were due: the checkpoint that was saved, or why none was."""
        saved = "no checkpoint is saved by this script" if where is None else f"checkpoint saved: {where}"
        now, self._now = self._now, []
        for command in now:
            if command.kind == "reduce-lr" and not self.rates.is_effective:
                self._run.report_command(command, error="there is no torch optimizer whose rate could be reduced")
            elif problem is not None and command.kind == "checkpoint":
                self._run.report_command(command, error=problem)
            elif command.kind == "reduce-lr":
                rate = f"learning rate at {self.rates.factor:g} of the schedule from the next step on"
                self._run.report_command(command, f"{rate}; {problem or saved}")
            else:
                self._run.report_command(command, problem or saved)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"run": self._run.id, "lrFactor": self.rates.factor}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The factor of the learning rate, as a checkpoint has kept it."""
        self.rates.factor = float(state.get("lrFactor", 1.0))

    def close(self) -> None:
        """The learning rate follows the schedule again."""
        self.rates.close()
