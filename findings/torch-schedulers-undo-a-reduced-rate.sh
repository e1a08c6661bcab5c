#!/usr/bin/env bash
# PyTorch 2.13.0: `group['lr'] *= 0.5` under a scheduler lasts until a moment that depends on the scheduler's class, and no
# scheduler warns. A good guess is that it either lasts or is overwritten by the next `scheduler.step()`. There is more:
#   - SequentialLR (a warm-up, then a decay) keeps it until its next milestone, and there restores the planned rate, also
#     where each of its parts alone would have kept it: a rate that was halved during the warm-up is whole again at its end.
#   - CosineAnnealingLR keeps it with eta_min = 0. With eta_min > 0 the reduction fades: its recursive formula closes the gap
#     to eta_min by a ratio, so at the end the rate is the planned one.
# Whoever reduces the rate of a running job has to apply the factor again after every scheduler step.
#
# Seen with Python 3.11 on Linux; the output of this script. The rate as a share of the planned one at the given step;
# it was halved at step 10, the warm-up ends at step 20:
#   LambdaLR                   10: 0.50  11: 1.00  19: 1.00  20: 1.00  50: 1.00  98: 1.00
#   OneCycleLR                 10: 0.50  11: 1.00  19: 1.00  20: 1.00  50: 1.00  98: 1.00
#   LinearLR                   10: 0.50  11: 0.50  19: 0.50  20: 0.50  50: 0.50  98: 0.50
#   CosineAnnealingLR          10: 0.50  11: 0.50  19: 0.50  20: 0.50  50: 0.50  98: 0.50
#   CosineAnnealingLR, eta_min 10: 0.50  11: 0.50  19: 0.50  20: 0.50  50: 0.54  98: 1.00
#   SequentialLR of two        10: 0.50  11: 0.50  19: 0.50  20: 1.00  50: 1.00  98: 1.00
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet torch==2.13.0 numpy==2.4.6
cat >rates.py <<'PY'
import torch
from torch.optim import lr_scheduler

SCHEDULERS = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda step: 1.0),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=100),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.1, 1.0, 20),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 100),
    "CosineAnnealingLR, eta_min": lambda o: lr_scheduler.CosineAnnealingLR(o, 100, eta_min=0.1),
    "SequentialLR of two": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 20), lr_scheduler.CosineAnnealingLR(o, 80)], [20]
    ),
}


def rates(make, halved_at=None):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    (group,) = optimizer.param_groups
    seen = []
    for step in range(99):
        if step == halved_at:
            group["lr"] *= 0.5
        seen.append(group["lr"])
        optimizer.step()
        scheduler.step()
    return seen


for name, make in SCHEDULERS.items():
    shares = [halved / planned for halved, planned in zip(rates(make, 10), rates(make))]
    print(f"{name:26}", "  ".join(f"{step}: {shares[step]:.2f}" for step in (10, 11, 19, 20, 50, 98)))
PY
env/bin/python -W ignore rates.py | tee seen
sed -n 's/^#   \(.*[0-9][0-9]:.*\)$/\1/p' "$script" >expected
diff -b expected seen
