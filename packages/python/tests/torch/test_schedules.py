"""The rate that a scheduler plans for 20 steps later, against what it comes to be."""

from __future__ import annotations

import math
from typing import Any, Callable

import pytest

pytest.importorskip("torch.nn", reason="PyTorch is not installed: nothing of evenkeel.torch is tested")

import torch
from torch import nn
from torch.optim import lr_scheduler
from training import Model

from evenkeel.integrations.rates import RateFactor
from evenkeel.torch import Watch

STEPS = 60
Make = Callable[[torch.optim.Optimizer], Any]


class Warmup:
    """A callable with a state of its own, which calls ahead must not change."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, step: int) -> float:
        self.calls.append(step)
        return min(1.0, step / 10)


def sequence(optimizer: torch.optim.Optimizer) -> Any:
    parts = [
        lr_scheduler.LinearLR(optimizer, 0.1, total_iters=10),
        lr_scheduler.CosineAnnealingLR(optimizer, 40),
    ]
    return lr_scheduler.SequentialLR(optimizer, parts, [10])


SCHEDULERS: dict[str, Make] = {
    "a lambda": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: min(1, step / 10) * 0.99**step),
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 40),
    "steps": lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [25, 45]),
    "restarts": lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 15),
    "a sequence": sequence,
    "one cycle, and beyond": lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=STEPS),
}


def train(
    make: Make, after: Callable[[int, torch.optim.Optimizer, Any], None], watched: bool = True, factor: float = 1.0
) -> tuple[list[dict[str, Any]], list[float], list[str]]:
    """What was measured, the rates that steps used, and warnings."""
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = make(optimizer)
    warnings: list[str] = []
    given = scheduler if watched else None
    watch = Watch(model, optimizer, grad_variance=False, warn=warnings.append, scheduler=given)
    reduced = RateFactor(optimizer)
    used = []
    for step in range(STEPS):
        reduced.factor = 1.0 if step < 30 else factor
        optimizer.step()
        used.append(float(reduced.used or 0.0))
        after(step, optimizer, scheduler)
    measured = [fields for _, fields in watch.take()]
    watch.close()
    return measured, used, warnings


def each_step(step: int, optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
    if step < STEPS - 1:  # OneCycleLR may not be stepped more often
        scheduler.step()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_is_the_rate_that_comes_20_steps_later(name: str) -> None:
    measured, used, warnings = train(SCHEDULERS[name], each_step)
    ahead = [fields.get("lrAhead") for fields in measured]
    assert ahead[:2] == [None, None]  # until two steps have shown how the scheduler goes on
    assert ahead[2 : STEPS - 20] == pytest.approx(used[22:STEPS], rel=1e-9, abs=1e-15)
    if name.startswith("one cycle"):
        assert ahead[STEPS - 20 :] == pytest.approx([used[-1]] * 20, rel=1e-9)
    assert warnings == []


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_goes_on_as_if_nobody_looked_ahead(name: str) -> None:
    assert train(SCHEDULERS[name], each_step)[1] == train(SCHEDULERS[name], each_step, watched=False)[1]


def test_does_not_change_the_state_of_a_callable() -> None:
    factor = Warmup()
    train(lambda optimizer: lr_scheduler.LambdaLR(optimizer, factor), each_step)
    assert factor.calls == list(range(STEPS))


def test_a_reduced_rate_is_reduced_ahead_too() -> None:
    measured, used, _ = train(SCHEDULERS["cosine"], each_step, factor=0.25)
    planned = train(SCHEDULERS["cosine"], each_step)[1]
    assert used[30:] == pytest.approx([0.25 * rate for rate in planned[30:]])
    assert "lrAhead" not in measured[30]  # the first step with another factor
    ahead = [fields["lrAhead"] for fields in measured[31 : STEPS - 20]]
    assert ahead == pytest.approx([0.25 * rate for rate in planned[51:]], rel=1e-9, abs=1e-15)


def test_a_scheduler_that_is_stepped_twice_a_step_is_followed() -> None:
    def twice(step: int, _: Any, scheduler: Any) -> None:
        scheduler.step()
        scheduler.step()

    measured, used, _ = train(SCHEDULERS["a lambda"], twice)
    assert [fields["lrAhead"] for fields in measured[2:40]] == pytest.approx(used[22:], rel=1e-9)


def test_is_absent_where_the_scheduler_counts_epochs() -> None:
    def after(step: int, _: Any, scheduler: Any) -> None:
        if step % 5 == 4:
            scheduler.step()

    measured, _, warnings = train(SCHEDULERS["cosine"], after)
    assert not [fields for fields in measured if "lrAhead" in fields]
    assert warnings == []


def test_goes_on_after_a_resume_put_the_scheduler_elsewhere() -> None:
    def after(step: int, _: Any, scheduler: Any) -> None:
        if step == 9:
            scheduler.last_epoch = 19
        scheduler.step()

    measured, used, warnings = train(SCHEDULERS["a lambda"], after)
    ahead = [fields.get("lrAhead") for fields in measured]
    assert ahead[10:12] == [None, None]
    assert ahead[12:40] == pytest.approx(used[32:], rel=1e-9)
    assert warnings == []


def test_is_absent_from_where_a_rate_turns_out_to_depend_on_more_than_the_step() -> None:
    mood = {"factor": 1.0}

    def after(step: int, _: Any, scheduler: Any) -> None:
        mood["factor"] = 1.0 if step < 30 else 0.5
        scheduler.step()

    measured, _, warnings = train(
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: mood["factor"] * math.exp(-step / 50)), after
    )
    assert "lrAhead" in measured[30]
    assert not [fields for fields in measured[31:] if "lrAhead" in fields]
    assert warnings == ["lrAhead is absent: the scheduler's rate depends on more than the step"]


def test_a_scheduler_that_follows_the_loss_has_no_plan() -> None:
    measured, _, warnings = train(
        lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer), lambda step, _, scheduler: scheduler.step(1.0)
    )
    assert not [fields for fields in measured if "lrAhead" in fields]
    assert warnings == ["lrAhead is absent: ReduceLROnPlateau does not plan by steps"]


def test_a_scheduler_of_another_optimizer_says_nothing() -> None:
    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    other = lr_scheduler.ExponentialLR(torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1), 0.9)
    watch = Watch(model, optimizer, grad_variance=False, scheduler=other)
    for _ in range(4):
        optimizer.step()
    assert not [fields for _, fields in watch.take() if "lrAhead" in fields]
    watch.close()
