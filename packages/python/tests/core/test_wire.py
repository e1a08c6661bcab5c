"""Frames, records and texts against the fixtures of the protocol."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest
from server import REPOSITORY

from evenkeel.wire import spool_record
from evenkeel.wire.ack import Accepted, Refusal, parse_ack
from evenkeel.wire.batches import MAX_BATCH_BYTES, frames_of
from evenkeel.wire.config import to_config
from evenkeel.wire.frame import encode_frame, join_frames, names_of, read_frame
from evenkeel.wire.spool_record import Record, SpoolReader
from evenkeel.wire.text import printable, storable_text

FIXTURES = REPOSITORY / "packages" / "protocol" / "fixtures"
RUN = "01890a5d-ac96-774b-bcce-b302099a8057"


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def numbers(value: Any) -> Any:
    """The values of a fixture, in which numbers that JSON cannot carry are strings."""
    if isinstance(value, dict):
        return {name: numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [numbers(each) for each in value]
    return float(value) if isinstance(value, str) else value


def test_a_frame_is_the_fixture_byte_for_byte() -> None:
    batch = fixture("batch.v2.json")
    frame = encode_frame(batch["run"], batch["attempt"], numbers(batch["steps"]))
    assert frame.data == (FIXTURES / "batch.v2.bin").read_bytes()
    assert frame.count == len(batch["steps"])
    assert read_frame(frame.data) == frame


def test_joined_frames_are_the_frame_of_all_their_steps() -> None:
    steps = [{"step": at, "time": 1.7e12, "loss": at / 2, "custom": {"a": 1.0, "λ": math.inf}} for at in range(5)]
    parts = [encode_frame(RUN, 1, steps[:2]), encode_frame(RUN, 1, steps[2:3]), encode_frame(RUN, 1, steps[3:])]
    assert join_frames(parts) == encode_frame(RUN, 1, steps)


def test_frames_with_other_names_are_not_alike() -> None:
    a = encode_frame(RUN, 1, [{"step": 0, "time": 1.7e12, "custom": {"a": 1.0}}])
    b = encode_frame(RUN, 1, [{"step": 0, "time": 1.7e12, "custom": {"b": 1.0}}])
    assert names_of(a) != names_of(b)


def test_the_attempt_of_a_frame_can_be_changed() -> None:
    steps = [{"step": 3, "time": 1.7e12, "loss": 1.0, "custom": {"a": 1.0}}]
    assert encode_frame(RUN, 1, steps).of_attempt(77) == encode_frame(RUN, 77, steps).data


def test_values_of_arrays_beyond_float32_are_infinite() -> None:
    frame = encode_frame(RUN, 1, [{"step": 0, "time": 1.7e12, "layerGradVar": [1e300, -1e300, 1.0]}])
    assert struct.unpack("<3f", frame.data[-12:]) == (math.inf, -math.inf, 1.0)


def test_a_step_too_wide_for_a_frame_becomes_several_with_every_name() -> None:
    custom = {f"{'x' * 480}{at}": float(at) for at in range(5_000)}
    frames = list(frames_of(RUN, 1, [{"step": 9, "time": 1.7e12, "loss": 1.0, "custom": custom}]))
    assert len(frames) > 1
    assert all(len(frame.data) <= MAX_BATCH_BYTES + 1024 for frame in frames)
    assert sum(struct.unpack_from("<H", frame.data, 28)[0] for frame in frames) == len(custom)


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.glob("ack.*.json")))
def test_acks_of_the_fixtures_are_read(name: str) -> None:
    given = fixture(name)
    ack = parse_ack(given)
    assert isinstance(ack, Accepted) == ("ok" in given)
    if isinstance(ack, Refusal):
        assert ack.to_wire() == given
    else:
        assert [each.to_wire() for each in ack.dropped] == given.get("dropped", [])
        assert ack.attempt == given.get("attempt")


@pytest.mark.parametrize("answer", [None, [], {}, {"ok": False}, {"ok": True, "attempt": "1"}, {"error": "no"}])
def test_an_answer_that_cannot_be_read_is_no_success(answer: object) -> None:
    ack = parse_ack(answer)
    assert isinstance(ack, Refusal)
    assert ack.retry


def test_numbers_of_a_configuration_that_json_cannot_carry_are_objects() -> None:
    config = to_config({"clip": math.inf, "mask": -math.inf, "nan": [math.nan], "seed": 2**53 + 1, "plain": 2**53 - 1})
    assert config == {
        "clip": {"$number": "Infinity"},
        "mask": {"$number": "-Infinity"},
        "nan": [{"$number": "NaN"}],
        "seed": {"$number": "9007199254740993"},
        "plain": 9007199254740991,
    }
    json.dumps(config, allow_nan=False)


def test_anything_of_a_configuration_has_a_form() -> None:
    config = to_config({"path": Path("a/b"), 3: {"x": {1, 2}}, "type": int, "nul": "a\0b"})
    assert config == {"path": "a/b", "3": {"x": [1, 2]}, "type": "<class 'int'>", "nul": "a\ufffdb"}


def test_a_configuration_that_is_too_long_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="config: longer than 65536"):
        to_config({"text": "x" * 70_000})


def test_records_come_back_and_damage_costs_only_itself(tmp_path: Path) -> None:
    records = [Record(spool_record.START, b"{}")]
    records += [Record(spool_record.STEPS, bytes([at]) * 50, count=2, before=2 * at) for at in range(4)]
    data = [record.encode() for record in records]
    damaged = bytearray(b"".join(data))
    damaged[len(data[0]) + len(data[1]) + 30] ^= 0xFF
    path = tmp_path / "spool"
    path.write_bytes(damaged + data[1][:40])  # and a torn record at the end
    with path.open("rb") as file:
        reader = SpoolReader(file)
        read = []
        while (record := reader.next()) is not None:
            read.append(record)
    assert read == [records[0], records[1], records[3], records[4]]
    assert reader.lost == 2


def test_texts_are_storable_and_printable() -> None:
    assert storable_text("a\0b\ud800c" + "x" * 10, 5) == "a\ufffdb\ufffdc"
    assert printable("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
