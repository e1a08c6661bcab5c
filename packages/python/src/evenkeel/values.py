"""Logged values, kept as they are at the moment of `log`, and read later as numbers.

A tensor on an accelerator is not waited for in the training loop: `freeze` queues a copy of it to pinned host memory on
the current stream, behind the work that computes it and ahead of whatever overwrites it, and records an event; the
background thread waits for that event. Detaching alone would not do: a loop often zeroes the tensor that it logged.
Everything else, CPU tensors and arrays included, is copied at once, since nothing has to be waited for. On devices
other than CUDA the copy waits for the device.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from evenkeel.wire.limits import MAX_LAYERS

# Types whose objects cannot change.
_PLAIN = frozenset((float, int, bool, str, bytes, type(None)))


class Unusable:
    """Stands for a value that no step can hold, such as an image."""


UNUSABLE = Unusable()


class PendingTensor:
    """A copy that an accelerator has yet to make."""

    def __init__(self, host: Any, event: Any) -> None:
        self._host = host
        self._event = event

    def read(self) -> Any:
        """The tensor's value, or a list of its values. Waits for the accelerator."""
        self._event.synchronize()
        return self._host.tolist()


def freeze(value: Any) -> Any:
    """What a value is now: later changes of a tensor, an array or a list do not show."""
    if type(value) in _PLAIN:
        return value
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _freeze_tensor(torch, value)
    if isinstance(value, Mapping):
        return {name: freeze(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [freeze(each) for each in value] if len(value) <= MAX_LAYERS else UNUSABLE
    if hasattr(value, "tolist"):  # arrays and scalars of numpy and its like
        return value.tolist() if getattr(value, "size", 1) <= MAX_LAYERS else UNUSABLE
    return value


def _freeze_tensor(torch: Any, value: Any) -> Any:
    tensor = _whole_tensor(value.detach())
    if tensor is None or tensor.numel() > MAX_LAYERS or tensor.is_sparse:
        return UNUSABLE
    if tensor.device.type != "cuda":
        return tensor.tolist()
    with torch.cuda.device(tensor.device):
        host = tensor.to("cpu", non_blocking=True)
        event = torch.cuda.Event()
        event.record()
    return PendingTensor(host, event)


def _whole_tensor(tensor: Any) -> Any:
    """A tensor; of a distributed one the local copy, where every rank has the whole. None for a part of one."""
    placements = getattr(tensor, "placements", None)
    if placements is None:
        return tensor
    return tensor.to_local() if all(placement.is_replicate() for placement in placements) else None


def read(value: Any) -> Any:
    """A frozen value as plain Python numbers; waits for an accelerator where there is one."""
    if not isinstance(value, PendingTensor):
        return value
    try:
        return value.read()
    except Exception:  # the accelerator has failed
        return UNUSABLE


def as_number(value: Any) -> float | None:
    """A value as a float: a number of any kind, or the one number of an array; None where it is none."""
    if type(value) is float:
        return value
    if isinstance(value, list) and len(value) == 1:
        return as_number(value[0])
    if isinstance(value, (str, bytes, list)) or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except Exception:
        return None


def as_count(value: Any, largest: int) -> int | None:
    """A value as a whole number from 0 to `largest`; None where it is none."""
    number = as_whole(value)
    return number if number is not None and 0 <= number <= largest else None


def as_whole(value: Any) -> int | None:
    """A value as a whole number, where it is exactly one."""
    if isinstance(value, int):
        return int(value)
    number = as_number(value)
    return int(number) if number is not None and number.is_integer() else None
