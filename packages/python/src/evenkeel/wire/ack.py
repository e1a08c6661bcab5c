"""The server's answer to a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union


@dataclass(frozen=True)
class Dropped:
    """A value that was left out of `count` steps which were stored otherwise."""

    field: str
    reason: str
    count: int

    def to_wire(self) -> dict[str, Any]:
        return {"field": self.field, "reason": self.reason, "count": self.count}


@dataclass(frozen=True)
class Accepted:
    """The server took the message, and what it does is durable."""

    attempt: int | None = None
    """The attempt that was started, or that steps were stored as."""
    newest_step: int | None = None
    """The last step of the run's newest attempt, in the answer to `run:start`."""
    dropped: tuple[Dropped, ...] = ()
    conflicts: tuple[tuple[str, int], ...] = ()
    """Fields and steps for which another emitter sent another value."""
    warning: str | None = None


@dataclass(frozen=True)
class Refusal:
    """The server refused the message."""

    error: str
    field: str = ""
    retry: bool = False
    """Whether the same message can succeed later."""

    def to_wire(self) -> dict[str, Any]:
        return {"error": self.error, "field": self.field, "retry": self.retry}

    def __str__(self) -> str:
        return f"{self.field}: {self.error}" if self.field else self.error


Ack = Union[Accepted, Refusal]

UNREADABLE = Refusal("the server gave an answer that this client cannot read", retry=True)


def parse_refusal(answer: object) -> Refusal | None:
    """A refusal as it came over the wire; None where it is none."""
    if not isinstance(answer, dict):
        return None
    error, where, retry = answer.get("error"), answer.get("field"), answer.get("retry")
    if isinstance(error, str) and isinstance(where, str) and isinstance(retry, bool):
        return Refusal(error, where, retry)
    return None


def parse_ack(answer: object) -> Ack:
    """An answer as it came over the wire. What cannot be read counts as refused for now: it is no proof of anything."""
    refusal = parse_refusal(answer)
    if refusal:
        return refusal
    if not isinstance(answer, dict) or answer.get("ok") is not True:
        return UNREADABLE
    try:
        return _parse_accepted(answer)
    except (KeyError, TypeError):
        return UNREADABLE


def _parse_accepted(answer: dict[str, Any]) -> Accepted:
    newest = answer.get("newest") or {}
    return Accepted(
        attempt=_whole(answer.get("attempt")),
        newest_step=_whole(newest.get("lastStep")),
        dropped=tuple(Dropped(each["field"], each["reason"], each["count"]) for each in answer.get("dropped") or ()),
        conflicts=tuple((each["field"], each["step"]) for each in answer.get("conflicts") or ()),
        warning=answer.get("warning"),
    )


def _whole(value: object) -> int | None:
    if value is None or isinstance(value, int):
        return value
    raise TypeError("not a whole number")
