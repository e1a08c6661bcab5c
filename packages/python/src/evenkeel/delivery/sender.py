"""Sends what a run has, over one connection after the other."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import urlsplit

from evenkeel.delivery.batch_size import BatchSize
from evenkeel.delivery.commands import Report
from evenkeel.delivery.line import Away, CommandHandler, Line
from evenkeel.delivery.outbox import Source
from evenkeel.drops import DropCount
from evenkeel.warn import Warner
from evenkeel.wire.ack import Accepted, Ack, Dropped, Refusal
from evenkeel.wire.frame import Frame
from evenkeel.wire.text import printable, storable_reason, storable_text

# Seconds before a lost connection is opened again; they double each time.
_RECONNECT, _LONGEST_RECONNECT = 0.5, 5.0
# Seconds before a server that has refused the handshake is asked again: for now, and where only a person can help.
_REFUSED_FOR_NOW, _REFUSED = 1.0, 30.0
# Seconds before a message is sent again whose answer asks for that; they double each time.
_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
# Seconds from one report of what was left out to the next, while the run goes on.
_DROPS_INTERVAL = 5.0
# Seconds between two looks at whether there is something to send, beside being woken.
_LOOK = 1.0
# Attempts in a row that a server may have missed; more than that is a wrong number rather.
_MAX_MISSED = 100
_MAX_SHOWN = 1_000
# Lines of console output that wait to be sent; the oldest go first.
_MAX_LINES = 10_000
# Lines, and characters of them, in a message: at most 12 bytes of JSON each, which stays below the limit of a message.
_LINES_AT_ONCE, _CHARACTERS_AT_ONCE = 1_000, 500_000


@dataclass(frozen=True)
class Events:
    """What the sender calls, in its own thread."""

    on_command: CommandHandler
    on_opened: Callable[[Accepted], None] = lambda _: None
    """The server has opened the attempt, on the first connection or again."""
    on_refused: Callable[[str], None] = lambda _: None
    """The server will never take anything of this run; in its words."""
    on_away: Callable[[str, bool], None] = lambda _reason, _is_reachable: None
    """The server cannot be reached, or refuses this client, for now; in words."""
    on_stored: Callable[[int], None] = lambda _: None
    """The server has acknowledged so many steps."""


class Sender:
    """Sends a run's start, its steps, reports and changes, then its end. `run` is the body of a thread."""

    def __init__(
        self,
        *,
        server: str,
        handshake: Mapping[str, Any],
        start: Mapping[str, Any],
        source: Source,
        own_drops: DropCount,
        drops: DropCount,
        warn: Warner,
        events: Events,
    ) -> None:
        """`own_drops` were left out of steps before they came here; `drops` collects what the server left out."""
        self._server = server
        self._origin = origin_of(server)
        self._handshake = handshake
        self._start = dict(start)
        self._source = source
        self._own_drops = own_drops
        self._drops = drops
        self._warn = warn
        self._events = events
        self._changed = threading.Condition(threading.RLock())
        self._line: Line | None = None
        self._size = BatchSize()
        self._attempt = 0
        self._reports: deque[Report] = deque()
        self._changes: dict[str, Any] = {}
        self._lines: deque[Mapping[str, Any]] = deque(maxlen=_MAX_LINES)
        self._reported_drops = 0
        self._reported_at = -_DROPS_INTERVAL
        self._end: Mapping[str, Any] | None = None
        self._is_ending = False
        self._is_closed = False
        self.done = threading.Event()
        """Set once the server has the end of the run, or will never take it."""
        self.is_delivered = False
        """Whether the server has the end of the run, and so all before it."""

    def wake(self) -> None:
        """There is something to send."""
        with self._changed:
            self._changed.notify_all()

    def report(self, report: Report) -> None:
        """Sends the outcome of a command."""
        with self._changed:
            self._reports.append(report)
            self._changed.notify_all()

    def describe(self, changes: Mapping[str, Any]) -> None:
        """Sends changes of the run's description. Keys of `config` are merged."""
        with self._changed:
            self._changes = merge_description(self._changes, changes)
            self._changed.notify_all()

    def console(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Sends lines of console output, once nothing else waits."""
        with self._changed:
            self._lines.extend(lines)
            self._changed.notify_all()

    def finish(self, end: Mapping[str, Any] | None) -> None:
        """Sends all that waits, then the end of the run where there is one; then `done` is set."""
        with self._changed:
            self._end = end
            self._is_ending = True
            self._changed.notify_all()

    def close(self) -> None:
        """Hangs up and ends the thread."""
        with self._changed:
            self._is_closed = True
            line = self._line
            self._changed.notify_all()
        if line:
            line.close()

    @property
    def is_connected(self) -> bool:
        line = self._line
        return line is not None and line.is_open

    def run(self) -> None:
        """Connects and sends until the end of the run is delivered, or `close` is called. Never raises."""
        pause = _RECONNECT
        while not (self._is_closed or self.done.is_set()):
            problem = self._connect()
            if isinstance(problem, Refusal):
                pause = self._on_handshake_refused(problem)
            elif problem:
                self._on_away(problem)
            else:
                pause = _RECONNECT
                self._serve_line()
            if not (self._is_closed or self.done.is_set()):
                self._sleep(pause)
                pause = min(2 * pause, max(pause, _LONGEST_RECONNECT))

    def _connect(self) -> Refusal | Away | None:
        line = Line(self._server, self._handshake, self._events.on_command, self._changed)
        problem = line.open()
        with self._changed:
            self._line = None if problem or self._is_closed else line
        if self._is_closed and not problem:
            line.close()
            return Away("this run is over")
        return problem

    def _on_away(self, away: Away) -> None:
        problem = f"{self._origin} cannot be reached ({away.reason})"
        self._warn(f"{problem}: steps are kept until it can", "unreachable")
        self._events.on_away(problem, False)
        if away.is_final:
            self.done.set()

    def _on_handshake_refused(self, refusal: Refusal) -> float:
        pause = _REFUSED_FOR_NOW if refusal.retry else _REFUSED
        problem = f"{self._origin} refuses this client: {_words(refusal)}"
        self._warn(f"{problem} (it is asked again every {pause:g} s)")
        self._events.on_away(problem, True)
        return pause

    def _serve_line(self) -> None:
        line = self._line
        if line is None:
            return
        try:
            self._serve(line)
        except Exception as error:
            self._warn(f"an internal failure holds the steps back until the next connection: {error!r}")
        finally:
            with self._changed:
                self._line = None
            line.close()
            self._source.recall()
            if not self.done.is_set():
                self._events.on_away(f"the connection to {self._origin} broke", False)

    def _serve(self, line: Line) -> None:
        """The life of one connection: the run's start, then whatever there is to send, then the run's end."""
        if not self._send_start(line):
            return
        while line.is_open and not self._is_closed:
            if self._send_next(line):
                continue
            if self._is_ending:
                self._send_end(line)
                return
            with self._changed:
                if not self._has_work():
                    self._changed.wait(_LOOK)

    def _has_work(self) -> bool:
        has_messages = self._reports or self._changes or self._lines or self._is_ending or self._is_closed
        return bool(has_messages) or self._source.next_batch(self._size.bytes) is not None

    def _send_next(self, line: Line) -> bool:
        """Sends one message; false where there was none."""
        if self._reports:
            self._send_report(line, self._reports[0])
        elif self._changes:
            self._send_changes(line)
        elif self._are_drops_due():
            self._send_drops(line)
        elif batch := self._source.next_batch(self._size.bytes):
            self._send_batch(line, batch)
        elif self._lines:
            self._send_console(line)
        else:
            return False
        return True

    def _send_start(self, line: Line) -> bool:
        answer = self._open_attempt(line)
        if isinstance(answer, Refusal):
            self._warn(f"the server refuses this run, nothing of it is kept or sent: {_words(answer)}")
            self._events.on_refused(_words(answer))
            self.done.set()
        elif answer:
            self._warn.forget("unreachable")
            self._attempt = answer.attempt if answer.attempt is not None else int(self._start["attempt"])
            self._events.on_opened(answer)
        return isinstance(answer, Accepted)

    def _open_attempt(self, line: Line) -> Ack | None:
        """Starts the attempt, after those that the server has missed: it takes attempts one by one."""
        answer = self._retry(line, "run:start", self._start)
        wanted = self._start["attempt"]
        if not isinstance(wanted, int) or not _is_out_of_turn(answer):
            return answer
        for attempt in range(wanted - 1, max(0, wanted - 1 - _MAX_MISSED), -1):
            opened = self._retry(line, "run:start", {**self._start, "attempt": attempt})
            if isinstance(opened, Accepted):
                return self._open_from(line, attempt + 1)
            if not _is_out_of_turn(opened):
                return opened
        return answer

    def _open_from(self, line: Line, first: int) -> Ack | None:
        opened: Ack | None = None
        for attempt in range(first, self._start["attempt"] + 1):
            opened = self._retry(line, "run:start", {**self._start, "attempt": attempt})
            if not isinstance(opened, Accepted):
                break
        return opened

    def _send_batch(self, line: Line, batch: Frame) -> None:
        began = time.monotonic()
        answer = self._retry(line, "steps", batch.of_attempt(self._attempt))
        elapsed = time.monotonic() - began
        if answer is None:
            self._size.broke(len(batch.data), elapsed)
            return  # these steps go out again on the next connection
        self._size.answered(len(batch.data), elapsed)
        if isinstance(answer, Accepted):
            self._source.acknowledge()
            self._events.on_stored(batch.count)
            self._note(answer)
        else:
            self._source.refuse()
            problem = _words(answer)
            kind = "".join("#" if each.isdigit() else each for each in problem)  # one warning, whichever the step
            self._warn(f"the server refused {batch.count} steps, which are dropped: {problem}", f"steps: {kind}")

    def _note(self, answer: Accepted) -> None:
        if answer.warning is not None:
            self._warn(f"the server: {printable(answer.warning[:_MAX_SHOWN])}", "notice: server")
        for each in answer.dropped:
            self._drops.add(storable_text(each.field, 500), storable_text(each.reason, 500), each.count)
            where = printable(f"{each.field}: {each.reason}"[:_MAX_SHOWN])
            what = "step" if each.count == 1 else "steps"
            self._warn(f"the server left a value out of {each.count} {what}: {where}", f"dropped {where}")
        for field, step in answer.conflicts:
            name = printable(field[:500])
            self._warn(
                f"another emitter of this attempt sends another value of {name} for step {step}: the later one is kept",
                f"notice: conflict {name}",
            )

    def _send_report(self, line: Line, report: Report) -> None:
        answer = self._retry(line, "command:done", report.to_wire())
        if answer is None:
            return  # it goes out again on the next connection
        self._reports.popleft()
        if isinstance(answer, Refusal):
            self._warn(f"the server refused the result of a command: {_words(answer)}")

    def _send_changes(self, line: Line) -> None:
        with self._changed:
            changes, self._changes = self._changes, {}
        answer = self._retry(line, "run:describe", {"run": self._start["run"], "attempt": self._attempt, **changes})
        if answer is None:
            with self._changed:
                self._changes = merge_description(changes, self._changes)
        elif isinstance(answer, Refusal):
            self._warn(f"the server refused a change of the run's description: {_words(answer)}")

    def _are_drops_due(self) -> bool:
        is_time = self._is_ending or time.monotonic() - self._reported_at >= _DROPS_INTERVAL
        return is_time and self._own_drops.total > self._reported_drops

    def _send_drops(self, line: Line) -> None:
        dropped: list[Dropped] = self._own_drops.values()
        message = {
            "run": self._start["run"],
            "attempt": self._attempt,
            "dropped": [each.to_wire() for each in dropped],
        }
        answer = self._retry(line, "run:dropped", message)
        if answer is None:
            return  # it goes out again on the next connection
        self._reported_drops = sum(each.count for each in dropped)
        self._reported_at = time.monotonic()
        if isinstance(answer, Refusal):
            self._warn(f"the server refused the counts of what was left out: {_words(answer)}")

    def _send_console(self, line: Line) -> None:
        lines = self._next_lines()
        message = {"run": self._start["run"], "attempt": self._attempt, "lines": lines}
        answer = self._retry(line, "run:console", message)
        if answer is None:
            return  # they go out again on the next connection
        with self._changed:
            sent = set(map(id, lines))
            while self._lines and id(self._lines[0]) in sent:  # some may be gone since there were too many
                self._lines.popleft()
        if isinstance(answer, Refusal):
            self._warn(f"the server refused lines of the console: {_words(answer)}", "console")

    def _next_lines(self) -> list[Mapping[str, Any]]:
        with self._changed:
            first = list(itertools.islice(self._lines, _LINES_AT_ONCE))
        ends = itertools.accumulate(len(each["text"]) for each in first)
        return [each for each, end in zip(first, ends) if end <= _CHARACTERS_AT_ONCE] or first[:1]

    def _send_end(self, line: Line) -> None:
        if self._end is not None:
            message = {"run": self._start["run"], "attempt": self._attempt, **self._end}
            answer = self._retry(line, "run:finish", message)
            if answer is None:
                return  # it goes out again on the next connection
            if isinstance(answer, Refusal):
                self._warn(f"the server refused the end of the run: {_words(answer)}")
            self.is_delivered = isinstance(answer, Accepted)
        else:
            self.is_delivered = True
        self.done.set()

    def _retry(self, line: Line, event: str, payload: object) -> Ack | None:
        """Sends a message until the server takes it or refuses it for good; None where the connection breaks before."""
        pause = _PAUSE
        while line.is_open and not self._is_closed:
            answer = line.request(event, payload)
            if not (isinstance(answer, Refusal) and answer.retry):
                return answer
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return None

    def _sleep(self, seconds: float) -> None:
        """A pause that ends early where the run ends meanwhile."""
        was_ending = self._is_ending
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._is_ending != was_ending, seconds)


def merge_description(former: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Changes of a description, as `run:describe` merges them: at the top level of `config`."""
    merged = {**former, **later}
    if "config" in former and "config" in later:
        merged["config"] = {**former["config"], **later["config"]}
    return merged


def origin_of(server: str) -> str:
    """Scheme and host of an address, as a spool file names its server."""
    parts = urlsplit(server)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    is_default = parts.port == {"http": 80, "https": 443}.get(scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{scheme}://{host}" if parts.port is None or is_default else f"{scheme}://{host}:{parts.port}"


def _is_out_of_turn(answer: Ack | None) -> bool:
    return isinstance(answer, Refusal) and answer.field == "attempt"


def _words(refusal: Refusal) -> str:
    """For a terminal, and no longer than a reason, whatever the server says."""
    return printable(storable_reason(str(refusal)))
