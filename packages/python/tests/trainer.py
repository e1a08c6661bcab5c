"""Trainers as processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
# Seconds that a process may take on a busy machine.
LIMIT = 240


def _environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EVENKEEL_") and name != "RANK"}
    return {**kept, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1", **variables}


def start(code: str, folder: Path, **variables: str) -> subprocess.Popen[str]:
    """Starts a script in a folder; `run` is not made for it."""
    script = folder / "train.py"
    script.write_text(textwrap.dedent(code), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, str(script)],
        cwd=folder,
        env=_environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a trainer prints."""
    assert process.stdout
    line = process.stdout.readline()
    if not line and process.stderr:
        raise AssertionError(f"the trainer ended with {process.wait()}: {process.stderr.read()}")
    return line.strip()


def evenkeel(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the command of the Python package."""
    return subprocess.run(
        [sys.executable, "-m", "evenkeel", *arguments],
        cwd=folder,
        env=_environment(**variables),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def closed_port() -> str:
    """The address of a server that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
