"""A run that is being recorded."""

from __future__ import annotations

import itertools
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Literal, Protocol

from evenkeel import values
from evenkeel.console import Console, Line
from evenkeel.delivery.commands import Command, CommandCallback, CommandDesk
from evenkeel.delivery.courier import Courier, Described, Ended, Logged, Message, Opened, Printed
from evenkeel.delivery.sender import Events
from evenkeel.description import Config, Summary
from evenkeel.distributed import agree, all_take_part, of_first, rank, world_size
from evenkeel.intake import ALIASES, FIELDS, layer_names
from evenkeel.numbering import Numbering
from evenkeel.process import describe_exit, forget_exit, unwatch_process, watch_process
from evenkeel.settings import Policy, Settings, check_name, check_notes, check_tags, public_address, read_settings
from evenkeel.system import SystemMetrics
from evenkeel.warn import Warner
from evenkeel.wire.ack import Accepted, Dropped
from evenkeel.wire.config import to_config
from evenkeel.wire.text import storable_reason, words_of

_STATUSES = ("finished", "stopped", "failed")
_FINISH_TIMEOUT = 10.0
# Runs of this process, which are as many on every rank of a distributed job.
_instances = itertools.count()
_NOT_JOINT = "the ranks of a distributed job have to read run.should_stop together, or none obeys for the others"
# Seconds between two looks at whether the end of a run is delivered. Locks are not waited for, since a signal handler
# may end a run while the same thread does.
_POLL = 0.01


class Watching(Protocol):
    """Measures a model at each optimizer step, such as `evenkeel.torch.Watch`."""

    steps: int
    """Optimizer steps really taken since it began."""

    def take(self) -> list[tuple[int, dict[str, Any]]]:
        """Measurements not yet taken, oldest first: the number of the optimizer step, from 1, and fields of a step."""

    def weigh(self, weight: Any) -> None:
        """The weight of the micro-batch whose backward pass comes next."""

    def close(self) -> None:
        """Removes every hook."""


@dataclass(frozen=True)
class FinishResult:
    """The result of `Run.finish`."""

    delivered: bool
    """Whether the server has every step that was logged, and the end of the run."""
    pending: int = 0
    """Steps that the server has not acknowledged."""
    spool: Path | None = None
    """The file that holds what the server does not have, for the next `init` with the same folder or `evenkeel sync`
    to send."""
    dropped: tuple[Dropped, ...] = ()
    """Values that were left out, here or by the server."""


class Run:
    """A run that is being recorded. Once it has started, nothing of it raises, whatever happens to the server."""

    def __init__(self, settings: Settings) -> None:
        """Use `init`."""
        start = settings.start
        self.id: str = start["run"]
        self.project: str = start["project"]
        self.url = f"{public_address(settings.server).rstrip('/')}/runs/{self.id}"
        self.mode = settings.mode
        self._settings = settings
        self._name: str = start["name"]
        self._notes: str = start["notes"]
        self._tags = tuple(start["tags"])
        self._attempt: int | None = start["attempt"] if isinstance(start["attempt"], int) else None
        self._warn = Warner()
        self._fields = dict(ALIASES)
        self._numbering = Numbering()
        self._logged_at = (0, 0.0)  # optimizer steps, and time, of the last log
        self._held: dict[str, Any] = {}
        self._held_step: int | None = None
        self._is_resumed = start["attempt"] != 1
        self._has_number = False  # whether a log has said its step
        self._watch: Watching | None = None
        self._instance = next(_instances)
        self._is_joint: bool | None = None  # whether all processes of a distributed job ask together
        self._is_speaking = settings.mode != "disabled" and rank() == 0
        self._is_opened = False
        self._is_policy_checked = False
        self._is_ending = False
        self._is_hurried = False
        self._was_announced = False
        self._deadline = math.inf
        self._result: FinishResult | None = None
        self.config = Config(settings.config, self._on_config)
        """The configuration; what is set in it later is sent."""
        self.summary = Summary()
        """The last value of everything logged. What you put into it is kept with the run when it ends."""
        self._desk = CommandDesk(self.id, self._put)
        self._courier: Courier | None = self._start_courier() if self._is_speaking else None
        self._number: int | None = None  # of the last log
        self._console = Console(self._on_lines) if self._courier and self._sends(settings.console) else None
        self._system = SystemMetrics(self._on_system) if self._courier and settings.system_metrics else None

    def _start_courier(self) -> Courier:
        settings = self._settings
        watch_process(self)
        return Courier(
            server=settings.server,
            handshake=settings.handshake,
            start=settings.start,
            folder=settings.folder,
            is_offline=settings.mode == "offline",
            fields=self._fields,
            warn=self._warn,
            events=Events(on_command=self._desk.take, on_opened=self._on_opened),
        )

    def _sends(self, wish: bool) -> bool:
        """Whether something is sent that a spool does not keep."""
        return wish and self.mode == "online"

    def _on_lines(self, lines: list[Line]) -> None:
        fields = [
            {"line": each.number, "time": each.time, "stream": each.stream, "text": each.text, "cut": each.cut}
            for each in lines
        ]
        self._put(Printed(fields))

    def _on_system(self, measured: dict[str, float]) -> None:
        if self._number is not None:
            self._put(Logged(self._number, time.time() * 1000, measured))

    # what is recorded

    def log(
        self, data: Mapping[str, Any] | None = None, step: int | None = None, commit: bool | None = None, **more: Any
    ) -> None:
        """Records values of a step: `run.log({"loss": loss})` or `run.log(loss=loss)`.

        Without `step` the values belong to the optimizer step just taken where one is watched, else to the next number.
        Values of one step may be logged in several calls; with `commit=False` they wait for the next one. Numbers of
        any kind, arrays and tensors are taken; NaN and infinities are values.
        """
        try:
            self._log(data, step, commit, more)
        except Exception as error:
            self._warn(f"log() failed: {words_of(error)}", "log")

    def _log(
        self, data: Mapping[str, Any] | None, step: int | None, commit: bool | None, more: Mapping[str, Any]
    ) -> None:
        if not self._is_speaking and self._watch is None:
            return
        if self._is_ending:
            self._warn("steps logged after finish() are dropped")
            return
        forget_exit()
        given = {**(data or {}), **more} if more else (data or {})
        logged = {name: values.freeze(value) for name, value in given.items()}
        if self._held and step is not None and self._held_step not in (None, step):
            self._flush_held()
        if self._held:
            logged = {**self._held, **logged}
            step = self._held_step if step is None else step
            self._held = {}
        if commit is False:
            self._held, self._held_step = logged, step
            return
        self._record(logged, step)
        if self._desk.is_asked and world_size() == 1:  # else all processes do it together, in `should_stop`
            self._desk.adopt(self._desk.hand_out())
            self._desk.carry_out()

    def _flush_held(self) -> None:
        held, self._held = self._held, {}
        if held:
            self._record(held, self._held_step)

    def _record(self, logged: dict[str, Any], step: int | None) -> None:
        now = time.time() * 1000
        watch = self._watch
        measured = watch.take() if watch and not self._is_hurried else []  # a signal handler waits for no accelerator
        number = None
        if step is None and self._is_resumed and not self._has_number:
            self._warn(
                "a resumed run needs the step of each log, such as run.log(..., step=step): it counts from 0 again"
            )
        self._has_number = self._has_number or step is not None
        if step is None or (number := values.as_whole(step)) is not None:
            taken = watch.steps if watch else None
            number = self._numbering.of_log(number, taken)
        if not self._open():
            return
        self._check_policy()
        self._number = number if number is not None else self._number
        self.summary.note(logged)
        for at, fields in self._numbered(measured, now):
            if at[0] == number:
                logged = {**fields, **logged}
            else:
                self._put(Logged(at[0], at[1], fields))
        self._put(Logged(number, now, logged))

    def _numbered(
        self, measured: list[tuple[int, dict[str, Any]]], now: float
    ) -> list[tuple[tuple[int, float], dict[str, Any]]]:
        """Measurements with their numbers, and times spread over the time since the last log."""
        if not measured:
            return []
        former, began = self._logged_at
        last = measured[-1][0]
        self._logged_at = (last, now)
        pause = (now - began) / (last - former) if began and last > former else 0.0
        return [((self._numbering.of_measurement(at), now - pause * (last - at)), fields) for at, fields in measured]

    def watch(
        self,
        model: Any,
        optimizer: Any = None,
        every: int = 1,
        grad_variance: Literal["auto", "exact"] | bool = "auto",
        vocab_size: int | None = None,
        embedding: Any = None,
        layer_outputs: bool = False,
        attention_logits: bool = False,
        updates: bool = False,
        scheduler: Any = None,
    ) -> None:
        """Measures the model: TEV, the gradient's norm and its variance, by layer too. Needs PyTorch 2.6 or later.

        The numbers of the steps so far are read at each `log`, which waits until the accelerator has computed them; a
        larger `every` makes that rarer. Call it on every rank of a distributed job, and before the first `log`. See
        `evenkeel.torch.Watch`.

        Args:
            model: wrapped or not.
            optimizer: whose steps count; by default the one that has the token embedding.
            every: measure the first step, and then every so many.
            grad_variance: `"auto"`, `"exact"` or False.
            vocab_size: rows of the embedding that represent tokens; the rest is padding.
            embedding: its module or name, where it cannot be found.
            layer_outputs: measure the variance of each block's output too, with forward hooks.
            attention_logits: measure the largest attention logit of each block too, as `attentionLogitMax`.
            updates: measure how large each update is too, as `updateShare` and, of AdamW, `updateRms`, by a copy of the
                parameters that train.
            scheduler: that of the optimizer, or several, for the rate that it plans for 20 steps later, `lrAhead`:
                PyTorch's own, whose functions compute the rate from the step and constants alone.
        """
        if self.mode == "disabled":
            return
        try:
            from evenkeel.torch import Watch

            if self._watch:
                self._watch.close()
            self._watch = Watch(
                model,
                optimizer,
                every=every,
                grad_variance=grad_variance,
                vocab_size=vocab_size,
                warn=self._warn,
                embedding=embedding,
                layer_outputs=layer_outputs,
                attention_logits=attention_logits,
                updates=updates,
                scheduler=scheduler,
            )
            self._open()
        except Exception as error:
            self._warn(f"the model cannot be watched: {words_of(error)}", "watch")

    def weigh(self, tokens: Any) -> None:
        """The weight of the micro-batch whose backward pass comes next, a number or a scalar tensor.

        Only where the loss weighs micro-batches, as where it is a mean over the tokens of the whole step; then for each
        of them, on every rank.
        """
        if self._watch is None:
            return
        try:
            self._watch.weigh(tokens)
        except Exception as error:
            self._warn(f"a micro-batch could not be weighed: {words_of(error)}", "weigh")

    def define_metric(self, name: str, *, field: str) -> None:
        """Says that what is logged as `name` is the step's `field`, such as `loss`, which rules and charts know."""
        if field in FIELDS:
            self._fields[name] = field
        else:
            self._warn(f"define_metric: field: must be one of {', '.join(sorted(FIELDS))}")

    # what the server asks

    @property
    def should_stop(self) -> bool:
        """Whether training is to end: the server, or a person through it, has asked for that.

        In a distributed job read it on every rank at the same place: all get the same answer.
        """
        try:
            if world_size() == 1 or not self._asks_jointly():
                self._desk.adopt(self._desk.hand_out())
            elif agree(self._desk.is_asked):
                self._desk.adopt(of_first(self._desk.hand_out()))
            self._desk.carry_out()
        except Exception as error:
            self._warn(f"should_stop failed: {words_of(error)}", "should_stop")
        return self._desk.due_stop is not None

    def _asks_jointly(self) -> bool:
        if self._is_joint is None:
            self._is_joint = all_take_part(f"evenkeel/should_stop/{self._instance}")
        if not self._is_joint:
            self._warn(_NOT_JOINT, "should_stop")
            self._desk.decline(_NOT_JOINT)
        return self._is_joint

    def on_command(self, callback: CommandCallback, *, report: bool = True) -> CommandCallback:
        """Carries out commands: `stop`, `checkpoint` and `reduce-lr`.

        The callback is called with each command, once, in the thread that trains: at the next `log` or `should_stop`.
        In a distributed job it is called on every rank, at the next `should_stop`, which every rank reads. It returns a
        result in words, or raises where the command cannot be carried out. With `report=False` the outcome is reported
        later, by `report_command`. Without a callback the run obeys `stop` alone, by `should_stop`.
        """
        self._desk.on_command(callback, report=report)
        return callback

    def report_command(self, command: Command, result: str | None = None, error: str | None = None) -> None:
        """Reports the outcome of a command: what was done, or why it could not be."""
        self._desk.report(command, result, error)

    # what the run is

    @property
    def attempt(self) -> int | None:
        """Which attempt this is; None until the server has said it, where it counts."""
        return self._attempt

    @property
    def pending(self) -> int:
        """Steps that the server has not acknowledged yet."""
        return self._courier.pending if self._courier else 0

    @property
    def name(self) -> str:
        """The run's name; what is set is sent."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        if self._describe("name", name, check_name):
            self._name = name

    @property
    def tags(self) -> tuple[str, ...]:
        """The run's tags; what is set is sent."""
        return self._tags

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        if self._describe("tags", tags, check_tags):
            self._tags = tuple(tags)

    @property
    def notes(self) -> str:
        """The run's notes, Markdown; what is set is sent."""
        return self._notes

    @notes.setter
    def notes(self, notes: str) -> None:
        if self._describe("notes", notes, check_notes):
            self._notes = notes

    def _describe(self, field: str, value: Any, check: Callable[[Any], Any]) -> bool:
        """Whether the run's description can be changed so."""
        try:
            self._put(Described({field: check(value)}))
            return True
        except Exception as error:
            self._warn(f"a change of the run's description is dropped: {words_of(error)}", "describe")
            return False

    def _on_config(self, changes: Mapping[str, Any]) -> None:
        self._describe("config", changes, to_config)

    # its life

    def finish(
        self, status: str | None = None, reason: str | None = None, timeout: float = _FINISH_TIMEOUT
    ) -> FinishResult:
        """Sends what is pending and ends the run, by default as `stopped` where the server asked for it, or `finished`.

        Returns within `timeout` seconds. What the server does not have by then is in a file, which the next `init` with
        the same folder sends, or `evenkeel sync`.
        """
        if self._is_ending:
            return self._result or FinishResult(delivered=False)
        try:
            try:
                self._flush_held()
                self._record_last_measurements()
                if self.summary.own:
                    self._describe("config", {"summary": self.summary.own}, to_config)
            finally:  # also where Ctrl-C ends the wait for an accelerator
                self._deadline = min(self._deadline, time.monotonic() + timeout)
                self._is_ending = True
                self._result = self._finish(self._end(status, reason))
        except Exception as error:
            self._warn(f"finish() failed: {words_of(error)}", "finish")
        finally:
            unwatch_process(self)
        return self._result or FinishResult(delivered=False)

    def _record_last_measurements(self) -> None:
        if not self._watch or self._is_hurried:  # a signal handler does not wait for an accelerator
            return
        try:
            for at, fields in self._numbered(self._watch.take(), time.time() * 1000):
                self._put(Logged(at[0], at[1], fields))
        finally:
            self._watch.close()

    def _stop_collecting(self) -> None:
        if self._system:
            self._system.close()
        if self._console:
            self._console.close()

    def _end(self, status: str | None, reason: str | None) -> dict[str, Any]:
        stop = self._desk.stop
        if status is not None and status not in _STATUSES:
            self._warn(f"finish() takes {', '.join(_STATUSES)}; the run counts as finished")
            status = "finished"
        if status is None:
            status = "stopped" if stop else "finished"
            reason = reason if reason is not None or not stop else stop.reason
        text = None if reason is None else storable_reason(str(reason))
        return {"status": status, "reason": text, "endedAt": int(time.time() * 1000)}

    def _finish(self, end: dict[str, Any]) -> FinishResult:
        if not self._open() or self._courier is None:
            return FinishResult(delivered=False)
        courier = self._courier
        self._stop_collecting()
        courier.put(Ended(end))
        try:
            while not courier.is_done and time.monotonic() < self._deadline:
                time.sleep(_POLL)
        finally:  # also where Ctrl-C ends the wait
            path = courier.close(end)
        pending = 0 if courier.is_delivered else courier.pending
        if courier.lost > 0:
            self._warn(f"steps of this run that the server never took: {courier.lost}")
        if not courier.is_delivered and self.mode == "online" and not courier.is_refused:
            kept = f" (they are in {path}, for the next run here or `evenkeel sync`)" if path else ""
            self._warn(f"the end of this run is not with the server, nor its last steps: {pending}{kept}")
        dropped = (*courier.own_drops.values(), *courier.drops.values())
        return FinishResult(courier.is_delivered and courier.lost == 0, pending, path, dropped)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.finish(*describe_exit(error))

    def end_with_process(self, status: str, reason: str | None, timeout: float) -> None:
        """The process ends: so does the run."""
        is_plain = status == "finished"  # a stop that was asked for counts as one
        self.finish(None if is_plain else status, reason, timeout)

    def hurry(self, timeout: float) -> bool:
        """Whether the run is being ended right now; it then takes so many seconds more at most."""
        self._is_hurried = True
        self._deadline = min(self._deadline, time.monotonic() + timeout)
        return self._is_ending

    def forsake(self) -> None:
        """This is a child of the process that started the run: it records nothing, and waits for nothing."""
        self._courier = None
        self._watch = None
        self._is_joint = False
        self._is_speaking = False
        self._warn = Warner()  # the lock of the former one may be held by a thread that this process does not have

    def __reduce__(self) -> tuple[type[Run], tuple[Settings]]:
        """A copy, such as in another process, is of the same run but records nothing."""
        given = self._settings
        plain = replace(
            given,
            mode="disabled",
            config=given.start["config"],
            server=public_address(given.server),
            handshake={},  # the ingest key stays here
        )
        return Run, (plain,)

    # messages to the background

    def _open(self) -> bool:
        """Lets the run's start go out, once it is known what belongs to it; false where this process does not speak."""
        if self._is_opened or not self._is_speaking:
            return self._is_speaking
        if rank() != 0:  # known only since the process group was made
            self._fall_silent()
            return False
        self._is_opened = True
        layers = layer_names(getattr(self._watch, "layers", ()))
        self._put(Opened(tuple(layers)))
        return True

    def _check_policy(self) -> None:
        if self._is_policy_checked:
            return
        self._is_policy_checked = True
        kinds = {reaction["kind"] for reaction in self._settings.start["policy"].values()} - {"observe", "stop"}
        if kinds and not self._desk.has_callback:
            self._warn(f"policy: {' and '.join(sorted(kinds))} needs run.on_command(callback), which carries it out")

    def _fall_silent(self) -> None:
        self._is_speaking = False
        self._stop_collecting()
        if self._courier:
            self._courier.abandon()
            self._courier = None
        unwatch_process(self)

    def _put(self, message: Message) -> None:
        if self._courier:
            self._courier.put(message)

    def _on_opened(self, answer: Accepted) -> None:
        is_first = self._attempt != answer.attempt or not self._was_announced
        self._attempt = answer.attempt or self._attempt
        if is_first:
            self._was_announced = True
            _say(f"recording {self.project} / {self._name} at {self.url}")


def _say(message: str) -> None:
    try:
        print(f"evenkeel: {message}", file=sys.stderr, flush=True)
    except Exception:
        return


def init(
    project: str | None = None,
    *,
    name: str | None = None,
    config: object = None,
    tags: Sequence[str] = (),
    notes: str = "",
    owner: str | None = None,
    id: str | None = None,
    resume: bool | int | str | None = None,
    server: str | None = None,
    key: str | None = None,
    mode: str = "online",
    policy: Policy | None = None,
    dir: str | os.PathLike[str] | None = None,
    spool: str | os.PathLike[str] | bool | None = None,
    console: bool = True,
    system_metrics: bool = True,
) -> Run:
    """Starts recording a run, or the next attempt of one. Returns at once, whether the server is there or not.

    Args:
        project: created where it does not exist.
        name: of the run; by default made of the script's name.
        config: a dict, a namespace or a dataclass.
        tags, notes, owner: for people. Notes are Markdown.
        id: a UUID. Keep `run.id` in the checkpoint and pass it to go on with a run.
        resume: True or `"next"` for the next attempt of the run `id`, from a checkpoint; `"resume"` to go on with the
            newest where that has not ended; or the number of the attempt. Log with `step` then: without it steps count
            from 0 again.
        server: the server's address; by default what EVENKEEL_SERVER says, else http://127.0.0.1:4870.
        key: an ingest key; by default what EVENKEEL_KEY says.
        mode: `"online"`; `"offline"` to record into the spool alone; `"disabled"` for nothing at all.
        policy: what the server does when an alert fires: `{"critical": "stop"}`.
        dir: the folder of the checkpoints. What the server does not have is kept in `.evenkeel/spool` in it.
        spool: the folder itself, or False for none; by default what EVENKEEL_SPOOL says, else `.evenkeel/spool` here.

        console: whether the last 10,000 lines that the program prints are kept with the run.
        system_metrics: whether the machine is measured every 10 s, as `system/…`; needs psutil, and pynvml for GPUs.

    Raises:
        ValueError: names the argument that is wrong.
    """
    return Run(
        read_settings(
            project=project,
            name=name,
            config=config,
            tags=tags,
            notes=notes,
            owner=owner,
            id=id,
            resume=resume,
            server=server,
            key=key,
            mode=mode,
            policy=policy,
            dir=dir,
            spool=spool,
            console=console,
            system_metrics=system_metrics,
        )
    )
