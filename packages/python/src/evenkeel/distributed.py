"""Which of the processes of a distributed job this is."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_HANDSHAKE_SECONDS = 60.0


def agree(wish: bool) -> bool:
    """Whether any process of the job wishes; each has to ask at the same place. In a job of one process: `wish`."""
    if not _is_grouped():
        return wish
    from evenkeel.torch import distributed

    return bool(distributed.agree(wish))


def of_first(value: T) -> T:
    """What the first process of the job gives; each has to ask at the same place. In a job of one process: `value`."""
    if not _is_grouped():
        return value
    given = [value]
    sys.modules["torch"].distributed.broadcast_object_list(given, src=0)
    return given[0]


def all_take_part(key: str) -> bool:
    """Whether every process of the job asks this with the same key, within a minute."""
    if not _is_grouped():
        return True
    from evenkeel.torch import distributed

    return bool(distributed.all_ranks_announce(key, _HANDSHAKE_SECONDS))


def totals(values: Sequence[float]) -> list[float]:
    """The sum of each value over all processes of the job; each has to ask at the same place, with as many values."""
    if not _is_grouped():
        return list(values)
    import torch

    from evenkeel.torch import distributed

    sums: list[float] = distributed.sum_over_ranks(torch.tensor(list(values), dtype=torch.float64)).tolist()
    return sums


def world_size() -> int:
    """How many processes the process group of torch has; 1 where there is none."""
    return int(sys.modules["torch"].distributed.get_world_size()) if _is_grouped() else 1


def rank() -> int:
    """This process's rank: of the process group of torch where there is one, else as the launcher says; else 0."""
    if _is_grouped():
        return int(sys.modules["torch"].distributed.get_rank())
    given = os.environ.get("RANK", "")
    return int(given) if given.isdigit() else 0


def _is_grouped() -> bool:
    """Whether there is a process group of torch, which is not imported for the question."""
    distributed = getattr(sys.modules.get("torch"), "distributed", None)
    return distributed is not None and distributed.is_available() and distributed.is_initialized()
