"""What waits for the server, while the disk fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evenkeel.delivery.outbox import Outbox
from evenkeel.delivery.spool_file import SpoolFile
from evenkeel.drops import DropCount
from evenkeel.warn import Warner
from evenkeel.wire import spool_record
from evenkeel.wire.batches import frames_of
from evenkeel.wire.spool_record import SpoolReader

RUN = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_steps_that_could_not_be_written_are_written_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def describe() -> dict[str, Any]:
        return {"server": "http://127.0.0.1:9", "start": {"run": RUN, "attempt": 1}}

    def full(*_: Any) -> None:
        raise OSError("no space left")

    outbox = Outbox(folder=tmp_path, describe=describe, drops=DropCount(), warn=Warner())
    outbox.add(frames_of(RUN, 1, [{"step": 0, "time": 2e12, "loss": 1.0}]))
    outbox.spool()
    with monkeypatch.context() as patch:
        patch.setattr(SpoolFile, "append", full)
        outbox.add(frames_of(RUN, 1, [{"step": 1, "time": 2e12, "loss": 1.0}]))
    path = outbox.close({"status": "finished"}, is_delivered=False)
    assert path
    with path.open("rb") as file:
        reader = SpoolReader(file)
        records = [(record.type, record.count) for record in iter(reader.next, None)]
    assert records == [
        (spool_record.START, 0),
        (spool_record.STEPS, 1),
        (spool_record.STEPS, 1),
        (spool_record.FINISH, 0),
    ]
