"""Warnings of the user, none of which ever stops the training."""

from __future__ import annotations

import contextlib
import sys
import threading

# Kinds that are counted one by one; messages of further ones are counted together, so that memory is bounded.
_MAX_KINDS = 100


class Warner:
    """Prints the first warning of each kind, then the 10th, the 100th and so on, with how many there were."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lock = threading.RLock()  # a signal handler may warn while the same thread does

    def __call__(self, message: str, kind: str | None = None) -> None:
        """Warns of a problem. Messages of the same `kind`, by default of the same text, are counted together."""
        count, is_other = self._count(message if kind is None else kind)
        if not _is_power_of_ten(count):
            return
        what = "warnings of further kinds" if is_other else "times"
        text = message if count == 1 else f"{message} ({count:,} {what} so far)"
        with contextlib.suppress(Exception):  # a warning that cannot be shown must not stop the training
            print(f"evenkeel: {text}", file=sys.stderr, flush=True)

    def forget(self, kind: str) -> None:
        """The problem of this kind is over: it is counted from the start again."""
        with self._lock:
            self._counts.pop(kind, None)

    def _count(self, kind: str) -> tuple[int, bool]:
        with self._lock:
            is_other = kind not in self._counts and len(self._counts) >= _MAX_KINDS
            key = "" if is_other else kind
            self._counts[key] = self._counts.get(key, 0) + 1
            return self._counts[key], is_other


def _is_power_of_ten(count: int) -> bool:
    return str(count).strip("0") == "1"
