"""
The largest attention logit of each block: the maximum, over the step's forward passes, of what the softmax of its
attention reads, queries times keys with their scale and an additive mask, where the mask lets them take part. It grows
without bound before attention entropy collapses (arXiv 2303.06296, 2309.14322).
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any, Callable

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from . import distributed
from .gradients import backward_pass
from .model import Layers, UnmeasurableError
from .tev import wide

MAX_LOGITS = 2**24
"""Logits that are computed at once, to bound the memory: 64 MB in float32."""
NAME = "attentionLogitMax"


class AttentionMeter:
    """
    Sees the calls of `torch.nn.functional.scaled_dot_product_attention` within each block, and computes their logits
    once more, which costs about half of the attention itself. Other implementations of attention, and what
    torch.compile has compiled, are not seen. Only passes of a module that trains count, and not those that activation
    checkpointing repeats in the backward pass.
    """

    def __init__(self, layers: Layers, fail: Callable[[Exception], None]) -> None:
        if not layers.blocks:
            raise UnmeasurableError(f"{NAME} is absent: cannot decide which modules are the blocks")
        self.active = True
        """Whether the step that runs is measured."""
        self._fail = fail
        self._names = layers.names[1 : len(layers.blocks) + 1]
        self._maxima: dict[int, torch.Tensor] = {}
        self._entered: list[tuple[nn.Module, ExitStack]] = []
        """Blocks whose forward passes are under way, the innermost last."""
        self._handles = [handle for at, block in enumerate(layers.blocks) for handle in self._hook(at, block)]

    @property
    def size(self) -> int:
        """Of `local()`: a maximum, and whether there is one, for each block and rank, so that a sum keeps NaN."""
        return 2 * len(self._names) * distributed.world_size()

    def local(self, device: torch.device) -> torch.Tensor:
        """This rank's part, [size]; zeros in those of the others, and where nothing was seen."""
        part = torch.zeros(distributed.world_size(), 2, len(self._names), dtype=wide(device), device=device)
        own = part[distributed.rank()]
        for at, maximum in self._maxima.items():
            own[0, at] = maximum.to(own)
            own[1, at] = 1
        return part.flatten()

    def fields(self, total: list[float]) -> dict[str, Any]:
        """From the sum of `local()` over all ranks."""
        count = len(self._names)
        ranks = [total[at : at + 2 * count] for at in range(0, len(total), 2 * count)]
        seen = [[part[at] for part in ranks if part[count + at] > 0] for at in range(count)]
        maxima = {name: _largest(values) for name, values in zip(self._names, seen) if values}
        if not maxima:
            raise UnmeasurableError(
                f"{NAME} is absent: no block calls PyTorch's scaled_dot_product_attention, or it is compiled"
            )
        return {NAME: _largest(list(maxima.values())), **{f"{NAME}/{name}": value for name, value in maxima.items()}}

    def finish_step(self) -> None:
        self._maxima = {}

    def close(self) -> None:
        """Removes every hook."""
        for handle in self._handles:
            handle.remove()

    def _hook(self, at: int, block: nn.Module) -> list[Any]:
        def before_forward(block: nn.Module, _: Any) -> None:
            if torch.compiler.is_compiling() or not self.active or not block.training or backward_pass() != -1:
                return
            stack = ExitStack()
            stack.enter_context(_Calls(lambda query, key, options: self._see(at, query, key, options)))
            self._entered.append((block, stack))

        def after_forward(block: nn.Module, *_: Any) -> None:
            if not torch.compiler.is_compiling() and self._entered and self._entered[-1][0] is block:
                self._entered.pop()[1].close()

        return [
            block.register_forward_pre_hook(before_forward),
            block.register_forward_hook(after_forward, always_call=True),
        ]

    def _see(self, at: int, query: torch.Tensor, key: torch.Tensor, options: dict[str, Any]) -> None:
        try:
            with torch.no_grad():
                maximum = largest_logit(query.detach(), key.detach(), **options)
            former = self._maxima.get(at)
            self._maxima[at] = maximum if former is None else torch.maximum(former, maximum)
        except Exception as error:
            self._fail(error)


class _Calls(TorchFunctionMode):
    """While it is entered: shows each call of the attention."""

    def __init__(self, show: Callable[[torch.Tensor, torch.Tensor, dict[str, Any]], None]) -> None:
        super().__init__()
        self._show = show

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention:
            given = {**dict(zip(_PARAMETERS, args)), **kwargs}
            options = {name: given[name] for name in ("attn_mask", "is_causal", "scale") if name in given}
            self._show(given["query"], given["key"], options)
        return func(*args, **kwargs)


_PARAMETERS = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


def largest_logit(
    query: torch.Tensor,
    key: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> torch.Tensor:
    """
    The maximum over all logits, in float32; NaN where one of them is. `query` [..., H, T, d] and `key` [..., G, S, d],
    where H is a multiple of G; the other arguments as those of `scaled_dot_product_attention`.
    """
    if query.dim() > 3 and query.shape[-3] != key.shape[-3]:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    length, others = query.shape[-2], key.shape[-2]
    rows = max(1, MAX_LOGITS // max(1, query[..., 0, 0].numel() * others))
    keys = key.float().transpose(-2, -1)
    maxima = []
    for start in range(0, length, rows):
        logits = (query[..., start : start + rows, :].float() * factor) @ keys  # [..., H, rows, S]
        if is_causal:
            at = torch.arange(start, start + logits.shape[-2], device=logits.device)
            future = torch.arange(others, device=logits.device) > at[:, None]
            logits = logits.masked_fill(future, -math.inf)
        if attn_mask is not None:
            mask = attn_mask if attn_mask.shape[-2] == 1 else attn_mask[..., start : start + rows, :]
            logits = logits.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else logits + mask.float()
        maxima.append(logits.amax())
    return torch.stack(maxima).amax()


def _largest(values: list[float]) -> float:
    return next((value for value in values if math.isnan(value)), max(values))
