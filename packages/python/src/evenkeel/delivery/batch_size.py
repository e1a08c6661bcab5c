"""How large the next batch may be."""

from __future__ import annotations

from evenkeel.wire.batches import MAX_BATCH_BYTES

# Bytes of the first batch: it passes a link of 4 KB/s within 20 s, after which the server closes a silent connection.
_FIRST_BYTES = 80 * 1024
# Late answers make a batch no smaller than this: a slow server is not helped by more messages.
_MIN_BYTES_LATE = 16 * 1024
# Seconds from sending a batch to its answer that let the next one grow, and shrink.
_QUICK_ANSWER = 1.0
_LATE_ANSWER = 4.0


class BatchSize:
    """Bytes of the next batch: they halve after a late answer, and double after a quick one to a full batch."""

    def __init__(self) -> None:
        self.bytes = _FIRST_BYTES

    def answered(self, sent: int, elapsed: float) -> None:
        """A batch of so many bytes was answered after so many seconds."""
        if elapsed > _LATE_ANSWER:
            self._shrink(sent, _MIN_BYTES_LATE)
        elif elapsed < _QUICK_ANSWER and sent > self.bytes / 2:
            self.bytes = min(2 * self.bytes, MAX_BATCH_BYTES)

    def broke(self, sent: int, elapsed: float) -> None:
        """The connection broke so many seconds after a batch was sent: the link may be too slow for it."""
        if elapsed > _LATE_ANSWER:
            self._shrink(sent, 1)

    def _shrink(self, sent: int, minimum: int) -> None:
        self.bytes = min(self.bytes, max(min(sent, self.bytes) // 2, minimum))
