"""
`lrAhead`: the learning rate that a scheduler plans for 20 optimizer steps later. A copy of the scheduler, which has an
optimizer of its own, runs ahead of it, so the scheduler is never disturbed. Only a scheduler that is stepped as often
between any two optimizer steps has such a plan; one that is stepped by epochs or by a loss has none. Nor has one that
shares with its copy what may change when that runs: it is PyTorch's own, and its functions are known to be pure.
"""

from __future__ import annotations

import copy
import math
from bisect import bisect_right
from collections import Counter, deque
from types import SimpleNamespace
from typing import Any

import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import ChainedScheduler, LRScheduler, OneCycleLR, ReduceLROnPlateau, SequentialLR

from .model import UnmeasurableError, inner_optimizer
from .pure import is_pure

STEPS_AHEAD = 20
_TOLERANCE = 1e-6
"""Of rates that are the same, since some are read from float32."""


class RateAhead:
    """
    Of one scheduler; wrappers such as Accelerate's are looked into. Raises UnmeasurableError where a scheduler has no
    plan, may not be run ahead, or turns out not to keep to its plan.
    """

    def __init__(self, scheduler: Any) -> None:
        while isinstance(getattr(scheduler, "scheduler", None), LRScheduler):
            scheduler = scheduler.scheduler
        if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
            raise UnmeasurableError(f"lrAhead is absent: {type(scheduler).__name__} does not plan by steps")
        self._scheduler = scheduler
        self.optimizer = inner_optimizer(scheduler.optimizer)
        self._last: tuple[int, int, float] | None = None
        """At the optimizer step before: the scheduler's steps, those since the one before, used over planned rate."""
        self._copy: Any = None
        self._planned: deque[float] = deque()
        """Rates of the next optimizer steps, up to where the copy is."""

    def after_step(self, used: float) -> float | None:
        """
        The rate of 20 optimizer steps later. Call it after each optimizer step, with the rate that it used: where that
        is a multiple of the scheduler's for two steps, the rate ahead is as well. None while it cannot be known.
        """
        at, planned = self._position(), float(self._scheduler.get_last_lr()[0])
        former, pace = self._last, 0 if self._last is None else at - self._last[0]
        factor = used / planned if planned != 0 else 1.0 if used == 0 else math.nan
        self._last = (at, pace, factor)
        if former is None or pace < 1 or pace != former[1] or not math.isclose(factor, former[2], rel_tol=_TOLERANCE):
            self._copy = None
            return None
        if self._copy is None:
            self._start(planned, pace)
        else:
            if not math.isclose(self._planned.popleft(), planned, rel_tol=_TOLERANCE, abs_tol=1e-30):
                raise UnmeasurableError("lrAhead is absent: the scheduler's rate depends on more than the step")
            self._advance(pace)
        ahead = factor * self._planned[-1]
        return ahead if ahead >= 0 else None  # beyond the end that a line to zero was made for

    def _position(self) -> int:
        position = getattr(self._scheduler, "last_epoch", None)
        if not isinstance(position, int):
            raise UnmeasurableError(f"lrAhead is absent: {type(self._scheduler).__name__} does not count its steps")
        return position

    def _start(self, planned: float, pace: int) -> None:
        if not _may_run_ahead(self._scheduler):
            raise UnmeasurableError(
                f"lrAhead is absent: running this {type(self._scheduler).__name__} ahead could change the training, "
                "since it is not known to compute the rate from the step and constants alone"
            )
        optimizer: Any = self._scheduler.optimizer
        groups = [{name: group[name] for name in group if name != "params"} for group in optimizer.param_groups]
        for group, rate in zip(groups, self._scheduler.get_last_lr()):
            group["lr"] = copy.deepcopy(rate)
        stand_in = SimpleNamespace(param_groups=groups, step=optimizer.step, _opt_called=True)
        self._copy = copy.deepcopy(self._scheduler, {id(optimizer): stand_in})
        self._planned = deque([planned])
        for _ in range(STEPS_AHEAD):
            self._advance(pace)
        self._planned.popleft()

    def _advance(self, pace: int) -> None:
        """One optimizer step. A OneCycleLR, which raises beyond its end, stays where it came to."""
        for _ in range(pace):
            if not _is_at_end(self._copy):
                self._copy.step()
        self._planned.append(float(self._copy.get_last_lr()[0]))


def _is_at_end(scheduler: Any) -> bool:
    """Whether the next step would be one of a OneCycleLR beyond its last."""
    if isinstance(scheduler, SequentialLR):
        milestones, at = scheduler._milestones, scheduler.last_epoch + 1
        return at not in milestones and _is_at_end(scheduler._schedulers[bisect_right(milestones, at)])
    if isinstance(scheduler, ChainedScheduler):
        return any(map(_is_at_end, scheduler._schedulers))
    return isinstance(scheduler, OneCycleLR) and scheduler.last_epoch >= scheduler.total_steps - 1


def _may_run_ahead(part: Any) -> bool:
    """Whether a copy of a scheduler, or of something that it has, can run and changes nothing but itself."""
    if isinstance(part, LRScheduler):
        kind = type(part)
        return kind is getattr(lr_scheduler, kind.__name__, None) and all(
            _may_run_ahead(value) and not callable(getattr(kind, name, None))  # no method that was put in its place
            for name, value in vars(part).items()
            if name != "optimizer"
        )
    if type(part) in (list, tuple):
        return all(map(_may_run_ahead, part))
    if type(part) in (dict, Counter):
        return all(map(_may_run_ahead, part.values()))
    if isinstance(part, torch.Tensor):  # a rate
        return part.numel() == 1
    return is_pure(part)
