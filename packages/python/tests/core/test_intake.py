"""What is logged, and what becomes of it."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from evenkeel import values
from evenkeel.drops import DropCount
from evenkeel.intake import ALIASES, StepIntake
from evenkeel.numbering import Numbering
from evenkeel.warn import Warner
from evenkeel.wire.limits import MAX_CUSTOM_SCALARS


def taken(logged: dict[Any, Any], layers: int = 2) -> tuple[dict[str, Any], dict[tuple[str, str], int]]:
    drops = DropCount()
    intake = StepIntake(drops, Warner())
    intake.layers = layers
    frozen = {name: values.freeze(value) for name, value in logged.items()}
    step = intake.take(3, 1.7e12, frozen, ALIASES) or {}
    return step, {(each.field, each.reason): each.count for each in drops.values()}


def test_numbers_of_every_kind_are_taken() -> None:
    logged = {
        "loss": np.float32(0.5),
        "lr": Decimal("0.25"),
        "tokens": np.int64(2**40),
        "a": True,
        "b": 3,
        "c": np.array(1.5),
        "d": np.array([2.5]),
        "e": np.float16(4),
    }
    step, drops = taken(logged)
    assert step == {
        "step": 3,
        "time": 1.7e12,
        "loss": 0.5,
        "lr": 0.25,
        "tokens": 2**40,
        "custom": {"a": 1.0, "b": 3.0, "c": 1.5, "d": 2.5, "e": 4.0},
    }
    assert drops == {}


def test_values_that_are_not_finite_are_values() -> None:
    step, drops = taken({"loss": float("nan"), "gradNorm": np.float32("inf"), "x": -math.inf})
    assert math.isnan(step["loss"])
    assert step["gradNorm"] == math.inf
    assert step["custom"] == {"x": -math.inf}
    assert drops == {}


def test_a_bad_value_costs_itself_and_is_counted() -> None:
    logged = {
        "loss": "high",
        "lr": 0.1,
        "tokens": 1.5,
        "tevQuantiles": [1, 2, 3],
        "layerGradVar": [1.0, object()],
        "image": np.zeros((64, 64)),
        "none": None,
        "big": 10**400,
        "": 1,
        "__proto__": 1,
        "half \ud800": 1,
    }
    step, drops = taken(logged)
    assert step == {"step": 3, "time": 1.7e12, "lr": 0.1}
    assert drops == {
        ("loss", "not a number"): 1,
        ("tokens", "not a whole number"): 1,
        ("tevQuantiles", "wrong length"): 1,
        ("layerGradVar", "not a number"): 1,
        ("custom.image", "not a number"): 1,
        ("custom.big", "not a number"): 1,
        ("custom.", "bad name"): 1,
        ("custom.__proto__", "bad name"): 1,
        ("custom.half \ufffd", "bad name"): 1,
    }


def test_names_within_names_are_joined_and_known_names_become_fields() -> None:
    step, _ = taken({"train/loss": 2.0, "learning_rate": 0.1, "eval": {"loss": 3.0, "deep": {"x": 4.0}}})
    assert step == {
        "step": 3,
        "time": 1.7e12,
        "loss": 2.0,
        "lr": 0.1,
        "custom": {"eval.loss": 3.0, "eval.deep.x": 4.0},
    }


def test_a_field_by_its_own_name_goes_before_another_name_of_it() -> None:
    step, _ = taken({"train/loss": 2.0, "loss": 1.0})
    assert step == {"step": 3, "time": 1.7e12, "loss": 1.0, "custom": {"train/loss": 2.0}}


def test_names_beyond_the_limit_are_left_out_and_known_ones_still_taken() -> None:
    drops = DropCount()
    intake = StepIntake(drops, Warner())
    intake.take(0, 1.7e12, {f"name {at}": 1.0 for at in range(MAX_CUSTOM_SCALARS)}, {})
    step = intake.take(1, 1.7e12, {"name 0": 2.0, "one more": 2.0}, {})
    assert step is not None
    assert step["custom"] == {"name 0": 2.0}
    assert drops.total == 1


def test_what_changes_after_it_was_logged_does_not_show() -> None:
    array, listed = np.zeros(3), [1.0, 2.0]
    frozen = {"array": values.freeze(array), "list": values.freeze(listed)}
    array += 1
    listed.append(3.0)
    assert frozen == {"array": [0.0, 0.0, 0.0], "list": [1.0, 2.0]}


def test_warnings_come_at_powers_of_ten(capsys: pytest.CaptureFixture[str]) -> None:
    warn = Warner()
    for _ in range(150):
        warn("it is late")
    assert capsys.readouterr().err.splitlines() == [
        "evenkeel: it is late",
        "evenkeel: it is late (10 times so far)",
        "evenkeel: it is late (100 times so far)",
    ]


def test_logs_without_numbers_are_counted_and_a_number_moves_the_count() -> None:
    numbering = Numbering()
    given = [None, None, 10, None, 3, None]
    assert [numbering.of_log(step, None) for step in given] == [0, 1, 10, 11, 3, 12]


def test_a_log_belongs_to_the_optimizer_step_just_taken() -> None:
    numbering = Numbering()
    assert [numbering.of_log(None, count) for count in (0, 1, 2, 2, 5)] == [0, 0, 1, 1, 4]
    assert [numbering.of_measurement(count) for count in (1, 2, 3, 5)] == [0, 1, 2, 4]


def test_the_number_of_a_log_moves_the_numbers_of_optimizer_steps() -> None:
    numbering = Numbering()
    assert numbering.of_log(1010, 10) == 1010
    assert [numbering.of_measurement(count) for count in (1, 9, 10, 11)] == [1001, 1009, 1010, 1011]
    assert numbering.of_log(None, 12) == 1012


def test_optimizer_steps_between_two_logs_lie_between_their_numbers() -> None:
    numbering = Numbering()
    numbering.of_log(4, 1)  # a loop that counts micro-batches, four to a step
    numbering.of_log(16, 4)
    assert [numbering.of_measurement(count) for count in (1, 2, 3, 4)] == [4, 8, 12, 16]


def test_the_mean_loss_in_a_summary_of_the_training_is_not_the_loss_of_a_step() -> None:
    step, _ = taken({"train_runtime": 60.0, "train_loss": 3.5})
    assert "loss" not in step
    assert step["custom"] == {"train_runtime": 60.0, "train_loss": 3.5}
    step, _ = taken({"train_loss": 3.5})
    assert step["loss"] == 3.5
