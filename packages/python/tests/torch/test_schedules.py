"""The rate that a scheduler plans for 20 steps later, against what it comes to be."""

from __future__ import annotations

import argparse
import itertools
import math
import random
from functools import partial
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


class Trainer:
    """Its method and itself are rates with a state of their own, which must neither be changed nor copied."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, step: int) -> float:
        self.calls.append(step)
        return 1 / len(self.calls)

    def __deepcopy__(self, memo: Any) -> Any:
        raise AssertionError("the trainer was copied")


def ramp(step: int, *, steps: int, shape: Callable[[float], float] = math.sqrt) -> float:
    return shape(min(step, steps) / steps)


OPTIONS = argparse.Namespace(steps=50)


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
    "a partial of a function": lambda optimizer: lr_scheduler.LambdaLR(optimizer, partial(ramp, steps=OPTIONS.steps)),
    "constants of an object": lambda optimizer: lr_scheduler.LambdaLR(
        optimizer, lambda step: ramp(step, steps=OPTIONS.steps) * sum(1 / each for each in range(1, 3))
    ),
    "a factor of the rate before": lambda optimizer: lr_scheduler.MultiplicativeLR(optimizer, lambda step: 0.95),
    "triangles": lambda optimizer: lr_scheduler.CyclicLR(optimizer, 0.1, 0.2, 7, cycle_momentum=False),
    "one cycle, and beyond": lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=STEPS),
    "one cycle in a sequence, and beyond": lambda optimizer: lr_scheduler.SequentialLR(
        optimizer,
        [
            lr_scheduler.LinearLR(optimizer, 0.1, total_iters=5),
            lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=STEPS - 5),
        ],
        [5],
    ),
    "one cycle in a chain in a sequence, and beyond": lambda optimizer: lr_scheduler.SequentialLR(
        optimizer, [lr_scheduler.ChainedScheduler([lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=STEPS)])], []
    ),
    "one cycle before another": lambda optimizer: lr_scheduler.SequentialLR(
        optimizer,
        [
            lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=30),
            lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=STEPS),
        ],
        [30],
    ),
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
    if name.endswith("and beyond"):
        assert ahead[STEPS - 20 :] == pytest.approx([used[-1]] * 20, rel=1e-9)
    assert warnings == []


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_goes_on_as_if_nobody_looked_ahead(name: str) -> None:
    assert train(SCHEDULERS[name], each_step)[1] == train(SCHEDULERS[name], each_step, watched=False)[1]


def iterator() -> Callable[[int], float]:
    values = itertools.count(1)
    return lambda step: next(values) / 100


def history() -> Callable[[int], float]:
    values = [1.0]

    def rate(step: int) -> float:
        values.append(values[-1] * 0.99)
        return values[-1]

    return rate


def recurrence() -> Callable[[int], float]:
    value = 1.0

    def rate(step: int) -> float:
        nonlocal value
        value *= 0.99
        return value

    return rate


def counter() -> Callable[[int], float]:
    def rate(step: int) -> float:
        rate.calls += 1  # type: ignore[attr-defined]
        return 1 / rate.calls  # type: ignore[attr-defined]

    rate.calls = 0  # type: ignore[attr-defined]
    return rate


def default() -> Callable[[int], float]:
    def rate(step: int, calls: list[int] = []) -> float:  # noqa: B006
        calls.append(step)
        return 1 / len(calls)

    return rate


def noise(step: int) -> float:
    return 1 + 0.1 * random.random()


CALLS = {"global": 0}


def of_a_global(step: int) -> float:
    CALLS["global"] += 1
    return 1 / CALLS["global"]


def imported(step: int) -> float:
    from random import random as draw

    return 1 + 0.1 * draw()


STATEFUL: dict[str, Callable[[], Callable[[int], float]]] = {
    "an iterator": iterator,
    "a list": history,
    "a recurrence": recurrence,
    "an attribute of the function": counter,
    "a default": default,
    "a callable object": Trainer,
    "a method": lambda: Trainer().__call__,
    "a partial": lambda: partial(lambda calls, step: calls(step), Trainer()),
    "random numbers": lambda: noise,
    "random numbers of torch": lambda: lambda step: 1 + 0.1 * float(torch.rand(())),
    "random numbers by another function": lambda: lambda step: noise(step),
    "random numbers by an import": lambda: imported,
    "random numbers by a function inside": lambda: lambda step: sum(random.random() for _ in range(2)),
    "a global": lambda: of_a_global,
}
KINDS: dict[str, Callable[[torch.optim.Optimizer, Callable[[int], float]], Any]] = {
    "LambdaLR": lr_scheduler.LambdaLR,
    "MultiplicativeLR": lr_scheduler.MultiplicativeLR,
    "LambdaLR in a sequence": lambda optimizer, rate: lr_scheduler.SequentialLR(
        optimizer, [lr_scheduler.LinearLR(optimizer, 0.1, total_iters=5), lr_scheduler.LambdaLR(optimizer, rate)], [5]
    ),
    "CyclicLR": lambda optimizer, rate: lr_scheduler.CyclicLR(
        optimizer, 0.1, 0.2, 7, scale_fn=rate, cycle_momentum=False
    ),
}


def check_left_alone(make: Callable[[], Make]) -> None:
    """Trains with a watch and without: the rates and draws are the same, no rate is ahead, and one warning says so."""
    outcomes = []
    for watched in (True, False):
        random.seed(0)
        CALLS["global"] = 0
        made = make()  # before the seed of the model
        measured, used, warnings = train(made, each_step, watched)
        assert not [fields for fields in measured if "lrAhead" in fields]
        outcomes.append((used, random.random(), float(torch.rand(()))))
        assert [text.partition(" this ")[0] for text in warnings] == ["lrAhead is absent: running"] * watched
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STATEFUL)
def test_a_rate_with_a_state_is_left_alone(name: str, kind: str) -> None:
    def make() -> Make:
        rate = STATEFUL[name]()
        return lambda optimizer: KINDS[kind](optimizer, rate)

    check_left_alone(make)


class Own(lr_scheduler.LRScheduler):
    """Draws its rates."""

    def get_lr(self) -> Any:
        return [0.1 + random.random() for _ in self.base_lrs]


@pytest.mark.parametrize("method", ["step", "get_lr", "_update_lr"])
def test_a_scheduler_with_a_method_in_place_of_its_own_is_left_alone(method: str) -> None:
    def patched(optimizer: torch.optim.Optimizer) -> Any:
        scheduler = lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step)
        original = getattr(scheduler, method)
        setattr(scheduler, method, lambda *args: original(*args))
        return scheduler

    check_left_alone(lambda: patched)


def test_a_scheduler_of_a_class_of_ones_own_is_left_alone() -> None:
    check_left_alone(lambda: Own)


def test_what_a_loop_keeps_in_its_scheduler_is_not_copied() -> None:
    def keeping(optimizer: torch.optim.Optimizer) -> Any:
        scheduler = lr_scheduler.ExponentialLR(optimizer, 0.9)
        scheduler.trainer = Trainer()
        return scheduler

    check_left_alone(lambda: keeping)


TRANSFORMERS = (
    *("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"),
    *("inverse_sqrt", "warmup_stable_decay", "cosine_with_min_lr"),
)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_the_schedules_of_transformers_are_followed(name: str) -> None:
    optimization = pytest.importorskip("transformers.optimization", reason="transformers is not installed")
    own = {"warmup_stable_decay": {"num_decay_steps": 20}, "cosine_with_min_lr": {"min_lr": 0.01}}.get(name)
    measured, used, warnings = train(
        lambda optimizer: optimization.get_scheduler(name, optimizer, 10, STEPS, scheduler_specific_kwargs=own),
        each_step,
    )
    assert [fields.get("lrAhead") for fields in measured[2 : STEPS - 20]] == pytest.approx(used[22:], rel=1e-9)
    assert warnings == []


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
    factor = 1.0

    def after(step: int, _: Any, scheduler: Any) -> None:
        nonlocal factor
        factor = 1.0 if step < 30 else 0.5
        scheduler.step()

    measured, _, warnings = train(
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: factor * math.exp(-step / 50)), after
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
