"""
What a watch costs a training step: GPT-2 of 1 M parameters on the CPU, without a watch, with TEV, and with more
measured too. They take turns, since the speed of a machine drifts; medians of wall and of CPU time per step.

    python bench/watch_cost.py [--rounds 30] [--accumulation 4] [--threads 1]
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from evenkeel.torch import Watch

MODES: dict[str, dict[str, Any] | None] = {
    "off": None,
    "TEV": {"grad_variance": False},
    "TEV and gradient variance": {"grad_variance": "auto"},
    "TEV, gradient variance, updates": {"updates": True},
    "TEV and exact gradient variance": {"grad_variance": "exact"},
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=30)
    arguments.add_argument("--accumulation", type=int, default=4)
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=256, n_positions=128, n_embd=128, n_layer=5, n_head=4, bos_token_id=0, eos_token_id=0)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    tokens = torch.randint(0, 256, (8, 128))
    wall: dict[str, list[float]] = {mode: [] for mode in MODES}
    cpu: dict[str, list[float]] = {mode: [] for mode in MODES}
    for turn in range(options.rounds + 2):
        for mode, watched in MODES.items():
            watch = None if watched is None else Watch(model, optimizer, warn=lambda text: None, **watched)
            began, used = time.perf_counter(), time.process_time()
            for _ in range(options.accumulation):
                (model(input_ids=tokens, labels=tokens).loss / options.accumulation).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            if watch is not None:
                watch.take()
            if turn >= 2:
                wall[mode].append(time.perf_counter() - began)
                cpu[mode].append(time.process_time() - used)
            if watch is not None:
                watch.close()
    print(
        f"{sum(p.numel() for p in model.parameters()):,} parameters, {options.accumulation} micro-batches of "
        f"{tokens.numel()} tokens, {options.threads} threads, {options.rounds} steps each"
    )
    print(f"{'':34}{'wall ms':>10}{'':>9}{'CPU ms':>10}{'':>9}")
    for mode in MODES:
        shares = [f"{ratio(times[mode], times['off']):+9.2%}" for times in (wall, cpu)]
        medians = [f"{statistics.median(times[mode]) * 1e3:10.2f}" for times in (wall, cpu)]
        print(f"{mode:34}{medians[0]}{shares[0]}{medians[1]}{shares[1]}")


def ratio(times: list[float], base: list[float]) -> float:
    """Median over rounds of what a step takes longer, as a share: both are of the same round."""
    return statistics.median(time / other for time, other in zip(times, base)) - 1


if __name__ == "__main__":
    main()
