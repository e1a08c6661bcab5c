"""What a program writes to its console, as lines."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Literal, TextIO

Stream = Literal["stdout", "stderr"]

MAX_LINE_LENGTH = 2_000
"""Characters of one line; what is longer is cut and counted."""
MAX_LINES = 1_000
"""Lines that are handed over at once, as many as a message to the server may hold."""
# Of what was written and not handed over yet; more is left out, the oldest first.
_MAX_KEPT = 10_000
_MAX_PENDING = 4_000_000
# Rows above the last that a program may go back to, as it does to draw several progress bars.
_OPEN_ROWS = 32
# What moves within lines, or between them; all other escape sequences belong to the text.
_MOVES = re.compile(r"(\r\n|\n|\r|\x1b\[\d*[AB]|\x1b\[2?K)")


@dataclass(frozen=True)
class Line:
    """One line, as a terminal shows it at the time."""

    number: int
    """Counted from 0 over both streams. A line whose text has changed comes again under its number."""
    time: float
    """When it was last written to, in milliseconds since 1970."""
    stream: Stream
    text: str
    """Without its end; with escape sequences such as colors."""
    cut: int
    """Characters that are missing from its end."""


class Console:
    """Collects what is written to `sys.stdout` and `sys.stderr`, which go on as before.

    The streams stay the same objects, with their encoding, file descriptor and all else: only their `write` is
    wrapped. So libraries that have kept one of them, such as `logging` and tqdm, are seen, too. What is written to the
    file descriptor itself, by C code or another process, is not. In a forked process nothing is collected.

    Args:
        on_lines: is given lines that are new or have changed, at most `MAX_LINES` at once and in order, from a thread
            or from `flush` and `close`. What it raises is ignored. Numbers that never come are of lines that were left
            out, because more was written than could be kept.
        every: seconds from one time to the next.
    """

    def __init__(self, on_lines: Callable[[list[Line]], None], every: float = 1.0) -> None:
        self._on_lines = on_lines
        self._every = every
        self._pid = os.getpid()
        self._written = _Written()
        self._screen = _Screen()
        self._handing_over = threading.Lock()
        self._closed = threading.Event()
        self._taps = [
            tap
            for name, stream in _standard_streams()
            if (tap := _Tap.on(stream, partial(self._write, name))) is not None
        ]
        self._thread = threading.Thread(target=self._run, name="evenkeel-console", daemon=True)
        self._thread.start()

    def flush(self) -> None:
        """Hands over all that was written so far, also of a line that has not ended."""
        if os.getpid() != self._pid or not self._handing_over.acquire(timeout=5):
            return
        try:
            skipped, writes = self._written.take()
            self._screen.skip(skipped)
            for stream, at, text in writes:
                self._screen.write(stream, at, text)
            lines = self._screen.take()
            for first in range(0, len(lines), MAX_LINES):
                with contextlib.suppress(Exception):
                    self._on_lines(lines[first : first + MAX_LINES])
        finally:
            self._handing_over.release()

    def close(self) -> None:
        """Leaves the streams as they were, and hands over the last lines."""
        for tap in self._taps:
            tap.remove()
        self._closed.set()
        self.flush()

    def _write(self, stream: Stream, text: str) -> None:
        if os.getpid() == self._pid:  # a fork has no thread that would hand it over
            self._written.add(stream, text)

    def _run(self) -> None:
        while not self._closed.wait(self._every):
            self.flush()


def _standard_streams() -> list[tuple[Stream, TextIO]]:
    streams: list[tuple[Stream, TextIO]] = [("stdout", sys.stdout), ("stderr", sys.stderr)]
    return streams[:1] if sys.stderr is sys.stdout else streams


class _Tap:
    """The `write` of a stream, wrapped."""

    def __init__(self, stream: TextIO, see: Callable[[str], None]) -> None:
        self._stream = stream
        self._see: Callable[[str], None] | None = see
        own_write = stream.write

        def write(text: str, *args: Any, **kwargs: Any) -> Any:
            result = own_write(text, *args, **kwargs)
            see_now = self._see
            if see_now is not None:
                with contextlib.suppress(Exception):
                    see_now(text)
            return result

        self._write = write
        stream.write = write  # type: ignore[method-assign]

    @classmethod
    def on(cls, stream: TextIO | None, see: Callable[[str], None]) -> _Tap | None:
        """None where there is no such stream, or it does not let its `write` be replaced."""
        try:
            return cls(stream, see) if stream is not None else None
        except (AttributeError, TypeError):
            return None

    def remove(self) -> None:
        self._see = None
        with contextlib.suppress(Exception):
            if vars(self._stream).get("write") is self._write:  # else somebody has wrapped it since
                del self._stream.write


class _Written:
    """What was written and has not been looked at yet. Its bounds keep the newest."""

    def __init__(self) -> None:
        self._writes: deque[tuple[Stream, float, str]] = deque()
        self._length = 0
        self._lines = 0
        self._skipped = 0
        self._lock = threading.RLock()  # a signal handler may write while its thread does

    def add(self, stream: Stream, text: str) -> None:
        if not isinstance(text, str) or not text:
            return
        at = time.time() * 1000
        with self._lock:
            text = self._newest(text)
            self._writes.append((stream, at, text))
            self._length += len(text)
            self._lines += text.count("\n")
            while self._length > _MAX_PENDING or self._lines > _MAX_KEPT:
                _, _, oldest = self._writes.popleft()
                self._length -= len(oldest)
                self._lines -= oldest.count("\n")
                self._skipped += oldest.count("\n")

    def take(self) -> tuple[int, list[tuple[Stream, float, str]]]:
        """How many lines were left out before, and what was written since, oldest first."""
        with self._lock:
            taken = self._skipped, list(self._writes)
            self._writes.clear()
            self._length = self._lines = self._skipped = 0
        return taken

    def _newest(self, text: str) -> str:
        """The end of what was written at once, as much as may be kept."""
        kept = text[-_MAX_PENDING:]
        if kept.count("\n") > _MAX_KEPT:
            kept = kept.split("\n", kept.count("\n") - _MAX_KEPT)[-1]
        if len(kept) < len(text):
            self._skipped += text.count("\n", 0, len(text) - len(kept))
        return kept


@dataclass
class _Row:
    number: int
    stream: Stream
    time: float
    text: str = ""
    cut: int = 0


class _Cursor:
    """Where a stream writes next, among its last rows."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.at = 0
        self.at_start = False
        """Whether a carriage return has come, so that what comes next replaces the row."""


class _Screen:
    """Applies what is written to rows, as a terminal does where programs write over a line."""

    def __init__(self) -> None:
        self._next = 0
        self._cursors: dict[Stream, _Cursor] = {"stdout": _Cursor(), "stderr": _Cursor()}
        self._changed: OrderedDict[int, _Row] = OrderedDict()

    def skip(self, lines: int) -> None:
        """So many lines are never seen."""
        if lines > 0:
            self._next += lines
            self._cursors = {"stdout": _Cursor(), "stderr": _Cursor()}

    def write(self, stream: Stream, at: float, text: str) -> None:
        cursor = self._cursors[stream]
        for part in _MOVES.split(text):
            if part in ("\n", "\r\n"):
                self._row(cursor, stream, at)
                cursor.at += 1
                cursor.at_start = False
            elif part == "\r":
                cursor.at_start = True
            elif _MOVES.fullmatch(part):
                self._move(cursor, part)
            elif part:
                self._put(self._row(cursor, stream, at), part, cursor)

    def take(self) -> list[Line]:
        """Lines that are new or have changed, in order."""
        changed = sorted(self._changed.items())
        self._changed.clear()
        return [Line(number, row.time, row.stream, row.text, row.cut) for number, row in changed]

    def _row(self, cursor: _Cursor, stream: Stream, at: float) -> _Row:
        """The row that the cursor is in, from now on a changed one."""
        if cursor.at == len(cursor.rows):
            cursor.rows.append(_Row(self._next, stream, at))
            self._next += 1
        row = cursor.rows[cursor.at]
        row.time = at
        if len(cursor.rows) > _OPEN_ROWS:
            del cursor.rows[0]
            cursor.at -= 1
        self._changed[row.number] = row
        if len(self._changed) > _MAX_KEPT:
            self._changed.popitem(last=False)  # about the oldest
        return row

    @staticmethod
    def _put(row: _Row, text: str, cursor: _Cursor) -> None:
        if cursor.at_start:
            row.text, row.cut, cursor.at_start = "", 0, False
        kept = text[: MAX_LINE_LENGTH - len(row.text)]
        row.text += kept
        row.cut += len(text) - len(kept)

    @staticmethod
    def _move(cursor: _Cursor, sequence: str) -> None:
        parameter, kind = sequence[2:-1], sequence[-1]
        if kind == "K":  # erases the row
            cursor.at_start = cursor.at_start or parameter == "2"
            return
        rows = int(parameter or 1)
        cursor.at = max(0, cursor.at - rows) if kind == "A" else min(len(cursor.rows), cursor.at + rows)
