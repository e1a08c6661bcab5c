"""Steps of what was logged. A bad value costs itself and not the step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evenkeel import values
from evenkeel.drops import DropCount
from evenkeel.warn import Warner
from evenkeel.wire.frame import ARRAYS, SCALARS, Step
from evenkeel.wire.limits import (
    MAX_CUSTOM_SCALARS,
    MAX_SCALAR_NAME_LENGTH,
    MAX_STEP,
    MAX_TOKENS,
    MIN_STEP,
    TEV_QUANTILE_COUNT,
)
from evenkeel.wire.text import is_storable, printable, storable_text

FIELDS = frozenset((*SCALARS, *ARRAYS))
"""What the rules and charts know by name; every other name is a custom scalar."""

ALIASES = {
    "tev_mean": "tevMean",
    "tev_std": "tevStd",
    "tev_quantiles": "tevQuantiles",
    "grad_var": "gradVar",
    "layer_grad_var": "layerGradVar",
    "layer_out_var": "layerOutVar",
    "grad_norm": "gradNorm",
    "lr_ahead": "lrAhead",
    "update_share": "updateShare",
    "update_rms": "updateRms",
    "attention_logit_max": "attentionLogitMax",
    "learning_rate": "lr",
    "train_loss": "loss",
    "train/loss": "loss",
    "train/grad_norm": "gradNorm",
    "train/learning_rate": "lr",
    "train/lr": "lr",
}
"""Names by which trainers and frameworks log a step's fields. `define_metric` adds others."""

# The Trainer of transformers ends with a summary of the whole training: this beside the mean loss as `train_loss`.
_OF_SUMMARY = "train_runtime"

_REASONS = {
    "not a number": "is no number",
    "not a whole number": "is no whole number in range",
    "wrong length": "has another number of values than it must have",
    "bad name": f"is no name of 1 to {MAX_SCALAR_NAME_LENGTH} characters",
    "too many names": f"a run has at most {MAX_CUSTOM_SCALARS:,} custom scalars",
}


class StepIntake:
    """Makes steps of what was logged. What a server would leave out is left out here, counted and warned of."""

    def __init__(self, drops: DropCount, warn: Warner) -> None:
        self._drops = drops
        self._warn = warn
        self._names: set[str] = set()
        self.layers = 0
        """How many layers the run names: arrays by layer have as many values."""

    def take(self, number: int, time: float, logged: Mapping[str, Any], fields: Mapping[str, str]) -> Step | None:
        """A step of the values that were logged under `number`; None where nothing of it can be kept.

        `fields` names fields of a step by the names under which they are logged; a field logged by its own name goes
        before one logged by another.
        """
        step: Step = {"step": number, "time": time}
        custom: dict[str, float] = {}
        for name, value in _flat(logged):
            field = name if name in FIELDS else fields.get(name)
            if name == "train_loss" and _OF_SUMMARY in logged:
                field = None
            if field is None or (field != name and field in logged):
                self._take_custom(custom, name, value)
            else:
                self._take_field(step, field, value)
        if custom:
            step["custom"] = custom
        return step if len(step) > 2 else None

    def drop_step(self) -> None:
        """A step without a usable number came."""
        self._report("step", "not a whole number", "a step was dropped")

    def _take_field(self, step: Step, field: str, value: Any) -> None:
        value = values.read(value)
        if value is None:
            return
        taken: Any
        if field in ARRAYS:
            taken, reason = self._array(field, value)
        elif field == "tokens":
            taken, reason = values.as_count(value, MAX_TOKENS), "not a whole number"
        else:
            taken, reason = values.as_number(value), "not a number"
        if taken is None:
            self._report(field, reason)
        else:
            step[field] = taken

    def _array(self, field: str, value: Any) -> tuple[list[float] | None, str]:
        if not isinstance(value, list):
            return None, "not a number"
        if len(value) != (TEV_QUANTILE_COUNT if field == "tevQuantiles" else self.layers):
            return None, "wrong length"
        numbers = [number for number in map(values.as_number, map(values.read, value)) if number is not None]
        return (numbers, "") if len(numbers) == len(value) else (None, "not a number")

    def _take_custom(self, custom: dict[str, float], name: str, value: Any) -> None:
        value = values.read(value)
        if value is None:
            return
        field = f"custom.{storable_text(name, 200)}"
        number = values.as_number(value)
        if not _is_scalar_name(name):
            self._report(field, "bad name")
        elif number is None:
            self._report(field, "not a number")
        elif name not in self._names and len(self._names) >= MAX_CUSTOM_SCALARS:
            self._report(field, "too many names")
        else:
            self._names.add(name)
            custom[name] = number

    def _report(self, field: str, reason: str, what: str = "a value was left out") -> None:
        self._drops.add(field, reason)
        kind = reason if reason == "too many names" else f"{reason} {field}"
        self._warn(f"{what}: {printable(field)}: {_REASONS[reason]}", kind)


def is_step_number(number: int | None) -> bool:
    return number is not None and MIN_STEP <= number <= MAX_STEP


def _is_scalar_name(name: str) -> bool:
    return 1 <= len(name) <= MAX_SCALAR_NAME_LENGTH and name != "__proto__" and is_storable(name)


def _flat(logged: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values, those of a mapping within a mapping under both names, joined by a dot."""
    for key, value in logged.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def layer_names(names: Sequence[object]) -> list[str]:
    """Names of layers as the protocol wants them."""
    return [storable_text(str(name), 200) or "layer" for name in names]
