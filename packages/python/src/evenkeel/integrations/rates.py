"""Learning rates times a factor, whatever a schedule makes of them."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from evenkeel.torch import inner_optimizer


class RateFactor:
    """Multiplies the learning rate of all parameter groups, in optimizer steps alone.

    Schedulers see and set the planned rate, so none of them undoes the reduction or compounds it, and a checkpoint of
    the optimizer holds the planned rate, too: keep the factor beside it.

    Args:
        optimizers: one or a list; wrappers such as Accelerate's are looked into, and what is no optimizer of torch is
            left alone.
    """

    factor: float
    used: float | None
    """The rate of the first group in the last step; None before it."""

    def __init__(self, optimizers: Any, factor: float = 1.0) -> None:
        self.factor = factor
        self.used = None
        self._planned: dict[int, list[Any]] = {}
        self._restoring: Any = None
        self._handles: list[Any] = [
            optimizer.register_step_pre_hook(self._before_step) for optimizer in _torch_optimizers(optimizers)
        ]

    @property
    def is_effective(self) -> bool:
        """Whether there is an optimizer whose rates it multiplies."""
        return bool(self._handles)

    def close(self) -> None:
        """From now on steps use the planned rate."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._restore_last(None)

    def _before_step(self, optimizer: Optimizer, *_: Any) -> None:
        self._restore(optimizer)  # where the last step raised
        if self.factor != 1.0:
            # The last of all hooks, so that others see the rate that the step has used.
            self._restore_last(register_optimizer_step_post_hook(self._after_step))
            groups = optimizer.param_groups
            self._planned[id(optimizer)] = [_scale(group, self.factor) for group in groups]
        rate = optimizer.param_groups[0].get("lr")
        self.used = None if rate is None else float(rate)

    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        self._restore(optimizer)

    def _restore_last(self, handle: Any) -> None:
        if self._restoring is not None:
            self._restoring.remove()
        self._restoring = handle

    def _restore(self, optimizer: Optimizer) -> None:
        planned = self._planned.pop(id(optimizer), None)
        if planned is None:
            return  # the hook is of all optimizers, also of those that have no groups
        for group, rate in zip(optimizer.param_groups, planned):
            if hasattr(rate, "copy_"):
                group["lr"].copy_(rate)
            elif rate is not None:
                group["lr"] = rate


def _scale(group: dict[str, Any], factor: float) -> Any:
    """Multiplies the rate of a group; what it was. A tensor stays the same one, since a CUDA graph may hold it."""
    rate: Any = group.get("lr")
    if hasattr(rate, "mul_"):
        planned = rate.clone()
        rate.mul_(factor)
        return planned
    if rate is not None:
        group["lr"] = rate * factor
    return rate


def _torch_optimizers(given: Any) -> list[Optimizer]:
    found = []
    for each in given if isinstance(given, (list, tuple)) else [given]:
        try:
            found.append(inner_optimizer(each))
        except ValueError:
            continue
    return found
