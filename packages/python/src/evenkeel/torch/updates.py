"""
What an optimizer step does to the weights: `updateShare`, the L2 norm of their change over their norm before it, and of
AdamW `updateRms`, the root mean square of g / max(sqrt(v), eps) with the gradient g as the optimizer gets it and its
second moment v after the step, without bias (Wortsman et al., arXiv 2304.13013, algorithm 2), over all weights at once.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim import AdamW, Optimizer

from .distributed import world_size
from .gradients import is_dtensor, local_part, norms_of, replicas
from .model import UnmeasurableError
from .tev import wide


class UpdateMeter:
    """
    Of the parameters that train, which one optimizer must have. It copies them before each step that is measured, so
    that a step needs as much memory more as they have. Sums are of this rank's part where parameters are sharded.
    """

    size = 6
    """Of `local()`: 1 for a part, squares of the change and of the weights; 1 for a part, sum and number of ratios."""

    def __init__(self, parameters: list[torch.Tensor]) -> None:
        self.active = True
        """Whether the step that runs is measured."""
        self._parameters = parameters
        self._before: list[torch.Tensor] | None = None
        self._sums: list[torch.Tensor] = []

    def before_step(self, optimizer: Optimizer) -> None:
        """Raises UnmeasurableError where the optimizer does not have all parameters."""
        given = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        if any(id(parameter) not in given for parameter in self._parameters):
            raise UnmeasurableError("updateShare is absent: no single optimizer has all parameters that train")
        self._before = [parameter.detach().clone() for parameter in self._parameters]

    def after_step(self, optimizer: Optimizer) -> None:
        before, self._before = self._before, None
        if before is None:
            return
        weights = self._square_sum(before)
        for copy, parameter in zip(before, self._parameters):
            copy.sub_(parameter.detach())
        one = torch.ones((), dtype=weights.dtype, device=weights.device)
        total, count = self._ratios(optimizer, one) if isinstance(optimizer, AdamW) else (0 * one, 0.0)
        self._sums = [one, self._square_sum(before), weights, one * (count > 0), total, one * count]

    def local(self, device: torch.device) -> torch.Tensor:
        """This rank's part, [size]; zeros where no step was seen."""
        if not self._sums:
            return torch.zeros(self.size, dtype=wide(device), device=device)
        return torch.stack(self._sums).to(device)

    def fields(self, total: list[float]) -> dict[str, Any]:
        """From the sum of `local()` over all ranks; without what a rank lacks."""
        parts, changed, weights, rms_parts, ratios, count = total
        fields = {}
        if parts == world_size() and weights != 0:
            fields["updateShare"] = math.sqrt(changed / weights)
        if rms_parts == world_size() and count > 0:
            fields["updateRms"] = math.sqrt(ratios / count)
        return fields

    def finish_step(self) -> None:
        self._before, self._sums = None, []

    def close(self) -> None:
        """It has no hooks of its own."""

    def _square_sum(self, tensors: list[torch.Tensor]) -> torch.Tensor:
        """As this rank's part."""
        device = tensors[0].device
        parts = [local_part(each) for each in tensors]
        norms = norms_of(parts, torch.zeros((), dtype=wide(device), device=device), exact=False)
        return (norms.square() * torch.tensor([_own_share(each) for each in tensors]).to(norms)).sum()

    def _ratios(self, optimizer: Optimizer, one: torch.Tensor) -> tuple[torch.Tensor, float]:
        """This rank's part of the sum of g^2 / max(v, eps^2) over all entries, and of how many there are."""
        total, count = 0 * one, 0.0
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                state = optimizer.state.get(parameter, {})
                gradient, square = local_part(parameter.grad), local_part(state.get("exp_avg_sq"))
                if gradient is None or square is None:
                    continue
                dtype = torch.promote_types(gradient.dtype, torch.float32)
                moment = square.to(dtype) / (1 - group["betas"][1] ** state["step"])
                ratios = gradient.to(dtype).square().div_(moment.clamp_(min=group["eps"] ** 2))
                total += ratios.sum(dtype=one.dtype).to(one) * _own_share(parameter)
                count += ratios.numel() * _own_share(parameter)
        return total, count


def _own_share(tensor: torch.Tensor) -> float:
    """What this rank adds of its part to a sum over all ranks, so that what several have counts once."""
    return 1 / (replicas(tensor) if is_dtensor(tensor) else world_size())
