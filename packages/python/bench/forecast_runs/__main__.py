"""
Records 282 runs to score the forecast on, of kinds that `docs/forecast-runs.yaml` lacks:

    python packages/python/bench/forecast_runs --out study/forecast-torch [--kind NAME …]

Runs that are in the folder already are not trained again, so a recording that was interrupted goes on where it was.
It takes about a quarter of an hour on one core. Rounding is the machine's own: on another one runs differ in digits,
and late ones in fate.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from kinds import all_plans
from plan import Plan
from record import record

AT_ONCE = 16
"""Runs side by side: more are hardly faster, and an interruption would lose more."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("--kind", action="append", help="record this kind alone; may be given again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    plans = [plan for plan in all_plans() if options.kind is None or plan.kind in options.kind]
    groups: dict[tuple[object, ...], list[Plan]] = {}
    for plan in plans:
        groups.setdefault(plan.group, []).append(plan)
    parts = [runs[at : at + AT_ONCE] for runs in groups.values() for at in range(0, len(runs), AT_ONCE)]
    for alike in parts:
        if all((options.out / f"{plan.name}.jsonl.gz").exists() for plan in alike):
            continue
        began = time.monotonic()
        record(alike, options.out)
        print(
            f"{alike[0].kind}: {len(alike)} runs of {alike[0].steps} steps, {time.monotonic() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
