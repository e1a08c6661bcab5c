"""Rows of steps, and tables of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from evenkeel.wire.frame import ARRAYS

_OF_EVERY_ROW = ("attempt", "step", "time")
_INTEGERS = frozenset((*_OF_EVERY_ROW, "tokens"))

Row = dict[str, Any]


def parse_row(line: bytes) -> Row:
    """A step of a line of JSON: floats, with NaN and infinities; what it does not carry is not in it."""
    return {name: value if name in _INTEGERS else _floats(value) for name, value in json.loads(line).items()}


def _floats(value: Any) -> Any:
    return [float(each) for each in value] if isinstance(value, list) else float(value)


def to_columns(rows: Iterable[Row], keys: Sequence[str] | None) -> dict[str, list[Any]]:
    """The values of rows by name, as many of each as there are rows; None where a row carries none."""
    columns: dict[str, list[Any]] = {name: [] for name in (*_OF_EVERY_ROW, *(keys or ()))}
    count = 0
    for row in rows:
        for name, value in row.items():
            column = columns.setdefault(name, [])
            column.extend([None] * (count - len(column)))
            column.append(value)
        count += 1
    for column in columns.values():
        column.extend([None] * (count - len(column)))
    return columns


def to_pandas(columns: dict[str, list[Any]]) -> Any:
    """A `pandas.DataFrame`. An absent value is NaN, as a NaN that was logged is."""
    import pandas

    def series(name: str, values: list[Any]) -> Any:
        if name == "time":
            return pandas.to_datetime(pandas.Series(values, dtype="int64"), unit="ms", utc=True)
        if name in ARRAYS:
            return pandas.Series(values, dtype="object")
        if name == "tokens":
            return pandas.Series(values, dtype="Int64")
        return pandas.Series(values, dtype="int64" if name in _OF_EVERY_ROW else "float64")

    return pandas.DataFrame({name: series(name, values) for name, values in columns.items()})


def to_polars(columns: dict[str, list[Any]]) -> Any:
    """A `polars.DataFrame`. An absent value is null."""
    import polars

    def series(name: str, values: list[Any]) -> Any:
        if name == "time":
            return polars.Series(name, values, dtype=polars.Int64).cast(polars.Datetime("ms", "UTC"))
        if name in _INTEGERS:
            return polars.Series(name, values, dtype=polars.Int64)
        return polars.Series(name, values, dtype=polars.List(polars.Float64) if name in ARRAYS else polars.Float64)

    return polars.DataFrame([series(name, values) for name, values in columns.items()])
