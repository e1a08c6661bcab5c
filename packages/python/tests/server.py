"""The built server as a process, and what tests read of it."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAM = REPOSITORY / "apps" / "cli" / "bin" / "evenkeel.mjs"
BUNDLE = REPOSITORY / "apps" / "cli" / "dist"

Value = TypeVar("Value")


def absent() -> str | None:
    """Why no server can be started here; None where one can."""
    if shutil.which("node") is None:
        return "there is no node"
    return None if BUNDLE.exists() else "the server is not built: run `npm start` or `npx turbo run build` once"


def command(*arguments: str) -> list[str]:
    """A call of the command of the Node package."""
    return ["node", str(PROGRAM), *arguments]


class Server:
    """`evenkeel serve` over a data directory. It can be killed, and started again on the same port."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str) -> Server:
        port = str(urllib.parse.urlsplit(self.url).port or 0)
        self._process = subprocess.Popen(
            command("serve", "--json", "--port", port, "--data-dir", str(self.data_dir), *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout
        for line in self._process.stdout:
            if '"url"' in line:
                self.url = json.loads(line)["url"]
                return self
        raise RuntimeError(f"the server ended with {self._process.wait()} before it listened")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        if self._process is None:
            return
        self._process.send_signal(by)
        self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Freezes the server: its connections stay open."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def query(self, procedure: str, **request: Any) -> Any:
        """The answer of a procedure of the API."""
        text = urllib.parse.urlencode({"input": json.dumps({"json": request})})
        with urllib.request.urlopen(f"{self.url}/api/trpc/{procedure}?{text}", timeout=60) as answer:
            return json.load(answer)["result"]["data"]["json"]

    def call(self, procedure: str, **request: Any) -> Any:
        """Like `query`, of a procedure that changes something."""
        body = json.dumps({"json": request}).encode()
        headers = {"content-type": "application/json", "origin": self.url}
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/api/trpc/{procedure}", body, headers), timeout=60
        ) as answer:
            return json.load(answer)["result"]["data"]["json"]

    def run(self, run: str) -> dict[str, Any]:
        """What the server says of a run."""
        about: dict[str, Any] = self.query("run.get", run=run)
        return {**about, "config": json.loads(about["config"])}

    def history(self, run: str, *series: str, attempt: int | None = None) -> dict[int, dict[str, Any]]:
        """Every step of a run with the values of some series: fields, or `custom:` and a name; not finite is NaN."""
        about = {} if attempt is None else {"attempt": attempt}
        chart = self.query("step.chart", run=run, columns=4_000, series=list(series), **about)
        assert chart["columnSteps"] == 1, "a column is one step up to 4,000 of them"
        return {
            step: {name: _value(chart["series"][name], at) for name in series if name in chart["series"]}
            for at, step in enumerate(chart["steps"])
        }


def _value(series: dict[str, Any], at: int) -> float | None:
    return math.nan if series["nonFinite"][at] else series["mean"][at]


def until(what: str, find: Callable[[], Value], limit: float = 60) -> Value:
    """The first result of `find` that counts as true, within `limit` seconds; what it raises before is no failure."""
    end = time.monotonic() + limit
    while True:
        problem: object = None
        try:
            found = find()
            if found:
                return found
            problem = found
        except Exception as error:
            problem = error
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s for {what}: {problem!r}")
        time.sleep(0.05)
