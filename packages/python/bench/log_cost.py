"""What `run.log` costs the loop that calls it, with a server and without one; prints percentiles in microseconds.

    python bench/log_cost.py [--server http://127.0.0.1:4870] [--steps 5000] [--pause 0.002]

Between two logs the loop computes for a while, as training does. A busy machine shows in the wall time, and hardly in
the CPU time of the calling thread.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import time
from typing import Callable

import evenkeel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", help="by default one that is not there")
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--pause", type=float, default=0.002, help="seconds of computing between two logs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = evenkeel.init("bench", server=options.server or _closed_port(), dir=folder)
        values = {"loss": 2.5, "lr": 3e-4, "grad_norm": 1.25, "tokens": 0, "eval/x": 1.0}
        wall, cpu = _measure(lambda step: run.log(values, step=step), options.steps, options.pause)
        pending = run.pending
        run.finish(timeout=60 if options.server else 0)
    for name, samples in (("wall", wall), ("CPU", cpu)):
        print(f"log() {name:>4}: {_percentiles(samples)}")
    print(f"{options.steps} logs, {pending} pending at the end")


def _measure(log: Callable[[int], None], steps: int, pause: float) -> tuple[list[int], list[int]]:
    wall, cpu = [], []
    for step in range(steps):
        end = time.perf_counter() + pause
        while time.perf_counter() < end:
            sum(range(100))
        began, cpu_began = time.perf_counter_ns(), time.thread_time_ns()
        log(step)
        cpu.append(time.thread_time_ns() - cpu_began)
        wall.append(time.perf_counter_ns() - began)
    return wall, cpu


def _percentiles(samples: list[int]) -> str:
    ordered = sorted(samples)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}
    texts = [f"{name} {ordered[int(share * (len(ordered) - 1))] / 1000:.1f} µs" for name, share in shares.items()]
    return ", ".join([*texts, f"max {ordered[-1] / 1000:.1f} µs"])


def _closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


if __name__ == "__main__":
    main()
