"""Two gloo processes with the Trainer of transformers, against the real server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from server import Server

pytest.importorskip("torch.nn", reason="PyTorch is not installed: the callback of transformers is not tested")
pytest.importorskip("transformers", reason="transformers is not installed: its callback is not tested")

import torch
from tiny import Gpt2Data, gpt2, losses_of

HERE = Path(__file__).parent
RANKS = 2
SEQUENCES = 16  # of a step, over both ranks


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_all_ranks_stop_at_one_step_behind_a_checkpoint(server: Server, tmp_path: Path) -> None:
    folders = [HERE.parents[1] / "src", HERE.parent, HERE, os.environ.get("PYTHONPATH", "")]
    paths = os.pathsep.join(map(str, folders))
    about = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(RANKS), "PYTHONPATH": paths}
    processes = []
    for rank in range(RANKS):
        environment = {**os.environ, **about, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        command = [sys.executable, str(HERE / "trainer_rank.py"), server.url, str(tmp_path)]
        with (tmp_path / f"{rank}.log").open("w") as log:
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    try:
        codes = [process.wait(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0], "\n".join((tmp_path / f"{rank}.log").read_text() for rank in range(RANKS))
    results = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(RANKS)]
    assert [result["step"] for result in results] == [2, 2]
    assert (tmp_path / "out" / "checkpoint-2").exists()
    run = results[0]["run"]
    assert server.run(run)["status"] == "stopped"
    history = server.history(run, "loss", "gradVar")
    rows = [Gpt2Data()[at] for at in range(SEQUENCES)]
    tokens, labels = (torch.stack([row[name] for row in rows]) for name in ("input_ids", "labels"))
    losses = losses_of(gpt2(), tokens, labels)
    loss = losses.sum() / labels[:, 1:].ne(-100).sum()
    assert history[1]["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert history[1]["gradVar"] > 0
