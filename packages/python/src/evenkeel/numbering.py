"""Under which numbers steps are sent: those of the user's loop, which need not be those of the optimizer."""

from __future__ import annotations


class Numbering:
    """Numbers logs, and the optimizer steps that were measured between them.

    A log without a number belongs to the optimizer step just taken, counted from 0; where no optimizer is watched, to
    one more than the last. A log with a number gives the optimizer step just taken this number, unless a later number
    was given before. Steps between two logs are spread evenly between their numbers, and those after the last one
    follow it one by one.
    """

    def __init__(self) -> None:
        self._next = 0
        # Optimizer steps taken and the number of the last: at the newest log with a number, and at one before it.
        self._anchor = (1, 0)
        self._former: tuple[int, int] | None = None
        self._is_given = False

    def of_log(self, step: int | None, taken: int | None) -> int:
        """The number of a log: `step` where the user says it; `taken` are the steps of a watched optimizer so far."""
        if taken is None:
            number = self._next if step is None else step
            self._next = max(self._next, number + 1)
            return number
        if step is None:
            return self._after(self._anchor, taken if self._is_given else max(taken, 1))
        if self._is_given and step <= self._anchor[1]:
            return step  # values that come late, such as those of an evaluation beside the training
        is_first_low = not self._is_given and 0 <= step < taken - 1  # the steps before it count from 0 all the same
        if taken > self._anchor[0] and (self._is_given or is_first_low):
            self._former = self._anchor
        self._anchor, self._is_given = (taken, step), True
        return step

    def of_measurement(self, taken: int) -> int:
        """The number of an optimizer step, which is counted from 1."""
        former, anchor = self._former, self._anchor
        if former is None or taken > anchor[0]:
            return self._after(anchor, taken)
        if taken <= former[0]:
            return self._after(former, taken)
        share = (taken - former[0]) / (anchor[0] - former[0])
        return round(former[1] + share * (anchor[1] - former[1]))

    @staticmethod
    def _after(anchor: tuple[int, int], taken: int) -> int:
        return anchor[1] + taken - anchor[0]
