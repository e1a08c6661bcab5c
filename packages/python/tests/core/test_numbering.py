"""Numbers of logs and of measurements."""

from __future__ import annotations

from evenkeel.numbering import Numbering


def test_a_late_log_changes_no_number_of_the_watch() -> None:
    numbering = Numbering()
    assert numbering.of_log(100, taken=1) == 100
    assert numbering.of_log(110, taken=11) == 110
    assert numbering.of_log(105, taken=13) == 105  # an evaluation beside the training
    assert [numbering.of_measurement(at) for at in (5, 11, 12, 13)] == [104, 110, 111, 112]
    assert numbering.of_log(115, taken=16) == 115
    assert numbering.of_measurement(14) == 113


def test_measurements_before_the_first_number_are_not_below_0() -> None:
    numbering = Numbering()
    assert numbering.of_log(1, taken=11) == 1  # a loop that logs epochs
    assert [numbering.of_measurement(at) for at in (1, 6, 11)] == [0, 0, 1]
    resumed = Numbering()
    assert resumed.of_log(105, taken=3) == 105
    assert [resumed.of_measurement(at) for at in (1, 2, 3)] == [103, 104, 105]
