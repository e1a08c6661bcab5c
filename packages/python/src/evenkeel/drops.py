"""Counts of what was left out of steps."""

from __future__ import annotations

from evenkeel.wire.ack import Dropped

# Fields and reasons that are counted one by one; what is left out of further fields is counted together.
_MAX_COUNTED = 1_000
_OTHER_FIELDS = "other fields"


class DropCount:
    """Counts what was left out of steps, by field and reason."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self.total = 0

    def add(self, field: str, reason: str, count: int = 1) -> None:
        key = (field, reason)
        if key not in self._counts and len(self._counts) >= _MAX_COUNTED:
            key = (_OTHER_FIELDS, reason)
        self._counts[key] = self._counts.get(key, 0) + count
        self.total += count

    def values(self) -> list[Dropped]:
        """All counts so far, in the order in which each was first counted."""
        return [Dropped(field, reason, count) for (field, reason), count in list(self._counts.items())]
