"""`evenkeel[server]` as it is published: in an empty environment, with no Node.js on the PATH."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trainer
from server import REPOSITORY, absent, until

from evenkeel import Api, __version__

SCRIPT = """
import evenkeel

with evenkeel.init("wheels", name="by a wheel") as run:
    for step in range(20):
        run.log({"loss": 1 / (step + 1)}, step=step)
print([row["loss"] for row in evenkeel.Api().run(run.id).history(["loss"])])
"""


class Installation:
    """A virtual environment that holds the two wheels and what they require."""

    def __init__(self, folder: Path, wheels: list[Path]) -> None:
        self.folder = folder
        self.programs = folder / ("Scripts" if os.name == "nt" else "bin")
        venv.create(folder, with_pip=False)
        client, server = wheels
        pip = [sys.executable, "-m", "pip", "--python", str(self.program("python")), "install", "--quiet"]
        subprocess.run([*pip, f"{client}[server]", str(server)], check=True, timeout=trainer.LIMIT)

    def program(self, name: str) -> Path:
        return self.programs / name

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        program, *arguments = command
        return subprocess.Popen(
            [str(self.program(program)), *arguments],
            cwd=self.folder,
            env={"PATH": str(self.programs), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, **variables: str) -> tuple[int, str, str]:
        """Exit status, output and errors of a program that ends."""
        process = self.start(*command, **variables)
        output, errors = process.communicate(timeout=trainer.LIMIT)
        return process.returncode, output, errors

    @contextmanager
    def serving(self, *command: str, address: str, end: signal.Signals) -> Iterator[str]:
        """The address that a server prints; it must end well at the signal to the process that was started."""
        process = self.start(*command)
        try:
            assert process.stdout
            lines = (re.search(address, line) for line in process.stdout)
            found = next(filter(None, lines), None)
            assert found, process.stderr and process.stderr.read()
            yield found[1]
        finally:
            process.send_signal(end)
            errors = process.communicate(timeout=trainer.LIMIT)[1]
        assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of the client and of the server, as `npm run pack:python` writes them."""
    if reason := absent():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("dist")
    script = REPOSITORY / "scripts" / "pack-python.mjs"
    environment = {**os.environ, "EVENKEEL_TEST_PYTHON": sys.executable}
    done = subprocess.run(
        ["node", str(script), str(folder)], env=environment, capture_output=True, text=True, timeout=trainer.LIMIT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = sorted(folder.iterdir())
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, built)], check=True)
    return [path for path in built if path.suffix == ".whl"]


@pytest.fixture(scope="module")
def installation(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("venv"), wheels)


def test_the_wheel_fits_every_platform(wheels: list[Path]) -> None:
    assert [path.name for path in wheels] == [
        f"evenkeel-{__version__}-py3-none-any.whl",
        f"evenkeel_server-{__version__}-py3-none-any.whl",
    ]
    with zipfile.ZipFile(wheels[1]) as wheel:
        files = {about.filename: about for about in wheel.infolist()}
    assert [name for name in files if Path(name).suffix in (".node", ".so", ".dylib", ".dll", ".exe")] == []
    assert sum(about.compress_size for about in files.values()) < 25_000_000
    # a script that opens the browser keeps its right to be run
    assert files["evenkeel_server/program/node_modules/open/xdg-open"].external_attr >> 16 & 0o111


def test_the_versions_agree() -> None:
    npm = json.loads((REPOSITORY / "apps/cli/package.json").read_text())["version"]
    package = REPOSITORY / "packages/python"
    server = (package / "server/src/evenkeel_server/__init__.py").read_text()
    assert [npm, re.findall(r'__version__ = "(.+)"', server)] == [__version__, [__version__]]
    assert f'"evenkeel-server=={__version__}"' in (package / "pyproject.toml").read_text()


def test_it_serves_a_run_that_is_read_back(installation: Installation) -> None:
    serve = ["evenkeel", "serve", "--json", "--port", "0"]
    with installation.serving(*serve, address=r'"url": ?"([^"]+)"', end=signal.SIGTERM) as url:
        status, output, errors = installation.run("python", "-c", SCRIPT, EVENKEEL_SERVER=url)
        assert status == 0, errors
        assert json.loads(output) == [1 / (step + 1) for step in range(20)]
        assert "by a wheel" in installation.run("evenkeel", "runs", "--server", url)[1]
    assert (installation.folder / ".evenkeel" / "postgres").is_dir()


def test_the_demo_trains(installation: Installation) -> None:
    demo = ["python", "-m", "evenkeel", "demo", "--port", "0", "--no-open", "--data-dir", "demo"]
    with installation.serving(*demo, address=r"Evenkeel is at (\S+)", end=signal.SIGINT) as url:
        until("steps of three runs", lambda: sum(run.last_step is not None for run in Api(url).runs()) == 3, limit=120)


def test_arguments_and_the_exit_status_pass_through(installation: Installation) -> None:
    status, output, _ = installation.run("python", "-m", "evenkeel", "serve", "--help")
    assert (status, "--data-dir <folder>" in output) == (0, True)
    status, _, errors = installation.run("evenkeel", "serve", "--port", "a 'b\" $c")
    assert status == 1
    assert "a 'b\" $c" in errors
