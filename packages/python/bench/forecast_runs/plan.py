"""What a run of the recipe is: its model, its learning rates, its data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from gpt import Shape


@dataclass(frozen=True)
class Rates:
    """The learning rate of each step: a linear warm-up to the peak, then a schedule, times a ramp and jumps."""

    peak: float
    warmup: int = 40
    schedule: str = "constant"
    """`constant`; `cosine` or `linear` to the floor at the last step; `restarts` of the cosine; or `wsd`, constant but
    for a line over the last fifth."""
    floor: float = 0.1
    """As a share of the peak."""
    period: int = 100
    """Steps of one of the restarts."""
    ramp: tuple[int, float, int] = (0, 1.0, 0)
    """From which step the rate grows, by which factor a step, and up to which step."""
    jumps: tuple[tuple[int, float], ...] = ()
    """Steps from which on the rate is multiplied by a factor."""

    def of(self, step: int, steps: int) -> float:
        start, factor, end = self.ramp
        rate = self._plain(step, steps) * factor ** max(0, min(step, end) - start)
        return rate * math.prod(factor for at, factor in self.jumps if step >= at)

    def _plain(self, step: int, steps: int) -> float:
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        after, length = step - self.warmup, max(1, steps - 1 - self.warmup)
        if self.schedule == "restarts":
            after, length = after % self.period, self.period - 1
        share = {"constant": 0.0, "linear": after / length, "wsd": max(0.0, 5 * after / length - 4)}.get(self.schedule)
        left = 0.5 * (1 + math.cos(math.pi * after / length)) if share is None else 1 - share
        return self.peak * (self.floor + (1 - self.floor) * left)


@dataclass(frozen=True)
class Plan:
    """A run."""

    name: str
    kind: str
    rates: Rates
    seed: int
    steps: int = 500
    shape: Shape = field(default_factory=Shape)
    batch: int = 2
    """Sequences of a micro-batch."""
    micro_batches: int = 3
    growth: tuple[int, int] = (0, 1)
    """From which step on a micro-batch has so many times as many sequences."""
    changes: tuple[int, ...] = ()
    """Steps from which on the text is of another language."""
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 0.0
    """Maximum of the gradient's norm; 0 for none."""

    @property
    def group(self) -> tuple[object, ...]:
        """Runs that are alike in this train side by side."""
        return (self.kind, self.shape, self.steps, self.batch, self.micro_batches, self.growth, self.betas)
