"""Fixtures of all tests: they run against the real server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from server import Server, absent


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests. Who kills servers takes `own_server`."""
    if reason := absent():
        pytest.skip(reason)
    server = Server(tmp_path_factory.mktemp("server") / "data").start()
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server of this test alone, not started."""
    if reason := absent():
        pytest.skip(reason)
    server = Server(tmp_path / "data")
    yield server
    server.stop()
