"""Records a training by Accelerate.

    tracker = EvenkeelTracker("my-project")
    accelerator = Accelerator(log_with=tracker)
    accelerator.init_trackers("my-project", config=config)
    commands = tracker.watch(model, optimizer, save=lambda: save_state(accelerator))
    ...
        accelerator.log({"loss": loss}, step=step)
        if commands.obey():
            break

`accelerator.register_for_checkpointing(commands)` keeps the factor of a reduced learning rate in `save_state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accelerate.tracking import GeneralTracker

import evenkeel
from evenkeel.integrations.commands import Commands, Save
from evenkeel.integrations.guard import harmless
from evenkeel.run import Run


class EvenkeelTracker(GeneralTracker):  # type: ignore[misc,unused-ignore]
    """Records what `accelerator.log` is given. Make it on every rank; Accelerate lets rank 0 record.

    Args:
        project: of the run.
        options: of `evenkeel.init`, such as `name`, `policy`, `server`, `tags`, and `id` with `resume`.
    """

    name = "evenkeel"
    requires_logging_directory = False

    def __init__(self, project: str | None = None, **options: Any) -> None:
        super().__init__()
        self._options = {"project": project, **options}
        self._run: Run | None = None

    @property
    def tracker(self) -> Run:
        """The run."""
        return self.run

    @property
    def run(self) -> Run:
        """The run, started when it is first asked for, so after Accelerate has made the process group."""
        if self._run is None:
            self._run = evenkeel.init(**self._options)
        return self._run

    def start(self) -> None:
        """Starts the run; Accelerate calls it in `init_trackers`."""
        _ = self.run

    @harmless
    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Adds to the run's configuration."""
        self.run.config.update(values)

    @harmless
    def log(self, values: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
        """Records values of a step."""
        self.run.log(values, step=step)

    @harmless
    def finish(self) -> None:
        """Ends the run; `accelerator.end_training()` calls it."""
        self.run.finish()

    def watch(self, model: Any, optimizer: Any, *, save: Save | None = None, **options: Any) -> Commands:
        """Measures the model at each optimizer step; what it returns carries out commands. Call it on every rank.

        Args:
            model, optimizer: as `accelerator.prepare` returns them, or not.
            save: saves a checkpoint, and says where; see `Commands`.
            options: of `evenkeel.Run.watch`.
        """
        self.run.watch(model, optimizer, **options)
        return Commands(self.run, optimizer, save)
