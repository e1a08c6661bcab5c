"""The size of an update, against copies of the weights and the algorithm of AdamW in float64."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytest.importorskip("torch.nn", reason="PyTorch is not installed: nothing of evenkeel.torch is tested")

import torch
from torch import nn
from training import Model, micro_batch

from evenkeel.torch import Watch

RATE, BETAS, EPS, DECAY = 0.01, (0.9, 0.95), 1e-8, 0.1


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=RATE, betas=BETAS, eps=EPS, weight_decay=DECAY)


def backward(model: nn.Module, step: int) -> None:
    model.zero_grad()
    for at in range(2):
        (model(micro_batch(10 * step + at)) / 2).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)


def reference(steps: int) -> list[dict[str, float]]:
    """From the weights themselves, and with sums of all former gradients written out in place of a running mean."""
    model = Model().double()
    optimizer = adamw(model)
    gradients: list[torch.Tensor] = []
    found = []
    for step in range(steps):
        backward(model, step)
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))  # type: ignore
        before = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        optimizer.step()
        after = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        shares = [BETAS[1] ** (step - at) for at in range(step + 1)]
        moment = sum(share * each.square() for share, each in zip(shares, gradients)) / sum(shares)
        ratios = gradients[-1].square() / torch.clamp(moment, min=EPS**2)
        found.append(
            {
                "updateShare": float((after - before).square().sum().sqrt() / before.square().sum().sqrt()),
                "updateRms": float(ratios.mean().sqrt()),
            }
        )
    return found


def watched(
    make: Any = adamw, steps: int = 4, model: nn.Module | None = None, **options: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    model = model or Model()
    warnings: list[str] = []
    optimizer = make(model)
    watch = Watch(model, optimizer, warn=warnings.append, updates=True, **options)
    for step in range(steps):
        backward(model, step)
        optimizer.step()
    measured = [fields for _, fields in watch.take()]
    watch.close()
    return measured, warnings


def test_of_each_step_with_clipped_gradients() -> None:
    measured, warnings = watched()
    expected = reference(4)
    assert expected[0]["updateRms"] == pytest.approx(1, rel=0.1)  # where each moment is of one gradient alone
    for fields, wanted in zip(measured, expected):
        assert {name: fields[name] for name in wanted} == pytest.approx(wanted, rel=2e-4)
    assert warnings == []


def test_measures_only_steps_that_are_due() -> None:
    measured, _ = watched(every=3)
    assert [at for at, fields in enumerate(measured) if "updateShare" in fields] == [0, 3]
    assert measured[3]["updateShare"] == pytest.approx(reference(4)[3]["updateShare"], rel=2e-4)


def test_an_optimizer_without_second_moments_has_a_share_alone() -> None:
    measured, warnings = watched(lambda model: torch.optim.SGD(model.parameters(), lr=0.1), steps=1)
    model = Model()
    before = copy.deepcopy(model)
    backward(model, 0)
    change = sum(0.01 * float(parameter.grad.square().sum()) for parameter in model.parameters())  # type: ignore
    weights = sum(float(parameter.detach().square().sum()) for parameter in before.parameters())
    assert measured[0]["updateShare"] == pytest.approx((change / weights) ** 0.5, rel=1e-4)
    assert "updateRms" not in measured[0]
    assert warnings == []


def test_frozen_parameters_do_not_count() -> None:
    model = Model()
    model.wte.requires_grad_(False)
    measured, warnings = watched(lambda model: torch.optim.SGD(model.parameters(), lr=0.1), 1, model)
    free = Model()
    free.wte.requires_grad_(False)
    backward(free, 0)
    trained = [parameter for parameter in free.parameters() if parameter.requires_grad]
    change = sum(0.01 * float(parameter.grad.square().sum()) for parameter in trained)  # type: ignore
    weights = sum(float(parameter.detach().square().sum()) for parameter in trained)
    assert measured[0]["updateShare"] == pytest.approx((change / weights) ** 0.5, rel=1e-4)
    assert warnings == []


def test_is_absent_where_one_optimizer_has_only_some_parameters() -> None:
    measured, warnings = watched(lambda model: torch.optim.AdamW(model.wte.parameters()))
    assert not [fields for fields in measured if "updateShare" in fields or "updateRms" in fields]
    assert warnings[0] == "updateShare is absent: no single optimizer has all parameters that train"


def test_a_step_that_a_scaler_skips_is_none() -> None:
    model = Model()
    optimizer = adamw(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    watch = Watch(model, optimizer, grad_variance=False, updates=True)
    for step in range(3):
        model.zero_grad()
        loss = model(micro_batch(step)) * (float("inf") if step == 1 else 1)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    measured = watch.take()
    watch.close()
    assert [("updateShare" in fields, "updateRms" in fields) for _, fields in measured] == [(True, True)] * 2


def test_nothing_is_copied_unless_asked_for() -> None:
    model = Model()
    optimizer = adamw(model)
    watch = Watch(model, optimizer)
    backward(model, 0)
    optimizer.step()
    [(_, fields)] = watch.take()
    watch.close()
    assert "updateShare" not in fields
    assert "updateRms" not in fields
