"""The background of a run: takes what is logged, cuts it into frames, and sees that they are sent or kept."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from evenkeel.delivery.commands import Report
from evenkeel.delivery.outbox import Outbox
from evenkeel.delivery.sender import Events, Sender, merge_description, origin_of
from evenkeel.delivery.sync import find_left_behind, send_left_behind
from evenkeel.drops import DropCount
from evenkeel.intake import StepIntake, is_step_number
from evenkeel.warn import Warner
from evenkeel.wire.batches import frames_of
from evenkeel.wire.config import check_config
from evenkeel.wire.frame import Frame, Step

# Logged entries that may wait for the background thread; it takes them within milliseconds.
_MAX_WAITING = 100_000
# Steps a frame while the server keeps up: small enough to be stored and drawn at once.
_LIVE_STEPS = 64
# More steps waiting than this, and there is a backlog to catch up with.
_BACKLOG_STEPS = 4 * _LIVE_STEPS
# Lines of console output that wait for the run's start.
_MAX_PRINTED = 10_000
# Entries that are taken at a time.
_MAX_TAKEN = 4096
# Seconds between two looks at the clock, beside being woken.
_LOOK = 1.0
# Seconds without an acknowledgement after which what is pending is written to a file, though the server is connected.
_OVERDUE = 5.0
# The same, after which that is warned of.
_UNACKNOWLEDGED = 30.0
# Seconds that the start of a run waits for the steps that an earlier process has left of it.
_LEFT_BEHIND_TIMEOUT = 10.0


@dataclass(frozen=True)
class Logged:
    """What one call of `log` gave."""

    number: int | None
    """None where the step has no usable number."""
    time: float
    """Milliseconds since 1970."""
    values: Mapping[str, Any]
    """Frozen."""


@dataclass(frozen=True)
class Described:
    """Changes of the run's description, as `run:describe` has them."""

    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Printed:
    """Lines of console output, as `run:console` has them."""

    lines: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Opened:
    """The run's start may be sent: whatever belongs to it is known."""

    layers: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """The run has ended."""

    end: Mapping[str, Any]


Message = Union[Logged, Described, Printed, Opened, Ended, Report]


class Courier:
    """The background threads of a run, and what they share. No method raises.

    The thread that trains only ever puts messages into the inbox, which is safe in a signal handler too. `evenkeel`
    takes them out and fills the outbox; `evenkeel-send` empties it.
    """

    def __init__(
        self,
        *,
        server: str,
        handshake: Mapping[str, Any],
        start: Mapping[str, Any],
        folder: Path | None,
        is_offline: bool,
        fields: Mapping[str, str],
        warn: Warner,
        events: Events,
    ) -> None:
        """`fields` names fields of a step by the names under which they are logged."""
        self._server = server
        self._handshake = handshake
        self._start = dict(start)
        self._folder = folder
        self._is_offline = is_offline
        self._fields = fields
        self._warn = warn
        self._events = events
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._own_drops = DropCount()
        self.drops = DropCount()
        self._intake = StepIntake(self._own_drops, warn)
        self._described: dict[str, Any] = {}
        self._printed: deque[Mapping[str, Any]] = deque(maxlen=_MAX_PRINTED)  # until there is a sender
        self._outbox = Outbox(folder=folder, describe=self._describe, drops=self._own_drops, warn=warn)
        self._sender: Sender | None = None
        self.is_refused = False
        """Whether the server will never take anything of this run."""
        self._is_opened = threading.Event()
        self._has_ended = threading.Event()
        self._start_threads()

    def _start_threads(self) -> None:
        """Both at once: since Python 3.12 none can be started while the interpreter exits."""
        try:
            threading.Thread(target=self._work, name="evenkeel", daemon=True).start()
            if not self._is_offline:
                threading.Thread(target=self._send, name="evenkeel-send", daemon=True).start()
        except RuntimeError as error:
            self._warn(f"nothing of this run is recorded: {error}")
            self.is_refused = True
            self.abandon()

    @property
    def pending(self) -> int:
        """Steps that the server has not acknowledged."""
        return self._outbox.pending + self._inbox.qsize()

    @property
    def lost(self) -> int:
        """Steps that were given up: there was no room, or the server refused them."""
        return self._outbox.lost

    @property
    def own_drops(self) -> DropCount:
        return self._own_drops

    def put(self, message: Message) -> None:
        """Takes a message; returns at once."""
        if isinstance(message, Logged) and self._inbox.qsize() >= _MAX_WAITING:
            self._outbox.lost += 1
            self._warn("the buffer is full: steps are dropped")
        elif not self.is_refused or isinstance(message, Ended):
            self._inbox.put(message)

    @property
    def has_ended(self) -> bool:
        """Whether everything up to `Ended` has been taken from the inbox."""
        return self._has_ended.is_set()

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to wait for: the server has the end of the run, or will never take it."""
        sender = self._sender
        return self.has_ended and (sender.done.is_set() if sender else self._is_offline or self.is_refused)

    @property
    def is_delivered(self) -> bool:
        """Whether the server has the end of the run, and all before it."""
        sender = self._sender
        return sender is not None and sender.is_delivered

    def close(self, end: Mapping[str, Any]) -> Path | None:
        """Ends the threads. What the server does not have is in the returned file; None where there is none."""
        is_over = self.is_delivered or self.is_refused
        if self._sender:
            self._sender.close()
        return self._outbox.close(dict(end), is_delivered=is_over)

    def abandon(self) -> None:
        """Ends the threads of a run that has sent nothing, and never will."""
        self._has_ended.set()
        self._is_opened.set()

    # in the thread `evenkeel`

    def _work(self) -> None:
        while not self._has_ended.is_set():
            try:
                self._handle(self._take())
                self._look_at_clock()
            except Exception as error:
                self._warn_of_failure(error)

    def _take(self) -> list[Message]:
        messages: list[Message] = []
        try:
            messages.append(self._inbox.get(timeout=_LOOK))
            while len(messages) < _MAX_TAKEN:
                messages.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return messages

    def _handle(self, messages: list[Message]) -> None:
        steps: list[Step] = []
        for message in messages:
            if isinstance(message, Logged):
                steps += self._step_of(message)
                continue
            self._add(steps)
            steps = []
            try:
                self._handle_other(message)
            except Exception as error:  # costs this message alone
                self._warn_of_failure(error)
        self._add(steps)

    def _warn_of_failure(self, error: Exception) -> None:
        self._warn(f"an internal failure: {error!r}", "internal failure")

    def _handle_other(self, message: Message) -> None:
        if isinstance(message, Opened):
            self._open(message)
        elif isinstance(message, Described):
            self._change_description(message.changes)
        elif isinstance(message, Printed):
            self._printed.extend(message.lines)
            self._hand_over_printed()
        elif isinstance(message, Report) and self._sender:
            self._sender.report(message)
        elif isinstance(message, Ended):
            if self._sender:
                self._sender.finish(message.end)
            self._has_ended.set()

    def _change_description(self, changes: Mapping[str, Any]) -> None:
        """What the server would not take together with the rest is left out."""
        described = merge_description(self._described, changes)
        try:
            check_config(merge_description({"config": self._start["config"]}, described)["config"])
        except ValueError as error:
            self._warn(f"a change of the run's description is dropped: {error}", "describe")
            return
        self._described = described
        if self._sender:
            self._sender.describe(changes)

    def _step_of(self, logged: Logged) -> list[Step]:
        if logged.number is None or not is_step_number(logged.number):
            self._intake.drop_step()
            return []
        try:
            step = self._intake.take(logged.number, logged.time, logged.values, self._fields)
        except Exception as error:  # costs this step alone
            self._outbox.lost += 1
            self._warn_of_failure(error)
            return []
        return [step] if step else []

    def _add(self, steps: list[Step]) -> None:
        if not steps or self.is_refused:
            return
        self._outbox.add(self._frames(steps))
        if self._is_offline:
            self._outbox.spool()
        if self._sender:
            self._sender.wake()

    def _frames(self, steps: list[Step]) -> list[Frame]:
        attempt = self._start["attempt"]
        number = attempt if isinstance(attempt, int) else 1  # who sends it puts in the one that the server gives
        size = len(steps) if len(steps) > _BACKLOG_STEPS else _LIVE_STEPS
        parts = [steps[at : at + size] for at in range(0, len(steps), size)]
        return [frame for part in parts for frame in frames_of(self._start["run"], number, part)]

    def _open(self, opened: Opened) -> None:
        self._start = {**self._start, **self._take_described(), "layers": list(opened.layers)}
        self._intake.layers = len(opened.layers)
        if self._is_offline:
            return
        self._sender = Sender(
            server=self._server,
            handshake=self._handshake,
            start=self._start,
            source=self._outbox,
            own_drops=self._own_drops,
            drops=self.drops,
            warn=self._warn,
            events=self._own_events(),
        )
        self._hand_over_printed()
        self._is_opened.set()

    def _hand_over_printed(self) -> None:
        if self._sender:
            self._sender.console(self._printed)
            self._printed.clear()

    def _take_described(self) -> dict[str, Any]:
        """What the description of the run's start is to be, changes before the start included."""
        return merge_description({"config": self._start["config"]}, self._described)

    def _own_events(self) -> Events:
        given = self._events
        return Events(
            on_command=given.on_command,
            on_opened=given.on_opened,
            on_refused=self._on_refused,
            on_away=self._on_away,
        )

    def _on_refused(self, reason: str) -> None:
        self.is_refused = True
        self._outbox.refuse_all()
        self._events.on_refused(reason)

    def _on_away(self, reason: str, is_reachable: bool) -> None:
        self._outbox.spool()
        self._events.on_away(reason, is_reachable)

    def _describe(self) -> dict[str, Any]:
        """The first record of a spool file."""
        return {"server": origin_of(self._server), "start": {**self._start, **self._take_described()}}

    def _look_at_clock(self) -> None:
        self._outbox.keep_held()
        waited = time.monotonic() - self._outbox.progress_at
        if self._outbox.is_empty or waited < _OVERDUE:
            return
        self._outbox.spool()
        if waited >= _UNACKNOWLEDGED and self._sender and self._sender.is_connected:
            what = f"the server has acknowledged no steps for {_UNACKNOWLEDGED:g} s, though it is connected"
            self._warn(f"{what}: {self._outbox.pending} are kept", "unacknowledged")

    # in the thread `evenkeel-send`

    def _send(self) -> None:
        self._is_opened.wait()
        if self._sender:
            self._send_left_behind()
            self._sender.run()

    def _send_left_behind(self) -> None:
        """Sends what earlier processes have left for this server: first, for some seconds, what is of this run."""
        left = find_left_behind(self._folder, self._server, self._warn)
        mine = [stored for stored in left if stored.name.run == self._start["run"]]
        others = [stored for stored in left if stored.name.run != self._start["run"]]
        if not left or self._folder is None:
            return
        is_first_done = threading.Event()

        def send(folder: Path) -> None:
            send_left_behind(mine, folder, self._server, self._handshake, self._warn)
            is_first_done.set()
            send_left_behind(others, folder, self._server, self._handshake, self._warn)

        try:
            threading.Thread(target=send, args=(self._folder,), name="evenkeel-sync", daemon=True).start()
        except RuntimeError:  # the process is ending: the next one sends it
            return
        is_first_done.wait(_LEFT_BEHIND_TIMEOUT if mine else 0.0)
