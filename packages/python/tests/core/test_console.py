"""The console is tested in processes of its own: pytest has replaced the streams of this one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from evenkeel.console import MAX_LINE_LENGTH, MAX_LINES, Console, Line

SRC = Path(__file__).parents[2] / "src"

# Writes to a file, at the end, what the console has collected.
PROGRAM = """
import json, os, sys, time
sys.path.insert(0, {src!r})
from evenkeel.console import Console
batches = []
console = Console(batches.append, every={every})
{body}
console.close()
with open(sys.argv[1], "w", encoding="utf-8") as results:
    json.dump([[vars(line) for line in lines] for lines in batches], results)
"""


def run_program(body: str, every: float = 3600) -> tuple[list[list[Line]], subprocess.CompletedProcess[str]]:
    """What the console of a program collected, by what was handed over together, and its own output."""
    program = PROGRAM.format(src=str(SRC), every=every, body=textwrap.dedent(body))
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        process = subprocess.run(
            [sys.executable, "-c", program, str(results)], capture_output=True, text=True, timeout=120, check=False
        )
        assert results.exists(), process.stderr
        collected = json.loads(results.read_text(encoding="utf-8"))
    return [[Line(**line) for line in lines] for lines in collected], process


def shown(batches: list[list[Line]]) -> list[tuple[str, str]]:
    """The screen at the end: of each number the last text."""
    newest = {line.number: line for lines in batches for line in lines}
    return [(newest[number].stream, newest[number].text) for number in sorted(newest)]


def texts(batches: list[list[Line]]) -> list[str]:
    return [text for _, text in shown(batches)]


def test_both_streams_go_on_and_are_collected_in_the_order_of_their_lines() -> None:
    batches, process = run_program(
        """
        print("loading", "λ")
        print("careful", file=sys.stderr)
        sys.stdout.write("a\\nb")
        sys.stdout.writelines(["c\\n", "\\n"])
        print("no end", end="")
        """
    )
    assert process.stdout == "loading λ\na\nbc\n\nno end"
    assert process.stderr == "careful\n"
    lines = [("stdout", "loading λ"), ("stderr", "careful")]
    assert shown(batches) == [*lines, *(("stdout", text) for text in ("a", "bc", "", "no end"))]
    assert [line.number for line in batches[0]] == list(range(6))
    assert all(line.time > 1.7e12 for line in batches[0])


def test_the_streams_stay_what_they_are_and_are_given_back() -> None:
    batches, process = run_program(
        """
        import io
        print(isinstance(sys.stdout, io.TextIOWrapper), sys.stdout.isatty(), sys.stdout.fileno(), sys.stdout.encoding)
        print(sys.stdout is sys.__stdout__, sys.stdout.write("x") == 1)
        console.close()
        print("after", "write" in vars(sys.stdout))
        """
    )
    assert texts(batches) == ["True False 1 utf-8", "xTrue True"]
    assert process.stdout.endswith("after False\n")


def test_what_kept_a_stream_before_is_seen_too_and_so_is_the_traceback_of_an_exception() -> None:
    batches, _ = run_program(
        """
        import logging
        console.close()
        handler = logging.StreamHandler()
        console = Console(batches.append, every=3600)
        logging.getLogger().addHandler(handler)
        logging.warning("seen")
        sys.excepthook(*(lambda: (ValueError, ValueError("nan"), None))())
        """
    )
    assert texts(batches) == ["seen", "ValueError: nan"]


def test_a_line_that_is_written_over_collapses_to_its_last_state() -> None:
    batches, _ = run_program(
        """
        for percent in range(0, 101, 10):
            sys.stderr.write(f"\\r{percent}%")
            if percent == 50:
                console.flush()
        sys.stderr.write("\\n")
        sys.stdout.write("long text\\r\\x1b[2Kshort\\r\\n")
        print("end")
        """
    )
    assert [[line.text for line in lines] for lines in batches] == [["50%"], ["100%", "short", "end"]]
    assert [line.number for line in batches[1]] == [0, 1, 2]


def test_the_bars_of_tqdm_are_a_line_each_also_nested() -> None:
    pytest.importorskip("tqdm", reason="tqdm is not installed: its progress bars are not tested")
    batches, _ = run_program(
        """
        from tqdm import tqdm
        print("start")
        for _ in tqdm(range(3), desc="epoch", mininterval=0):
            for _ in tqdm(range(5), desc="step", mininterval=0):
                pass
        print("end")
        """
    )
    collected = texts(batches)
    assert collected[0] == "start"
    bars = [text for text in collected if "%" in text]
    # as in a terminal: the bar of some steps, once it is full, takes the row of the epochs, which moves on
    assert [text.split("|")[0] for text in bars] == [*3 * ["step: 100%"], "epoch: 100%"]
    assert collected[-1] == "end"


def test_a_long_line_is_cut_and_counted() -> None:
    batches, _ = run_program(f"print('x' * {MAX_LINE_LENGTH - 1}, end=''); print('y' * 7); print('z')")
    (first, second) = batches[0]
    assert (len(first.text), first.text[-1], first.cut) == (MAX_LINE_LENGTH, "y", 6)
    assert (second.text, second.cut) == ("z", 0)


def test_of_more_than_can_be_kept_the_newest_lines_come_with_the_numbers_that_they_have() -> None:
    batches, _ = run_program(
        """
        for number in range(30_000):
            sys.stdout.write(f"line {number} " + 300 * "x" + "\\n")
        """
    )
    lines = [line for lines in batches for line in lines]
    assert all(len(lines) <= MAX_LINES for lines in batches)
    assert 1_000 < len(lines) <= 10_000
    assert lines[-1].number == 29_999
    assert all(line.text.startswith(f"line {line.number} ") for line in lines[1:])


def test_one_huge_write_is_bounded_too() -> None:
    batches, _ = run_program("sys.stdout.write('x\\n' * 500_000 + 'end')")
    lines = [line for lines in batches for line in lines]
    assert (lines[-1].number, lines[-1].text) == (500_000, "end")
    assert len(lines) <= 10_000


def test_a_forked_process_collects_nothing_and_the_one_that_forked_goes_on() -> None:
    batches, process = run_program(
        """
        print("before", flush=True)
        child = os.fork()
        if child == 0:
            print("in the child", flush=True)
            console.flush()
            console.close()
            os._exit(len(batches))
        _, status = os.waitpid(child, 0)
        print("status", status)
        """
    )
    assert "in the child" in process.stdout
    assert texts(batches) == ["before", "status 0"]


def test_lines_come_from_a_thread_while_the_program_goes_on() -> None:
    batches, _ = run_program(
        """
        print("early")
        limit = time.monotonic() + 60
        while not batches and time.monotonic() < limit:
            time.sleep(0.01)
        print("later")
        """,
        every=0.01,
    )
    assert [line.text for line in batches[0]] == ["early"]
    assert texts(batches) == ["early", "later"]


def test_many_threads_lose_nothing() -> None:
    batches, _ = run_program(
        """
        import threading
        def write(name):
            for number in range(500):
                sys.stdout.write(f"{name} {number}\\n")
        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """,
        every=0.001,
    )
    expected = sorted(f"{name} {number}" for name in "abcd" for number in range(500))
    assert sorted(texts(batches)) == expected


def test_nothing_is_raised_into_the_program() -> None:
    batches, process = run_program(
        """
        console.close()
        def fail(lines):
            raise RuntimeError("no server")
        failing = Console(fail, every=3600)
        print("fine")
        failing.flush()
        failing.close()
        failing.close()
        sys.stdout, kept = None, sys.stdout
        console = Console(batches.append, every=3600)
        sys.stdout = kept
        print("only the other stream", file=sys.stderr)
        """
    )
    assert process.returncode == 0, process.stderr
    assert texts(batches) == ["only the other stream"]


def test_a_stream_that_was_wrapped_since_is_left_alone() -> None:
    stream, collected = io.StringIO(), []
    original = sys.stdout
    sys.stdout = stream
    try:
        console = Console(collected.append, every=3600)
        others = stream.write
        stream.write = lambda text: others(text)  # type: ignore[method-assign]
        print("seen")
        console.close()
        print("not seen")
    finally:
        sys.stdout = original
    assert stream.getvalue() == "seen\nnot seen\n"
    assert texts(collected) == ["seen"]
