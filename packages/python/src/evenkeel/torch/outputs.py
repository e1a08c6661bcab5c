"""
Output variance by layer: the population variance over the d entries of a position, averaged over the positions of the
step's forward passes, as `Model.observe` of packages/trainer has it.
"""

from __future__ import annotations

from typing import Any, Callable

import torch
from torch import nn

from .gradients import backward_pass
from .model import Layers, UnmeasurableError, output_head
from .tev import wide


class OutputMeter:
    """
    Forward hooks on the blocks and on the head, which see what the embeddings, each block and the final norm return.
    Only passes of a module that trains count, and not those that activation checkpointing repeats in the backward pass.
    """

    def __init__(self, model: nn.Module, layers: Layers, fail: Callable[[Exception], None]) -> None:
        head = output_head(model)
        if not layers.blocks or head is None:
            raise UnmeasurableError("layerOutVar is absent: cannot decide which modules are the blocks and the head")
        self.active = True
        """Whether the step that runs is measured."""
        self._fail = fail
        self._count = len(layers.names)
        self._sums: torch.Tensor | None = None  # [2, L]: of variances, and how many positions
        self._handles = [
            self._hook_input(0, layers.blocks[0]),
            *(self._hook_output(at + 1, block) for at, block in enumerate(layers.blocks)),
            self._hook_input(self._count - 1, head),
        ]

    @property
    def size(self) -> int:
        """Of `local()`."""
        return 2 * self._count

    def local(self, device: torch.device) -> torch.Tensor:
        """This rank's part, [size]; zeros where nothing was seen."""
        if self._sums is None:
            return torch.zeros(self.size, dtype=wide(device), device=device)
        return self._sums.flatten().to(device)

    def fields(self, total: list[float]) -> dict[str, Any]:
        """From the sum of `local()` over all ranks."""
        variances, positions = total[: self._count], total[self._count :]
        if not all(positions):
            raise UnmeasurableError("layerOutVar is absent: not every layer had an output")
        return {"layerOutVar": [variance / count for variance, count in zip(variances, positions)]}

    def finish_step(self) -> None:
        self._sums = None

    def close(self) -> None:
        """Removes every hook."""
        for handle in self._handles:
            handle.remove()

    def _hook_input(self, at: int, module: nn.Module) -> Any:
        def before_forward(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            self._add(at, module, inputs[0] if inputs else named.get("hidden_states"))

        return module.register_forward_pre_hook(before_forward, with_kwargs=True)

    def _hook_output(self, at: int, module: nn.Module) -> Any:
        return module.register_forward_hook(lambda module, _, output: self._add(at, module, output))

    def _add(self, at: int, module: nn.Module, output: Any) -> None:
        if not self.active or not module.training or backward_pass() != -1:
            return
        try:
            states = output[0] if isinstance(output, (tuple, list)) else output
            with torch.no_grad():
                self._add_states(at, states.detach())
        except Exception as error:
            self._fail(error)

    def _add_states(self, at: int, states: torch.Tensor) -> None:
        variances = states.float().var(dim=-1, correction=0)  # [B, T, d] -> [B, T]
        dtype = wide(states.device)
        if self._sums is None:
            self._sums = torch.zeros(2, self._count, dtype=dtype, device=states.device)
        self._sums[0, at] += variances.sum(dtype=dtype).to(self._sums.device)
        self._sums[1, at] += variances.numel()
