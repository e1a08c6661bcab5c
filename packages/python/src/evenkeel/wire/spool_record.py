"""The records of a spool file: the same as those of `packages/emit/src/spool-record.ts`.

A spool file is a row of records, each

    u32 magic, u8 type, u32 length of the payload, u32 steps in it, f64 steps in the file before it, u32 CRC-32, payload

in little-endian order. The checksum is of what stands between the magic and itself, and of the payload. A file begins
with the record of its run's start.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from evenkeel.wire.limits import MAX_FRAME_BYTES

_MAGIC = b"EKSR"
_HEADER = struct.Struct("<BIId")
_CRC_AT = len(_MAGIC) + _HEADER.size
HEADER_BYTES = _CRC_AT + 4

START, STEPS, FINISH, DROPPED = 1, 2, 3, 4
_TYPES = (START, STEPS, FINISH, DROPPED)

# How much is looked through at once for the next record behind damage.
_SCAN_BYTES = 64 * 1024


@dataclass(frozen=True)
class Record:
    """One record. The payload of `STEPS` is a frame, of the others JSON."""

    type: int
    payload: bytes
    count: int = 0
    """Steps in it."""
    before: int = 0
    """Steps in the file before it."""

    def encode(self) -> bytes:
        fields = _HEADER.pack(self.type, len(self.payload), self.count, self.before)
        return _MAGIC + fields + struct.pack("<I", _checksum(fields, self.payload)) + self.payload


def _checksum(fields: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(fields))


class SpoolReader:
    """Reads the records of a file, one at a time.

    What cannot be read is passed over: the torn last record of a process that was killed, and damage in the middle,
    behind which the next whole record is looked for.
    """

    def __init__(self, file: BinaryIO, position: int = 0, known: int = 0) -> None:
        """`position` is where a record begins, before which there are `known` steps."""
        self._file = file
        self.position = position
        self._known = known
        self.lost = 0
        """Steps that damage has cost; those of damaged records at the end of the file are not known."""

    def next(self) -> Record | None:
        """The next whole record; None at the end."""
        record = self._read_at(self.position) or self._read_behind_damage()
        if record is None:
            return None
        self.position += HEADER_BYTES + len(record.payload)
        self.lost += max(0, record.before - self._known)
        self._known = record.before + record.count
        return record

    def _read_behind_damage(self) -> Record | None:
        at = self._find_magic(self.position + 1)
        while at is not None:
            record = self._read_at(at)
            if record:
                self.position = at
                return record
            at = self._find_magic(at + 1)
        return None

    def _read_at(self, at: int) -> Record | None:
        header = self._bytes(at, HEADER_BYTES)
        if len(header) < HEADER_BYTES or not header.startswith(_MAGIC):
            return None
        fields = header[len(_MAGIC) : _CRC_AT]
        type_, length, count, before = _HEADER.unpack(fields)
        if type_ not in _TYPES or length > MAX_FRAME_BYTES:
            return None
        payload = self._bytes(at + HEADER_BYTES, length)
        (crc,) = struct.unpack_from("<I", header, _CRC_AT)
        if len(payload) < length or _checksum(fields, payload) != crc:
            return None
        return Record(type_, payload, count, int(before))

    def _find_magic(self, start: int) -> int | None:
        at = start
        while True:
            data = self._bytes(at, _SCAN_BYTES + len(_MAGIC) - 1)
            found = data.find(_MAGIC)
            if found >= 0:
                return at + found
            if len(data) < _SCAN_BYTES:
                return None
            at += _SCAN_BYTES

    def _bytes(self, at: int, length: int) -> bytes:
        self._file.seek(at)
        return self._file.read(length)
