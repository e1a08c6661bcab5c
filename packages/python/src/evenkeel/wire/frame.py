"""Step batches in their binary form, version 2; specified in `packages/protocol/README.md`, section "A step batch"."""

from __future__ import annotations

import math
import struct
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Step = dict[str, Any]
"""A step event in the names of the protocol: `step`, `time`, and of floats, arrays and `custom` those present."""

_MAGIC = b"EKSB"
_VERSION = 2
_COUNT_AT = 6
_ATTEMPT_AT = 24
_NAME_COUNT_AT = 28
_NAMES_AT = 30

# Each with its presence bit, in the order in which they are written. A bit is a field's own forever.
SCALARS = {
    "loss": 0,
    "tevMean": 1,
    "tevStd": 2,
    "gradVar": 3,
    "gradNorm": 4,
    "lr": 5,
    "tokens": 6,
    "lrAhead": 11,
    "updateShare": 12,
    "updateRms": 13,
    "attentionLogitMax": 14,
}
ARRAYS = {"tevQuantiles": 7, "layerGradVar": 8, "layerOutVar": 9}
_CUSTOM_BIT = 10


@dataclass(frozen=True)
class Frame:
    """A batch of steps as it goes over the wire and into a spool file."""

    data: bytes
    count: int
    """Steps in it."""

    def of_attempt(self, attempt: int) -> bytes:
        """The frame's bytes under an attempt's number, which the server says where it counts."""
        return self.data[:_ATTEMPT_AT] + struct.pack("<I", attempt) + self.data[_NAME_COUNT_AT:]


def encode_frame(run: str, attempt: int, steps: Sequence[Step]) -> Frame:
    """Writes a batch of 1 to 4,096 steps. Values of arrays are rounded to float32, all others are exact."""
    names = {name: at for at, name in enumerate(dict.fromkeys(_names_of(steps)))}
    parts = [_MAGIC, struct.pack("<HH", _VERSION, len(steps)), uuid.UUID(run).bytes]
    parts.append(struct.pack("<IH", attempt, len(names)))
    for name in names:
        utf8 = name.encode()
        parts += struct.pack("<H", len(utf8)), utf8
    for step in steps:
        _encode_step(step, names, parts)
    return Frame(b"".join(parts), len(steps))


def _names_of(steps: Sequence[Step]) -> Iterable[str]:
    for step in steps:
        yield from step.get("custom", ())


def _encode_step(step: Step, names: dict[str, int], parts: list[bytes]) -> None:
    presence = 0
    values = []
    for field, bit in SCALARS.items():
        if field in step:
            presence |= 1 << bit
            values.append(step[field])
    arrays = [field for field in ARRAYS if field in step]
    for field in arrays:
        presence |= 1 << ARRAYS[field]
    custom = step.get("custom")
    if custom is not None:
        presence |= 1 << _CUSTOM_BIT
    parts.append(struct.pack(f"<ddI{len(values)}d", step["step"], step["time"], presence, *values))
    for field in arrays:
        parts.append(_encode_array(step[field]))
    if custom is not None:
        parts.append(struct.pack("<H", len(custom)))
        parts += [struct.pack("<Hd", names[name], value) for name, value in custom.items()]


def _encode_array(values: Sequence[float]) -> bytes:
    try:
        return struct.pack(f"<H{len(values)}f", len(values), *values)
    except OverflowError:  # beyond what float32 holds: infinite
        return struct.pack("<H", len(values)) + b"".join(map(_float32, values))


def _float32(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", math.copysign(math.inf, value))


def read_frame(data: bytes) -> Frame:
    """A frame that `encode_frame` wrote, as it is in a spool file."""
    if data[:4] != _MAGIC or len(data) < _NAMES_AT:
        raise ValueError("not a step batch")
    (version,) = struct.unpack_from("<H", data, 4)
    if version != _VERSION:
        raise ValueError(f"batch of codec version {version}, this side writes {_VERSION}")
    return Frame(data, struct.unpack_from("<H", data, _COUNT_AT)[0])


def join_frames(frames: Sequence[Frame]) -> Frame:
    """Frames of one run and attempt with the same names as one, their steps in order."""
    if len(frames) == 1:
        return frames[0]
    first = frames[0].data
    count = sum(frame.count for frame in frames)
    header = first[:_COUNT_AT] + struct.pack("<H", count) + first[_COUNT_AT + 2 : len(names_of(frames[0])) + _NAMES_AT]
    return Frame(header + b"".join(frame.data[len(names_of(frame)) + _NAMES_AT :] for frame in frames), count)


def names_of(frame: Frame) -> bytes:
    """The names of custom scalars that stand at the head of a frame: equal where frames can be joined."""
    data = frame.data
    (names,) = struct.unpack_from("<H", data, _NAME_COUNT_AT)
    end = _NAMES_AT
    for _ in range(names):
        end += 2 + struct.unpack_from("<H", data, end)[0]
    return data[_NAMES_AT:end]
