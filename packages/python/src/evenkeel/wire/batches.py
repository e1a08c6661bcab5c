"""Steps cut into frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from evenkeel.wire.frame import ARRAYS, SCALARS, Frame, Step, encode_frame
from evenkeel.wire.limits import MAX_BATCH_STEPS

MAX_BATCH_BYTES = 1024 * 1024 - 1024
"""Of the steps in a frame, which so stays below 1 MiB, its header included."""

FRAME_BYTES = 64 * 1024
"""Of the steps of a frame before frames are joined: what damage to one byte of a spool can cost."""

# Of a step that carries nothing but its number, its time and which fields it has.
_EMPTY_BYTES = 20


def frames_of(run: str, attempt: int, steps: Sequence[Step]) -> Iterator[Frame]:
    """The steps as frames, in order. One too large for any frame becomes several reports of it, which merge."""
    batch: list[Step] = []
    names: set[str] = set()
    size = 0
    for step in itertools.chain.from_iterable(map(_split, steps)):
        size += _wire_bytes(step, names)
        if batch and (size > FRAME_BYTES or len(batch) == MAX_BATCH_STEPS):
            yield encode_frame(run, attempt, batch)
            batch, names = [], set()
            size = _wire_bytes(step, names)
        batch.append(step)
    if batch:
        yield encode_frame(run, attempt, batch)


def _wire_bytes(step: Step, names: set[str]) -> int:
    """The bytes that a step adds to a frame with so many `names`, which gain those of the step."""
    size = _bytes_without_custom(step)
    for name in step.get("custom", ()):
        size += 10 if name in names else _scalar_bytes(name)
        names.add(name)
    return size


def _bytes_without_custom(step: Step) -> int:
    scalars = sum(8 for field in SCALARS if field in step)
    return _EMPTY_BYTES + 2 + scalars + sum(2 + 4 * len(step[field]) for field in ARRAYS if field in step)


def _scalar_bytes(name: str) -> int:
    """Of a custom scalar whose name the frame does not have yet."""
    return 12 + len(name.encode())


def _split(step: Step) -> Iterator[Step]:
    custom = step.get("custom")
    if not custom or sum(12 + 4 * len(name) for name in custom) <= MAX_BATCH_BYTES // 2:
        yield step
        return
    part: dict[str, float] = {}
    current = {**step, "custom": part}
    size = _bytes_without_custom(step)
    for name, value in custom.items():
        if size + _scalar_bytes(name) > MAX_BATCH_BYTES:
            yield current
            part = {}
            current = {"step": step["step"], "time": step["time"], "custom": part}
            size = _EMPTY_BYTES + 2
        size += _scalar_bytes(name)
        part[name] = value
    yield current
