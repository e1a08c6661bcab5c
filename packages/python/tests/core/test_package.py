"""The package as it is published."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import trainer

PACKAGE = Path(__file__).resolve().parents[2]


def python(*arguments: str, program: str = sys.executable) -> str:
    """What a module of Python printed."""
    done = subprocess.run([program, "-m", *arguments], capture_output=True, text=True, timeout=trainer.LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_is_whole_and_works_in_an_empty_environment(tmp_path: Path) -> None:
    python("build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(PACKAGE))
    built = sorted((tmp_path / "dist").iterdir())
    assert [path.suffix for path in built] == [".whl", ".gz"]
    python("twine", "check", "--strict", *map(str, built))
    with tarfile.open(built[1]) as sdist:
        assert [name for name in sdist.getnames() if "evenkeel_server" in name] == []

    venv.create(tmp_path / "venv", with_pip=False)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python("pip", "--python", str(programs / "python"), "install", "--quiet", str(built[0]))
    environment = {"PATH": os.environ["PATH"], "EVENKEEL_SPOOL": str(tmp_path / "spool")}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=trainer.LIMIT)

    version = run(str(programs / "evenkeel"), "--version")
    assert (
        version.stdout.strip()
        == run(str(programs / "python"), "-c", "import evenkeel as e; print(e.__version__)").stdout.strip()
        != ""
    )
    assert "There is nothing to send" in run(str(programs / "evenkeel"), "sync").stdout
    serve = run(str(programs / "evenkeel"), "serve")
    assert serve.returncode == 1
    assert f"pip install evenkeel_server-{version.stdout.strip()}-py3-none-any.whl" in serve.stderr
    typed = run(
        str(programs / "python"), "-c", "import evenkeel, pathlib as p; print(p.Path(evenkeel.__file__).parent)"
    )
    assert (Path(typed.stdout.strip()) / "py.typed").exists()
