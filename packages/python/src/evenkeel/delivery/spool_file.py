"""Spool files in a folder: the same names, holders and records as those of `packages/emit/src/spool-file.ts`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from evenkeel.wire import spool_record
from evenkeel.wire.limits import MAX_ATTEMPT
from evenkeel.wire.spool_record import Record, SpoolReader

_NAME = re.compile(r"([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})-(\d+)-(\d+)-(\d+)-([\da-f]+)@(.+)\.spool", re.ASCII)
_HOST = re.sub(r"[^\w.-]", "_", socket.gethostname(), flags=re.ASCII) or "localhost"

# A holder on another host shows that it lives by touching its file this often, in seconds.
_TOUCH_INTERVAL = 30.0
# The age, in seconds since it was touched, from which on a file of another host counts as left by its holder.
_ABANDONED_AFTER = 10 * _TOUCH_INTERVAL


@dataclass(frozen=True)
class SpoolName:
    """What the name of a spool file says."""

    run: str
    attempt: int
    """0 where the server says which it is."""
    pid: int
    """Of the process that holds the file; 0 is nobody."""
    started: int
    """When the holder was started, in ticks since its system was; 0 where that is not known."""
    random: str
    host: str

    def __str__(self) -> str:
        return f"{self.run}-{self.attempt}-{self.pid}-{self.started}-{self.random}@{self.host}.spool"

    def held_here(self) -> SpoolName:
        """The same, held by this process."""
        return replace(self, pid=os.getpid(), started=_start_of(os.getpid()) or 0, host=_HOST)

    def free(self) -> SpoolName:
        """The same, held by nobody."""
        return replace(self, pid=0, started=0, host=_HOST)


def _parse_name(name: str) -> SpoolName | None:
    match = _NAME.fullmatch(name)
    if not match:
        return None
    run, attempt, pid, started, random, host = match.groups()
    return SpoolName(run, int(attempt), int(pid), int(started), random, host)


def _start_of(pid: int) -> int | None:
    """When a process was started, so that another one that got its number is not taken for it; None but on Linux."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
        return int(stat[stat.rindex(")") + 2 :].split(" ")[19])  # the name before may have anything in it
    except (OSError, ValueError, IndexError):
        return None


def _is_alive(name: SpoolName) -> bool:
    try:
        _signal_nothing(name.pid)
    except PermissionError:
        pass  # a process of somebody else lives too
    except OSError:
        return False
    return name.started == 0 or (_start_of(name.pid) or name.started) == name.started


def _signal_nothing(pid: int) -> None:
    """Raises an OSError where there is no such process."""
    if sys.platform == "win32":  # there os.kill would end it
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)
        if not handle:
            raise OSError
        ctypes.windll.kernel32.CloseHandle(handle)
    else:
        os.kill(pid, 0)


@dataclass(frozen=True)
class StoredSpool:
    """A spool file in a folder."""

    path: Path
    name: SpoolName
    is_held: bool
    """Whether a living process writes or sends it."""


def spool_bytes(folder: Path) -> int:
    """Bytes of the spool files of a folder."""
    total = 0
    for path in _files(folder):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def list_spool(folder: Path) -> list[StoredSpool]:
    """The spool files of a folder in the order in which to send them; none where there is no such folder."""
    stored = []
    for path in _files(folder):
        name = _parse_name(path.name)
        if name and _is_own(path):
            stored.append(StoredSpool(path, name, _is_held(path, name)))
    # by run and attempt; those that the server counts come last, in the order in which they were begun
    return sorted(stored, key=lambda each: (each.name.run, each.name.attempt or MAX_ATTEMPT + 1, each.name.random))


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if _parse_name(path.name)]
    except FileNotFoundError:
        return []


def _is_own(path: Path) -> bool:
    """Whether it is a file of this user: what somebody else left in a shared folder is not sent in this one's name."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    is_file = (found.st_mode & 0o170000) == 0o100000
    return is_file and (sys.platform == "win32" or found.st_uid == os.getuid())


def _is_held(path: Path, name: SpoolName) -> bool:
    if name.pid == 0:
        return False
    if name.host == _HOST:
        return _is_alive(name)
    try:
        return time.time() - path.stat().st_mtime < _ABANDONED_AFTER
    except FileNotFoundError:
        return True  # it is gone, since another process was faster


class SpoolFile:
    """A spool file that this process holds. Every method raises what the file system raises."""

    def __init__(self, folder: Path, name: SpoolName, file: BinaryIO) -> None:
        self._folder = folder
        self._name = name
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self.steps = 0
        """Steps that were appended."""
        self._touched_at = time.monotonic()

    @staticmethod
    def create(folder: Path, run: str, attempt: int) -> SpoolFile:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        random = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}"  # the later made, the greater
        name = SpoolName(run, attempt, 0, 0, random, _HOST).held_here()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        fd = os.open(folder / str(name), flags, 0o600)  # a config may hold what is not for everybody
        return SpoolFile(folder, name, os.fdopen(fd, "r+b", buffering=0))

    @staticmethod
    def claim(folder: Path, stored: StoredSpool) -> SpoolFile | None:
        """Takes a file that nobody holds; None where another process was faster: renaming only one of two can do."""
        mine = stored.name.held_here()
        try:
            stored.path.rename(folder / str(mine))
        except FileNotFoundError:
            return None
        try:
            flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            file = SpoolFile(folder, mine, os.fdopen(os.open(folder / str(mine), flags), "r+b", buffering=0))
            file._touch()
            return file
        except OSError:
            (folder / str(mine)).rename(folder / str(stored.name.free()))
            raise

    @property
    def path(self) -> Path:
        return self._folder / str(self._name)

    def append(self, type_: int, payload: bytes, count: int = 0) -> None:
        record = Record(type_, payload, count, self.steps).encode()
        written = 0
        try:
            self._file.seek(self.size)
            written = self._file.write(record)
        finally:
            if written < len(record):
                self._file.truncate(self.size)  # no torn record in the middle
        if written < len(record):
            raise OSError(f"only {written} of {len(record)} bytes could be written")
        self.size += len(record)
        self.steps += count
        self._touched_at = time.monotonic()

    def append_json(self, type_: int, value: Any) -> None:
        self.append(type_, json.dumps(value, allow_nan=False).encode())

    def read(self, position: int = 0, known: int = 0) -> SpoolReader:
        """A reader from where a record begins, before which there are `known` steps."""
        return SpoolReader(self._file, position, known)

    def keep_held(self) -> None:
        """Shows other hosts that this process lives, where that has not been seen for a while."""
        if time.monotonic() - self._touched_at > _TOUCH_INTERVAL:
            self._touch()

    def _touch(self) -> None:
        self._touched_at = time.monotonic()
        os.utime(self.path)

    def discard(self) -> None:
        """Deletes the file: the server has all of it."""
        self._file.close()
        self.path.unlink()

    def release(self) -> Path:
        """Leaves the file to whoever sends it next, and returns where it is."""
        self._file.close()
        former = self.path
        self._name = self._name.free()
        former.rename(self.path)
        return self.path

    def restart(self, start: dict[str, Any]) -> SpoolFile:
        """The same steps in a new file that begins with another start; this one is deleted."""
        fresh = SpoolFile.create(self._folder, self._name.run, self._name.attempt)
        fresh.append_json(spool_record.START, start)
        reader = self.read()
        reader.next()
        while (record := reader.next()) is not None:
            fresh.append(record.type, record.payload, record.count)
        self.discard()
        return fresh
