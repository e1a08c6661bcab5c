"""Sends what ended processes have left in a spool folder."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evenkeel.delivery.outbox import Flight
from evenkeel.delivery.sender import Events, Sender, origin_of
from evenkeel.delivery.spool_file import SpoolFile, StoredSpool, list_spool
from evenkeel.drops import DropCount
from evenkeel.warn import Warner
from evenkeel.wire import spool_record
from evenkeel.wire.ack import Dropped, Refusal
from evenkeel.wire.frame import Frame, read_frame
from evenkeel.wire.spool_record import SpoolReader

# Seconds without an acknowledgement before a file is kept for later.
STALL_TIMEOUT = 60.0
# Seconds between two looks at the progress.
_PROGRESS = 1.0
_READ_AHEAD = 1024 * 1024


@dataclass
class SyncedFile:
    """The outcome of a file of the spool."""

    path: Path
    run: str
    attempt: int | None
    """None where the trainer asked for `next` or `resume`, and no server has said yet which that is."""
    status: str = "sent"
    """`sent`: the server has all of it, and the file is gone. `held`: a living process writes or sends it. `kept`: it
    could not be sent, wholly or in part; it may be tried again."""
    reason: str | None = None
    """Why it is kept."""
    steps: int = 0
    """Steps that the server acknowledged."""
    lost: int = 0
    """Steps that damage to the file has cost, as far as is known."""
    refused: int = 0
    """Steps that the server refused for good."""
    dropped: list[Dropped] = field(default_factory=list)
    """Values that the server left out."""

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "path": str(self.path), "dropped": [each.to_wire() for each in self.dropped]}


def sync_spool(folder: Path, server: str, handshake: Mapping[str, Any]) -> Iterator[SyncedFile]:
    """Sends the files of a folder, one after another, and yields the outcome of each."""
    for stored in list_spool(folder):
        if stored.is_held:
            name = stored.name
            yield SyncedFile(stored.path, name.run, name.attempt or None, status="held")
            continue
        synced = send_file(folder, stored, server, handshake, stall_timeout=STALL_TIMEOUT)
        if synced:
            yield synced


def send_left_behind(
    stored: list[StoredSpool], folder: Path, server: str, handshake: Mapping[str, Any], warn: Warner
) -> None:
    """Sends files that earlier processes have left for this server, however long it is away. Never raises."""
    for each in stored:
        synced = send_file(folder, each, server, handshake, stall_timeout=None)
        if synced and synced.status == "kept":
            warn(f"an earlier process has left steps in {synced.path}, which stay there: {synced.reason}")
        if synced and synced.lost > 0:
            warn(f"steps that an earlier process has left were damaged: {synced.lost} are lost")


def find_left_behind(folder: Path | None, server: str, warn: Warner) -> list[StoredSpool]:
    """The files in a folder that nobody holds and that are for this server."""
    if folder is None:
        return []
    try:
        free = [stored for stored in list_spool(folder) if not stored.is_held]
        return [stored for stored in free if _server_of(stored.path) == origin_of(server)]
    except OSError as error:
        warn(f"the spool cannot be read: {error}", "spool")
        return []


def _server_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            about = _parse_start(SpoolReader(file).next())
            return str(about["server"]) if about else None
    except (OSError, ValueError):
        return None  # it is gone, or cannot be read


def _parse_start(record: spool_record.Record | None) -> dict[str, Any] | None:
    if record is None or record.type != spool_record.START:
        return None
    about = json.loads(record.payload)
    is_whole = isinstance(about, dict) and isinstance(about.get("server"), str) and isinstance(about.get("start"), dict)
    return about if is_whole and "run" in about["start"] and "attempt" in about["start"] else None


def send_file(
    folder: Path, stored: StoredSpool, server: str, handshake: Mapping[str, Any], stall_timeout: float | None
) -> SyncedFile | None:
    """Sends a file that nobody holds, and deletes it once the server has acknowledged all of it. Never raises.

    `stall_timeout` are the seconds without a single acknowledged step before it is kept; None to wait however long the
    server is away. Returns None where another process has taken the file meanwhile.
    """
    sent = SyncedFile(stored.path, stored.name.run, stored.name.attempt or None)
    file: SpoolFile | None = None
    try:
        file = SpoolFile.claim(folder, stored)
        if file is None:
            return None
        _send_claimed(file, sent, server, handshake, stall_timeout)
        file.discard()
    except Exception as error:
        sent.status, sent.reason = "kept", str(error)
        if file:
            sent.path = _release(file)
    return sent


def _release(file: SpoolFile) -> Path:
    try:
        return file.release()
    except OSError:
        return file.path  # nobody holds it once this process has ended


def _send_claimed(
    file: SpoolFile, sent: SyncedFile, server: str, handshake: Mapping[str, Any], stall_timeout: float | None
) -> None:
    """Raises where the server has not taken all of the file."""
    reader = file.read()
    about = _parse_start(reader.next())
    if about is None:
        raise ValueError("its first record, which says of what run it is, is damaged")
    rest = _scan(file)
    source = _SpoolSource(reader)
    drops = DropCount()
    watch = _Watch(sent, stall_timeout)
    sender = Sender(
        server=server,
        handshake=handshake,
        start=about["start"],
        source=source,
        own_drops=rest.dropped,
        drops=drops,
        warn=_Silent(),
        events=watch.events(),
    )
    sender.finish(rest.end)
    thread = threading.Thread(target=sender.run, name="evenkeel-sync", daemon=True)
    thread.start()
    try:
        watch.wait(sender, file)
    finally:
        sender.close()
        thread.join()
        sent.lost, sent.refused, sent.dropped = reader.lost, source.refused, drops.values()


class _Silent(Warner):
    """What goes wrong is in the outcome of the file."""

    def __call__(self, message: str, kind: str | None = None) -> None:
        pass


class _Watch:
    """Waits until a file is sent, or cannot be."""

    def __init__(self, sent: SyncedFile, stall_timeout: float | None) -> None:
        self._sent = sent
        self._stall_timeout = stall_timeout
        self._trouble: list[str] = []
        self._progress_at = time.monotonic()

    def events(self) -> Events:
        return Events(
            on_command=lambda _: _NO_COMMANDS.to_wire(),
            on_opened=lambda answer: setattr(self._sent, "attempt", answer.attempt or self._sent.attempt),
            on_refused=lambda reason: self._trouble.append(f"the server refuses this run: {reason}"),
            on_away=self._on_away,
            on_stored=self._on_stored,
        )

    def wait(self, sender: Sender, file: SpoolFile) -> None:
        while not sender.done.wait(_PROGRESS) and not self._trouble:
            file.keep_held()
            if self._stall_timeout is not None and time.monotonic() - self._progress_at >= self._stall_timeout:
                raise TimeoutError(f"the server has acknowledged no step for {self._stall_timeout:g} s")
        if self._trouble:
            raise ConnectionError(self._trouble[0])
        if not sender.is_delivered:
            raise ConnectionError("the server has not taken the end of the run")

    def _on_away(self, reason: str, is_reachable: bool) -> None:
        if is_reachable or self._stall_timeout is not None:
            self._trouble.append(reason)

    def _on_stored(self, steps: int) -> None:
        self._sent.steps += steps
        self._progress_at = time.monotonic()


# The process that logged these steps has ended.
_NO_COMMANDS = Refusal("this client only delivers what a trainer has left", "run", retry=True)


@dataclass
class _Rest:
    """The records beside steps: the end of the run, if there is one, and the values that were left out."""

    end: dict[str, Any] | None
    dropped: DropCount


def _scan(file: SpoolFile) -> _Rest:
    rest = _Rest(None, DropCount())
    reader = file.read()
    while (record := reader.next()) is not None:
        if record.type == spool_record.FINISH:
            rest.end = json.loads(record.payload)
        if record.type == spool_record.DROPPED:
            rest.dropped = DropCount()
            for each in json.loads(record.payload):
                rest.dropped.add(each["field"], each["reason"], each["count"])
    return rest


class _SpoolSource:
    """The steps of a file, read as they are sent."""

    def __init__(self, reader: SpoolReader) -> None:
        self._reader = reader
        self._head: deque[Frame] = deque()
        self._flight = Flight()
        self.refused = 0

    def next_batch(self, max_bytes: int) -> Frame | None:
        if not self._head:
            self._read_ahead()
        return self._flight.batch(self._head, max_bytes)

    def acknowledge(self) -> None:
        for _ in range(self._flight.land()):
            self._head.popleft()

    def refuse(self) -> None:
        self.refused += sum(frame.count for frame in list(self._head)[: self._flight.length])
        self.acknowledge()

    def recall(self) -> None:
        self._flight.land()

    def _read_ahead(self) -> None:
        size = 0
        while size < _READ_AHEAD and (record := self._reader.next()) is not None:
            if record.type == spool_record.STEPS:
                self._head.append(read_frame(record.payload))
                size += len(record.payload)
