"""A run's configuration, as JSON can carry it."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from evenkeel.wire.limits import MAX_CONFIG_DEPTH, MAX_CONFIG_LENGTH
from evenkeel.wire.text import storable_text

_MAX_SAFE_INTEGER = 2**53 - 1


def to_config(values: object) -> dict[str, Any]:
    """A configuration as the protocol wants it, of a mapping, a namespace or a dataclass.

    NaN, infinities and integers beyond 2^53 become objects with the key `$number`; what JSON has no form for becomes
    its text.

    Raises:
        ValueError: where it is no mapping, or larger than a server takes.
    """
    given = as_mapping(values)
    if given is None:
        raise ValueError("config: must be a dict, a namespace or a dataclass")
    config = {_text(key): _to_json(value, 1) for key, value in given.items()}
    check_config(config)
    return config


def from_config(value: Any) -> Any:
    """A configuration as Python has it, of what `to_config` made."""
    if isinstance(value, list):
        return [from_config(each) for each in value]
    if not isinstance(value, dict):
        return value
    number = value.get("$number")
    if len(value) == 1 and isinstance(number, str):
        if number in ("NaN", "Infinity", "-Infinity"):
            return float(number)
        if re.fullmatch(r"0|-?[1-9][0-9]*", number):
            return int(number)
    return {key: from_config(each) for key, each in value.items()}


def check_config(config: dict[str, Any]) -> None:
    """Raises a ValueError where a configuration is longer than a server takes."""
    text = json.dumps(config, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode("utf-16-le")) // 2 > MAX_CONFIG_LENGTH:
        raise ValueError(f"config: longer than {MAX_CONFIG_LENGTH} characters as JSON")


def as_mapping(value: object) -> Mapping[Any, Any] | None:
    """The fields of a mapping, a namespace or a dataclass; None of anything else."""
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        return {key: each for key, each in vars(value).items() if not key.startswith("_")}
    return None


def _to_json(value: object, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= _MAX_SAFE_INTEGER else {"$number": str(int(value))}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$number": _name_of(value)}
    if isinstance(value, str):
        return _text(value)
    return _compound_to_json(value, depth)


def _compound_to_json(value: object, depth: int) -> Any:
    if depth >= MAX_CONFIG_DEPTH:
        return _text(value)
    if isinstance(value, (list, tuple)):
        return [_to_json(each, depth + 1) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_to_json(each, depth + 1) for each in value), key=str)
    if isinstance(value, Mapping) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return {_text(key): _to_json(each, depth + 1) for key, each in (as_mapping(value) or {}).items()}
    number = getattr(value, "item", None)  # a scalar of numpy or torch
    if callable(number) and getattr(value, "ndim", None) == 0:
        return _to_json(number(), MAX_CONFIG_DEPTH)
    return _text(value)


def _name_of(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _text(value: object) -> str:
    return storable_text(str(value), MAX_CONFIG_LENGTH)
