"""What the server has not acknowledged yet."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable, Protocol

from evenkeel.delivery.spool_file import SpoolFile, spool_bytes
from evenkeel.drops import DropCount
from evenkeel.warn import Warner
from evenkeel.wire import spool_record
from evenkeel.wire.frame import Frame, join_frames, names_of, read_frame
from evenkeel.wire.limits import MAX_BATCH_STEPS
from evenkeel.wire.spool_record import SpoolReader

# Bytes of frames that wait in memory, while they cannot wait in a file.
MAX_MEMORY = 256 * 1024 * 1024
# Bytes of all files in the folder of the spool.
MAX_SPOOL = 1024**3
# Bytes that are read back from the file at a time.
_READ_AHEAD = 1024 * 1024
# Seconds before a file that could not be written is tried again.
_RETRY_PAUSE = 5.0


class Source(Protocol):
    """Where the sender takes batches from."""

    def next_batch(self, max_bytes: int) -> Frame | None:
        """The batch in flight, or else the next, which is in flight from now on; None where none waits."""

    def acknowledge(self) -> None:
        """The server has stored the batch in flight."""

    def refuse(self) -> None:
        """The server will never take the batch in flight."""

    def recall(self) -> None:
        """The batch in flight did not arrive: it may be cut differently."""


class Flight:
    """The frames at the head of a queue that are in flight as one batch."""

    def __init__(self) -> None:
        self._frames: list[Frame] = []
        self._joined: Frame | None = None

    @property
    def length(self) -> int:
        return len(self._frames)

    def batch(self, head: Iterable[Frame], max_bytes: int) -> Frame | None:
        """The batch in flight, or else as many frames from the head as can be joined."""
        if self._joined is None:
            self._frames = _joinable(head, max_bytes)
            self._joined = join_frames(self._frames) if self._frames else None
        return self._joined

    def land(self) -> int:
        """Ends the flight; returns how many frames it had."""
        landed = len(self._frames)
        self._frames, self._joined = [], None
        return landed


def _joinable(head: Iterable[Frame], max_bytes: int) -> list[Frame]:
    frames: list[Frame] = []
    steps = size = 0
    for frame in head:
        steps += frame.count
        size += len(frame.data)
        if frames and (size > max_bytes or steps > MAX_BATCH_STEPS or names_of(frame) != names_of(frames[0])):
            break
        frames.append(frame)
    return frames


class Outbox:
    """The frames of a run that the server has not acknowledged, oldest first.

    They wait in memory while the server answers. From when it is away they are in a spool file, so that they survive
    the process, and only what is about to be sent is read back. What the file has no room for waits in memory behind
    it. No method raises.
    """

    def __init__(
        self, *, folder: Path | None, describe: Callable[[], dict[str, Any]], drops: DropCount, warn: Warner
    ) -> None:
        """`describe` gives the first record of a file: the server, and the run's start. No `folder`: no file."""
        self._folder = folder
        self._describe = describe
        self._drops = drops
        self._warn = warn
        self._lock = threading.RLock()
        self._flight = Flight()
        self._head: deque[Frame] = deque()  # the oldest frames; also in the file, if there is one
        self._file: SpoolFile | None = None
        self._reader: SpoolReader | None = None  # behind what is in the head
        self._unread = 0  # steps in the file that are not in the head
        self._tail: deque[Frame] = deque()  # the newest frames, which are not in the file
        self._bytes = 0  # of head and tail
        self._described: dict[str, Any] = {}  # the first record of the file
        self._room = 0
        self._written_drops = 0
        self._retry_at = 0.0
        self._is_closed = False
        self.lost = 0
        """Steps given up so far: dropped because there was no room, or refused by the server."""
        self.progress_at = time.monotonic()
        """When the server has answered last, or the first of the pending steps came."""

    @property
    def pending(self) -> int:
        """Steps that are not acknowledged."""
        with self._lock:
            return self._unread + sum(frame.count for frame in (*self._head, *self._tail))

    @property
    def is_empty(self) -> bool:
        with self._lock:
            return not (self._head or self._tail or self._unread)

    def add(self, frames: Iterable[Frame]) -> None:
        with self._lock:
            if self._is_closed:
                return
            for frame in frames:
                if self.is_empty:
                    self.progress_at = time.monotonic()
                self._put(frame)
            self._attempt(self._flush)
            self._drop_overflow()

    def spool(self) -> None:
        """The server is away: from now on what is pending is in a file, until all of it is acknowledged."""
        with self._lock:
            if not self.is_empty and not self._is_closed:
                self._attempt(self._open)

    def keep_held(self) -> None:
        with self._lock:
            if self._file:
                self._attempt(self._file.keep_held)

    def next_batch(self, max_bytes: int) -> Frame | None:
        with self._lock:
            if not self._head:
                self._refill()
            return self._flight.batch(self._head, max_bytes)

    def acknowledge(self) -> None:
        with self._lock:
            self.progress_at = time.monotonic()
            self._land()
            if self.is_empty:
                self._discard()

    def refuse(self) -> None:
        with self._lock:
            self.lost += sum(frame.count for frame in list(self._head)[: self._flight.length])
            self.acknowledge()

    def recall(self) -> None:
        with self._lock:
            self._flight.land()

    def refuse_all(self) -> None:
        """The server will never take any step of this run."""
        with self._lock:
            self.lost += self.pending
            self._head.clear()
            self._tail.clear()
            self._unread = 0
            self._discard()
            self._is_closed = True

    def close(self, end: dict[str, Any] | None, *, is_delivered: bool) -> Path | None:
        """The run is over in this process.

        Where the server does not have everything, all that is pending is written to the file, and how the run ends.
        Returns the file that holds what the server does not have; None where there is none.
        """
        with self._lock:
            kept: list[Path] = []
            if not self._is_closed and not is_delivered:
                self._retry_at = 0.0
                self._attempt(lambda: kept.extend(self._leave(end)))
            elif not self._is_closed:
                self._discard()
            self._is_closed = True
            return kept[0] if kept else None

    def _leave(self, end: dict[str, Any] | None) -> list[Path]:
        self._open()
        if self._file is None:
            return []
        self._attempt(self._flush)  # what could not be written before
        if self._described != self._describe():  # it has changed since
            self._file = self._file.restart(self._describe())
        file, self._file = self._file, None
        try:
            if self._drops.total > 0:
                file.append_json(spool_record.DROPPED, [each.to_wire() for each in self._drops.values()])
            if end:
                file.append_json(spool_record.FINISH, end)
        except OSError as error:  # the steps are in the file all the same
            self._warn(f"the end of the run cannot be written to the spool: {error}", "spool write")
        return [file.release()]

    def _put(self, frame: Frame) -> None:
        is_behind_file = self._file is not None or self._tail
        (self._tail if is_behind_file else self._head).append(frame)
        self._bytes += len(frame.data)

    def _open(self) -> None:
        """Begins a file with all that is pending, where there is none."""
        if self._file or self._folder is None:
            return
        room = MAX_SPOOL - spool_bytes(self._folder)
        description = self._describe()
        file = SpoolFile.create(self._folder, description["start"]["run"], _counted(description["start"]))
        try:
            file.append_json(spool_record.START, description)
            for frame in self._head:
                file.append(spool_record.STEPS, frame.data, frame.count)
        except OSError:
            file.discard()
            raise
        self._file, self._described, self._room, self._written_drops = file, description, room, 0
        self._reader = file.read(file.size, file.steps)
        self._flush()

    def _flush(self) -> None:
        """Writes what waits behind the file, as far as there is room."""
        if self._file is None or time.monotonic() < self._retry_at:
            return
        while self._tail and self._has_room(self._file, len(self._tail[0].data)):
            frame = self._tail[0]
            self._file.append(spool_record.STEPS, frame.data, frame.count)
            self._tail.popleft()
            self._bytes -= len(frame.data)
            self._unread += frame.count
        if self._drops.total >= 2 * self._written_drops and self._drops.total > 0:  # so that few of them fill no file
            self._written_drops = self._drops.total
            self._file.append_json(spool_record.DROPPED, [each.to_wire() for each in self._drops.values()])

    def _has_room(self, file: SpoolFile, size: int) -> bool:
        if file.size + size <= self._room:
            return True
        what = f"the spool is full ({MAX_SPOOL // 1024**2} MiB): further steps would not survive this process"
        self._warn(what, "spool full")
        return False

    def _refill(self) -> None:
        """Takes the next frames back from the file, or else from behind it."""
        if self._unread > 0:
            self._read_back()
        if not self._head and self._unread == 0 and self._tail:
            self._discard()  # all of it is acknowledged
            self._head, self._tail = self._tail, self._head

    def _read_back(self) -> None:
        assert self._reader
        try:
            size = 0
            while self._unread > 0 and size < _READ_AHEAD:
                lost = self._reader.lost
                record = self._reader.next()
                if record is None:
                    raise ValueError("its end is damaged")
                gone = self._reader.lost - lost
                self.lost += gone
                self._unread -= record.count + gone
                if record.type == spool_record.STEPS:
                    self._head.append(read_frame(record.payload))
                    self._bytes += len(record.payload)
                    size += len(record.payload)
        except (OSError, ValueError) as error:
            self._warn(f"{self._unread} steps cannot be read back from the spool: {error}", "spool read")
            self.lost += self._unread
            self._unread = 0

    def _drop_overflow(self) -> None:
        while self._bytes > MAX_MEMORY:
            if self._tail:
                frame = self._tail.popleft()
            elif len(self._head) > self._flight.length:
                frame = self._head[self._flight.length]
                del self._head[self._flight.length]
            else:
                return
            self._bytes -= len(frame.data)
            self.lost += frame.count
            self._warn("the buffer is full: steps are dropped")

    def _land(self) -> None:
        for _ in range(self._flight.land()):
            self._bytes -= len(self._head.popleft().data)

    def _discard(self) -> None:
        file, self._file, self._reader = self._file, None, None
        if file:
            self._attempt(file.discard)

    def _attempt(self, act: Callable[[], None]) -> None:
        if time.monotonic() < self._retry_at:
            return
        try:
            act()
        except (OSError, ValueError) as error:
            self._retry_at = time.monotonic() + _RETRY_PAUSE
            self._warn(f"what is pending cannot be written to the spool: {error}", "spool write")


def _counted(start: dict[str, Any]) -> int:
    """The number of the attempt for a file's name; 0 where the server says which it is."""
    attempt = start["attempt"]
    return attempt if isinstance(attempt, int) else 0
