"""Runs a script that was written for Weights & Biases: replace `import wandb` by `import evenkeel.wandb as wandb`.

`init`, `log`, `config`, `summary`, `watch`, `define_metric`, `alert` and `finish` record the run with Evenkeel. What
Evenkeel has no counterpart of is an AttributeError that names what to use. Different from W&B:

- `watch` measures TEV and gradient variance at each optimizer step, and draws no histograms.
- `alert` adds a line to the run's notes.
- A run that goes on (`resume`) is the next attempt of it. Without `step` its steps count from 0 again.
- `wandb.run.should_stop` is true once a person or the run's policy has stopped the run.
"""

from __future__ import annotations

import enum
import os
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from types import SimpleNamespace, TracebackType
from typing import Any

import evenkeel
from evenkeel.delivery.commands import CommandCallback
from evenkeel.description import Config, Summary
from evenkeel.process import describe_exit
from evenkeel.run import Run as EvenkeelRun
from evenkeel.values import as_number, freeze, read
from evenkeel.warn import Warner

_warn = Warner()
_MODES = {"online": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled", "shared": "online"}
_MEDIA = "Evenkeel records numbers: log the scalars that it shows"
_FILES = "Evenkeel keeps no files: save them beside your checkpoints"
_INSTEAD = {
    **dict.fromkeys(("Audio", "Graph", "Html", "Image", "Molecule", "Object3D", "Plotly", "Video"), _MEDIA),
    **dict.fromkeys(("Histogram", "Table", "plot", "plot_table"), _MEDIA),
    **dict.fromkeys(("Artifact", "log_artifact", "use_artifact", "log_model", "use_model", "link_artifact"), _FILES),
    **dict.fromkeys(("save", "restore", "log_code"), _FILES),
    **dict.fromkeys(("sweep", "agent", "controller"), "Evenkeel has no hyper-parameter search: start a run for each"),
    "Api": "use evenkeel.Api, which reads runs, their steps and their alerts",
    "mark_preempting": "a run that is cut off goes on with init(id=…, resume=True)",
    "termlog": "use print",
}


class Error(Exception):
    """As wandb.Error."""


class UsageError(Error):
    """As wandb.UsageError."""


class AlertLevel(enum.Enum):
    """How serious an alert is."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class Settings(SimpleNamespace):
    """Takes the settings of W&B; the mode is the one that says something here."""


class Run:
    """A run with the attributes of W&B's. `evenkeel` is the run as Evenkeel knows it."""

    def __init__(self, run: EvenkeelRun, id: str, about: Mapping[str, Any]) -> None:
        """Use `init`."""
        self.evenkeel = run
        self.id = id
        self.entity: str | None = about.get("entity")
        self.group: str | None = about.get("group")
        self.job_type: str | None = about.get("job_type")
        self.dir = os.fspath(about.get("dir") or ".")
        self.resumed: bool = about["resumed"]
        self.settings = about.get("settings") or Settings()
        self._step = 0
        self._alerted: dict[str, float] = {}
        self._best = _Best(run.summary)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(_absent(name, "a run"))

    @property
    def config(self) -> Config:
        return self.evenkeel.config

    @property
    def summary(self) -> Summary:
        return self.evenkeel.summary

    @property
    def project(self) -> str:
        return self.evenkeel.project

    @property
    def url(self) -> str:
        """Of the run's page."""
        return self.evenkeel.url

    @property
    def name(self) -> str:
        return self.evenkeel.name

    @name.setter
    def name(self, name: str) -> None:
        self.evenkeel.name = name

    @property
    def tags(self) -> tuple[str, ...]:
        return self.evenkeel.tags

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self.evenkeel.tags = tuple(tags)

    @property
    def notes(self) -> str:
        return self.evenkeel.notes

    @notes.setter
    def notes(self, notes: str | None) -> None:
        self.evenkeel.notes = notes or ""

    @property
    def step(self) -> int:
        """One more than the last step that was logged with a number or counted."""
        return self._step

    @property
    def offline(self) -> bool:
        return self.evenkeel.mode == "offline"

    @property
    def disabled(self) -> bool:
        return self.evenkeel.mode == "disabled"

    @property
    def should_stop(self) -> bool:
        """Whether training is to end; see `evenkeel.Run.should_stop`."""
        return self.evenkeel.should_stop

    def on_command(self, callback: CommandCallback) -> CommandCallback:
        """Carries out `stop`, `checkpoint` and `reduce-lr`; see `evenkeel.Run.on_command`."""
        return self.evenkeel.on_command(callback)

    def get_url(self) -> str:
        return self.url

    def project_name(self) -> str:
        return self.project

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,
        sync: bool | None = None,
    ) -> None:
        """Records values of a step. With `step` and without `commit` values of one step may come in several calls."""
        self._best.note(data)
        self.evenkeel.log(data, step=step, commit=commit)
        if commit is not False:
            self._step = (self._step if step is None else max(self._step, int(step))) + (step is None)

    def define_metric(self, name: str, *, step_metric: Any = None, summary: str | None = None, **_: Any) -> None:
        """Keeps the `min` or `max` of a metric in the summary. `step_metric` says nothing here: all charts have the
        step as their axis."""
        self._best.define(name, summary)

    def watch(self, models: Any, *_: Any, **__: Any) -> None:
        """Measures TEV and gradients of a model, or of the first one, at each optimizer step."""
        several = isinstance(models, (list, tuple))
        if several and len(models) > 1:
            _warn("watch: the first of several models is watched")
        self.evenkeel.watch(models[0] if several else models)

    def unwatch(self, models: Any = None) -> None:
        """Measurements go on until the run ends."""

    def alert(self, title: str, text: str, level: AlertLevel | str | None = None, wait_duration: Any = None) -> None:
        """Adds a line to the run's notes; one of the same title only after `wait_duration` seconds, by default 60."""
        wait = getattr(wait_duration, "total_seconds", lambda: 60.0 if wait_duration is None else wait_duration)()
        now = time.monotonic()
        if now - self._alerted.get(title, -float("inf")) < wait:
            return
        self._alerted[title] = now
        label = getattr(level, "value", level) or "INFO"
        self.notes = f"{self.notes}\n\n**{label}: {title}** at step {self._step}: {text}".lstrip()

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """Ends the run, as failed where the exit code is not 0."""
        global _current
        if exit_code:
            self.evenkeel.finish("failed", f"exit code {exit_code}")
        else:
            self.evenkeel.finish()
        if _current is self:
            _current = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.evenkeel.finish(*describe_exit(error))
        self.finish()


class _Best:
    """The smallest or largest values of metrics, which a summary shows in place of the last."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._kinds: dict[str, str] = {}

    def define(self, name: str, kinds: str | None) -> None:
        chosen = [kind for kind in (kinds or "").split(",") if kind in ("min", "max")]
        if chosen:
            self._kinds[name] = chosen[0]

    def note(self, data: Mapping[str, Any]) -> None:
        for name, kind in self._kinds.items():
            number = as_number(read(freeze(data.get(name))))
            if number is None or number != number:
                continue
            best = self._summary.own.get(name, number)
            self._summary[name] = min(best, number) if kind == "min" else max(best, number)


_current: Run | None = None


def init(
    project: str | None = None,
    entity: str | None = None,
    *,
    name: str | None = None,
    config: Any = None,
    tags: Sequence[str] | None = None,
    notes: str | None = None,
    id: str | None = None,
    resume: bool | str | None = None,
    mode: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    reinit: bool | str | None = None,
    settings: Any = None,
    policy: Mapping[str, Any] | None = None,
    server: str | None = None,
    **more: Any,
) -> Run:
    """Starts a run, with the arguments of `wandb.init`; of the variables W&B reads, those that describe the run count.

    `policy` and `server` are those of `evenkeel.init`. `group`, `job_type` and `entity` are kept with the
    configuration. An `id` that is no UUID stands for one that is made of project and id.
    """
    global _current
    if _current is not None:
        if reinit in (None, False, "default", "return_previous"):
            return _current
        _current.finish()
    project = project or os.environ.get("WANDB_PROJECT")
    id = id or os.environ.get("WANDB_RUN_ID")
    resume = resume or os.environ.get("WANDB_RESUME")
    goes_on = id is not None and resume not in (None, False, "never", "")
    about = {name: more.get(name) for name in ("group", "job_type") if more.get(name)}
    labels = {**about, **({"entity": entity} if entity else {})}
    run = evenkeel.init(
        project,
        name=name or os.environ.get("WANDB_NAME"),
        config={**_mapping(config), **({"wandb": labels} if labels else {})},
        tags=[tags] if isinstance(tags, str) else tags or _split(os.environ.get("WANDB_TAGS")),
        notes=notes or os.environ.get("WANDB_NOTES") or "",
        id=None if id is None else _uuid(project, id),
        resume=True if goes_on else None,
        mode=_mode(mode or getattr(settings, "mode", None) or os.environ.get("WANDB_MODE")),
        dir=dir,
        policy=policy,
        server=server,
    )
    _current = Run(run, id or run.id, {**labels, "dir": dir, "resumed": goes_on, "settings": settings})
    return _current


def log(data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: bool | None = None) -> None:
    """Records values of a step of the current run."""
    _begun("log").log(data, step, commit)


def define_metric(name: str, **options: Any) -> None:
    """See `Run.define_metric`."""
    _begun("define_metric").define_metric(name, **options)


def watch(models: Any, *args: Any, **options: Any) -> None:
    """See `Run.watch`."""
    _begun("watch").watch(models, *args, **options)


def unwatch(models: Any = None) -> None:
    """See `Run.unwatch`."""


def alert(title: str, text: str, level: AlertLevel | str | None = None, wait_duration: Any = None) -> None:
    """See `Run.alert`."""
    _begun("alert").alert(title, text, level, wait_duration)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """Ends the current run, if there is one."""
    if _current is not None:
        _current.finish(exit_code)


def login(*_: Any, **__: Any) -> bool:
    """There is nothing to log in to: the ingest key is in EVENKEEL_KEY."""
    return True


def setup(*_: Any, **__: Any) -> None:
    """There is nothing to set up."""


util = SimpleNamespace(generate_id=lambda length=8: secrets.token_hex(length)[:length])
"""As wandb.util, for `generate_id`."""


def __getattr__(name: str) -> Any:
    """`run`, and `config` and `summary` of the current run."""
    if name == "run":
        return _current
    if name in ("config", "summary"):
        return getattr(_begun(name), name)
    raise AttributeError(_absent(name, "evenkeel.wandb"))


def _absent(name: str, where: str) -> str:
    instead = _INSTEAD.get(name, "the run as Evenkeel knows it is wandb.run.evenkeel")
    return f"{where} has no {name}: {instead}"


def _begun(what: str) -> Run:
    if _current is None:
        raise Error(f"You must call wandb.init() before wandb.{what}")
    return _current


def _mapping(config: Any) -> dict[str, Any]:
    if config is None or isinstance(config, str):  # a path of a file of defaults
        return {}
    return dict(config) if isinstance(config, Mapping) else dict(vars(config))


def _mode(mode: str | None) -> str:
    if mode is None:
        return "online"
    if mode not in _MODES:
        raise UsageError(f"mode: must be one of {', '.join(_MODES)}")
    return _MODES[mode]


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _uuid(project: str | None, id: str) -> str:
    try:
        return str(uuid.UUID(id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"wandb:{project or ''}/{id}"))
