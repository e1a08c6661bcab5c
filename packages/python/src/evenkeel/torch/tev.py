"""
Token Embedding Variability: `TEV_i` is the population standard deviation over the d entries of token i's embedding
(Chung et al., arXiv 2409.07787), as `packages/stability/src/tev.ts` has it.
"""

from __future__ import annotations

from typing import Any

import torch

from .model import UnmeasurableError

TEV_QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""Probabilities of `tevQuantiles`, interpolated linearly."""

SUMMARY_SIZE = 2 + len(TEV_QUANTILES)
_CHUNK_ENTRIES = 1 << 18  # 1 MiB of float32: stays in a CPU's cache
_DEVICE_CHUNK_ENTRIES = 1 << 24  # fewer kernels on a GPU, still little beside the matrix


def wide(device: torch.device) -> torch.dtype:
    """The widest float of a device: Apple's GPUs have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def row_deviations(matrix: torch.Tensor) -> torch.Tensor:
    """
    Population standard deviation of each row, [V, d] -> [V], in float32 or wider: bf16 would show growth as a
    staircase. In chunks, so that no copy of the matrix is made. The norm of the centered row and not `std`, which takes
    ten times as long on a CPU and is no more precise.
    """
    rows, dim = matrix.shape
    dtype = torch.promote_types(matrix.dtype, torch.float32)
    deviations = torch.empty(rows, dtype=dtype, device=matrix.device)
    entries = _CHUNK_ENTRIES if matrix.device.type == "cpu" else _DEVICE_CHUNK_ENTRIES
    step = max(1, entries // max(1, dim))
    for start in range(0, rows, step):
        chunk = matrix[start : start + step].to(dtype)  # [c, d]
        centered = chunk - chunk.mean(dim=1, keepdim=True)
        centered -= centered.mean(dim=1, keepdim=True)  # the mean of large entries is rounded
        torch.linalg.vector_norm(centered, dim=1, out=deviations[start : start + step])
    return deviations.mul_(dim**-0.5)


def summary(deviations: torch.Tensor) -> torch.Tensor:
    """Mean, population standard deviation and the quantiles of all rows, [V] -> [11], on their device."""
    ordered = deviations.sort().values  # NaN last, as in packages/stability
    exact = ordered.to(wide(deviations.device))
    mean = exact.mean()
    std = (exact - mean).square_().mean().sqrt()
    last = len(deviations) - 1
    places = [share * last for share in TEV_QUANTILES]
    at = torch.tensor([[int(place), min(int(place) + 1, last)] for place in places], device=deviations.device)
    part = torch.tensor([place - int(place) for place in places], dtype=exact.dtype, device=deviations.device)
    low, high = exact[at].unbind(1)
    between = torch.where(part > 0, low + part * (high - low), low)  # no NaN from a neighbor that does not count
    return torch.cat([mean.view(1), std.view(1), between])


class ShardedRows:
    """
    Deviations of the rows of a DTensor, by one sum over all ranks. `local()` is this rank's part; `rows(sum)` turns the
    sum into all deviations. Where rows are whole, each rank gives its own deviations; where columns are split, sums and
    sums of squares of its part of each row, in float64. How often each entry was counted is part of the sum, so that
    replicas do not matter and a rank that is missing shows.
    """

    def __init__(self, weight: Any) -> None:
        if any(placement.is_partial() for placement in weight.placements):
            raise UnmeasurableError("TEV is absent: the embedding is a DTensor with Partial placement")
        self._weight = weight
        self._by_column = any(getattr(placement, "dim", 0) == 1 for placement in weight.placements)
        self._entries: int = weight.shape[0] * weight.shape[1]
        self._vocabulary: int = weight.shape[0]
        self.size = self._vocabulary * (2 if self._by_column else 1) + 1

    def local(self) -> torch.Tensor:
        """[size]"""
        from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

        weight = self._weight
        part: torch.Tensor = weight.to_local().detach()
        shape, offset = compute_local_shape_and_global_offset(weight.shape, weight.device_mesh, weight.placements)
        if tuple(shape) != tuple(part.shape):
            raise UnmeasurableError(f"TEV is absent: unknown sharding {weight.placements}")
        values = torch.zeros(self.size, dtype=wide(part.device), device=part.device)
        values[-1] = part.numel()
        rows = values[:-1].view(-1, self._vocabulary)[:, offset[0] : offset[0] + part.shape[0]]
        if part.numel() == 0:
            return values
        if self._by_column:
            exact = part.to(values.dtype)
            rows[0] = exact.sum(dim=1)
            rows[1] = exact.square().sum(dim=1)
        else:
            rows[0] = row_deviations(part)
        return values

    def empty(self) -> torch.Tensor:
        """In place of `local()` where that fails: the sum then lacks a part, which `coverage` shows."""
        device = self._weight.to_local().device
        return torch.zeros(self.size, dtype=wide(device), device=device)

    def coverage(self, total: torch.Tensor) -> torch.Tensor:
        """How often each entry was counted: a whole number from 1 on, unless a part is missing."""
        return total[-1] / self._entries

    def rows(self, total: torch.Tensor) -> torch.Tensor:
        """[size] -> [V]"""
        sums = total[:-1].view(-1, self._vocabulary) / self.coverage(total)
        if not self._by_column:
            return sums[0]
        dim = self._entries // self._vocabulary
        return (sums[1] / dim - (sums[0] / dim).square()).clamp_min(0).sqrt()


def limited(deviations: torch.Tensor, vocab_size: int | None) -> torch.Tensor:
    """Without padding rows: the first `vocab_size`."""
    if vocab_size is not None and vocab_size > len(deviations):
        raise UnmeasurableError(
            f"TEV is absent: vocab_size is {vocab_size}, but the embedding has {len(deviations)} rows"
        )
    return deviations[:vocab_size]
