"""Sums over all ranks of the default process group, and what ranks agree on. Without a group a process is alone."""

from __future__ import annotations

import time

import torch
import torch.distributed as dist

HANDSHAKE_SECONDS = 20.0
_POLL_SECONDS = 0.02
_GAVE_UP = -(2**30)


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def world_size() -> int:
    return dist.get_world_size() if is_distributed() else 1


def rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def sum_over_ranks(values: torch.Tensor) -> torch.Tensor:
    """A collective: the sum over all ranks, on the device of `values`. Every rank calls it with as many values."""
    if not is_distributed():
        return values
    moved = values.to(_collective_device(values.device))
    dist.all_reduce(moved)
    return moved.to(values.device)


def agree(wish: bool) -> bool:
    """A collective: whether any rank wishes. Without a process group: whether this process does."""
    if not is_distributed():
        return wish
    value = torch.tensor([int(wish)], dtype=torch.int32, device=_collective_device(torch.device("cpu")))
    dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return bool(value.item())


def all_ranks_announce(key: str, seconds: float = HANDSHAKE_SECONDS) -> bool:
    """
    Whether every rank calls this with the same key, within so many seconds; all that do get the same answer. Through
    the store and not a collective, since a collective of which a rank knows nothing would never end.
    """
    store = dist.distributed_c10d._get_default_store()
    count = store.add(key, 1)
    deadline = time.monotonic() + seconds
    while 0 < count < world_size() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        count = store.add(key, 0)
    decision = b"joined" if count == world_size() else b"gave up"
    decision = store.compare_set(f"{key}/decision", "", decision.decode())  # that of the first to decide
    if decision == b"joined":
        return True
    store.add(key, _GAVE_UP)  # who comes later does not wait
    return False


def _collective_device(device: torch.device) -> torch.device:
    """Where the group's backend can reduce: NCCL takes tensors on a GPU alone, gloo takes both."""
    backend = str(dist.get_backend())
    if device.type == "cpu" and "nccl" in backend and "gloo" not in backend:
        return torch.device("cuda", torch.cuda.current_device())
    return device
