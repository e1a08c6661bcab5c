"""Reads runs, their steps and their alerts from a server."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Union, overload

from evenkeel.reading.client import ApiError, BrokenOffError, Client
from evenkeel.reading.rows import Row, parse_row, to_columns, to_pandas, to_polars
from evenkeel.wire.config import from_config

__all__ = ["Alert", "Api", "ApiError", "StoredRun"]

Filter = Union[str, Mapping[str, Any]]
"""What narrows a list: the query of the board's address, such as `"status=running&config=lr=0.1"`, or the same as a
mapping, `{"status": ["running", "lost"], "config": {"lr": 0.1}}`."""

_PAGE_ROWS = 200
_ALERT_TIMES = ("openedAt", "acknowledgedAt", "resolvedAt", "notedAt", "feedbackAt")
_TIMEOUT = 90.0


class Api:
    """Reads from a server what it has recorded.

    Args:
        server: its address; else EVENKEEL_SERVER, else this machine's.
        key: its access token, if it has one; else EVENKEEL_ACCESS_TOKEN. An ingest key only records.
        timeout: seconds that the server may be silent.

    Raises:
        ValueError: where the address is none. Every method raises an `ApiError` where the server refuses or is away.
    """

    def __init__(self, server: str | None = None, key: str | None = None, *, timeout: float = _TIMEOUT) -> None:
        self._client = Client(server, key, timeout)

    def runs(self, filter: Filter | None = None, *, sort: str | None = None) -> Iterator[StoredRun]:
        """Runs, the newest first; they are read by pages, as they are needed.

        Args:
            filter: which runs: `q`, `status`, `project`, `tag`, `config`, `risk`, `within`, `from`, `before` and
                `archived`, as in the board's address.
            sort: by what, such as `"loss"`, or `"-risk"` for the greatest first.
        """
        query = {**_query(filter), "limit": _PAGE_ROWS, **({} if sort is None else {"sort": sort})}
        for summary in self._client.pages("/runs", "runs", query):
            yield StoredRun(self._client, summary)

    def run(self, id: str) -> StoredRun:
        """One run by its id."""
        return StoredRun(self._client, self._client.read(f"/runs/{_quoted(id)}"))

    def alerts(self, filter: Filter | None = None) -> Iterator[Alert]:
        """Alerts of all runs, the newest first; they are read by pages, as they are needed.

        Args:
            filter: which alerts: `run`, `status`, `rule`, `severity`, `project`, `q` and `within`.
        """
        return _alerts(self._client, _query(filter))


@dataclass(frozen=True)
class Alert:
    """What a rule found in a run."""

    id: str
    run: str
    run_name: str
    project: str
    rule: str
    severity: str
    status: str
    attempt: int
    step: int
    message: str
    evidence: Mapping[str, float]
    window: tuple[int, int]
    risk: float | None
    divergence_step: int | None
    opened_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    note: str | None
    noted_by: str | None
    noted_at: datetime | None
    feedback: str | None
    feedback_by: str | None
    feedback_at: datetime | None
    outcome: str
    onset: int | None
    late: bool


class StoredRun:
    """A run as it was when it was read."""

    def __init__(self, client: Client, answer: dict[str, Any]) -> None:
        """Use `Api.run` or `Api.runs`."""
        self._client = client
        self._answer = answer

    def __repr__(self) -> str:
        return f"<StoredRun {self.id} {self.project} / {self.name}, {self.status}>"

    @property
    def id(self) -> str:
        return str(self._answer["id"])

    @property
    def url(self) -> str:
        """Of its page."""
        return f"{self._client.server}/runs/{self.id}"

    @property
    def project(self) -> str:
        return str(self._answer["project"])

    @property
    def name(self) -> str:
        return str(self._answer["name"])

    @property
    def status(self) -> str:
        """`running`, `finished`, `stopped`, `failed` or `lost`."""
        return str(self._answer["status"])

    @property
    def reason(self) -> str | None:
        """Why it ended."""
        return self._text("reason")

    @property
    def owner(self) -> str | None:
        return self._text("owner")

    @property
    def tags(self) -> list[str]:
        return list(self._answer["tags"])

    @property
    def started_at(self) -> datetime:
        return _time(self._answer["startedAt"])

    @property
    def ended_at(self) -> datetime | None:
        return _time_or_none(self._answer["endedAt"])

    @property
    def last_step(self) -> int | None:
        """The newest step."""
        step: int | None = self._answer["lastStep"]
        return step

    @property
    def loss(self) -> float | None:
        """The last loss."""
        return _float_or_none(self._answer["loss"])

    @property
    def tev_mean(self) -> float | None:
        """The last mean of TEV."""
        return _float_or_none(self._answer["tevMean"])

    @property
    def risk(self) -> float | None:
        """Of divergence within 100 steps, as last forecast."""
        return _float_or_none(self._answer["risk"])

    @property
    def config(self) -> dict[str, Any]:
        """The configuration."""
        config: dict[str, Any] = from_config(self._detail("config"))
        return config

    @property
    def notes(self) -> str:
        return str(self._detail("notes"))

    @property
    def layers(self) -> list[str]:
        """Names of the layers, in the order of the arrays by layer."""
        return list(self._detail("layers"))

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """Its attempts, with policy, bounds and end of each, as the HTTP API has them."""
        return list(self._detail("attempts"))

    @property
    def dropped(self) -> list[dict[str, Any]]:
        """Values that were left out of its steps: field, reason and count of each."""
        return list(self._detail("dropped"))

    def keys(self) -> list[str]:
        """The names of its custom scalars, as `history` takes them."""
        return list(self._client.pages(f"/runs/{self.id}/keys", "keys", {"limit": _PAGE_ROWS}))

    def alerts(self) -> list[Alert]:
        """Its alerts, the newest first."""
        return list(_alerts(self._client, {"run": self.id}))

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        attempt: int | None = None,
    ) -> Iterator[Row]:
        """Every step as it is stored, in ascending order, while it arrives.

        A row holds `attempt`, `step`, `time` (milliseconds since 1970) and those values that the step carries. An
        answer that breaks off is continued where it did.

        Args:
            keys: fields of a step and names of custom scalars; steps that carry none of them are left out. Without
                them every scalar; arrays such as `tevQuantiles` are given where they are named. `custom:` before a
                name is for a custom scalar that has the name of a field.
            start: the first step.
            end: the last step, included.
            attempt: every step that this attempt stored. Without it the run's timeline, as charts draw it: without
                steps that a later attempt superseded, outliers and removed steps.
        """
        if isinstance(keys, str):
            raise ValueError(f'keys: must be a list, such as ["{keys}"]')
        query = {"key": None if keys is None else list(keys), "to": end, "attempt": attempt}
        if keys is not None and not list(keys):
            raise ValueError("keys: name one at least, or leave them out for every scalar")
        while True:
            known = {name: value for name, value in {**query, "from": start}.items() if value is not None}
            begun = start
            try:
                for line in self._client.lines(f"/runs/{self.id}/history", known):
                    row = parse_row(line)
                    start = row["step"] + 1
                    yield row
                return
            except BrokenOffError:
                if start == begun:
                    raise

    @overload
    def history(
        self,
        keys: Sequence[str] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        attempt: int | None = None,
        format: Literal["dicts"] = "dicts",
    ) -> list[Row]: ...

    @overload
    def history(
        self,
        keys: Sequence[str] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        attempt: int | None = None,
        format: Literal["pandas", "polars"],
    ) -> Any: ...

    def history(
        self,
        keys: Sequence[str] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        attempt: int | None = None,
        format: str = "dicts",
    ) -> Any:
        """All rows of `scan_history`, whose other arguments it has.

        Args:
            format: `"dicts"`, a list of rows; `"pandas"` or `"polars"`, a data frame with a column for each key and
                `time` as an instant. Where a step does not carry a value, pandas has NaN and polars has null.
        """
        if format not in ("dicts", "pandas", "polars"):
            raise ValueError('format: must be "dicts", "pandas" or "polars"')
        rows = self.scan_history(keys, start, end, attempt=attempt)
        if format == "dicts":
            return list(rows)
        columns = to_columns(rows, keys)
        return to_pandas(columns) if format == "pandas" else to_polars(columns)

    def _text(self, name: str) -> str | None:
        value: str | None = self._answer[name]
        return value

    def _detail(self, name: str) -> Any:
        """What a list of runs does not hold is read when it is asked for."""
        if name not in self._answer:
            self._answer = self._client.read(f"/runs/{self.id}")
        return self._answer[name]


def _alerts(client: Client, query: Mapping[str, Any]) -> Iterator[Alert]:
    for answer in client.pages("/alerts", "alerts", {**query, "limit": _PAGE_ROWS}):
        times = {name: _time_or_none(answer[name]) for name in _ALERT_TIMES}
        fields = {**answer, **times, "window": tuple(answer["window"])}
        known = {_snake_case(name): value for name, value in fields.items()}
        yield Alert(**{name: known[name] for name in Alert.__dataclass_fields__})


def _query(filter: Filter | None) -> dict[str, Any]:
    """The parameters of a filter. A text may be a whole address, copied from the browser."""
    if filter is None:
        return {}
    if isinstance(filter, str):
        given = filter.partition("?")[2] if "?" in filter else filter
        return dict(urllib.parse.parse_qsl(given, keep_blank_values=True))
    return {name: _value(value) for name, value in filter.items() if value is not None}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone().isoformat()
    if isinstance(value, Mapping):
        return ",".join(f"{key}={_escaped(_value(each))}" for key, each in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(_value(each) for each in value)
    return str(value)


def _escaped(value: str) -> str:
    return re.sub(r"([\\,])", r"\\\1", value)


def _quoted(id: str) -> str:
    return urllib.parse.quote(str(id), safe="")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _float_or_none(value: float | str | None) -> float | None:
    return None if value is None else float(value)


def _snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter.group().lower()}", name)
