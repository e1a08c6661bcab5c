#!/usr/bin/env bash
# torch 2.13.0, CPU, float32: `torch.linalg.vector_norm`, and with it `Tensor.norm`, `torch._foreach_norm` and
# `torch.nn.utils.clip_grad_norm_`, is too small for a large tensor, and the more so the larger it is: 0.27 % for as many
# normal numbers as GPT-2's token embedding has (50,257 x 768), 0.034 % for a quarter of them, 0.001 % for a million, with
# one thread or two. The square root of the sum of the squares of the same tensor is right to seven digits.
# A good guess is that all four are right to float32's seven digits, since sums in PyTorch are pairwise. The norm adds the
# squares one after the other instead, so a small square is rounded away beside a large sum. A gradient norm by hooks that
# splits tensors, or in float64, therefore does not equal what `clip_grad_norm_` returns, and the difference grows with the
# vocabulary, not with the training.
#
# Seen with Python 3.11 on Linux; the output of this script:
#   1000000: vector_norm -0.001 %, clip_grad_norm_ -0.001 %, square().sum().sqrt() 0.000 %
#   9649344: vector_norm -0.034 %, clip_grad_norm_ -0.034 %, square().sum().sqrt() 0.000 %
#   38597376: vector_norm -0.266 %, clip_grad_norm_ -0.266 %, square().sum().sqrt() 0.000 %
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet torch==2.13.0
cat >norm.py <<'PY'
import torch

torch.set_num_threads(1)


def percent(ratio):
    return f"{round(100 * (ratio - 1), 3) + 0.0:.3f} %"  # + 0.0: no minus before a zero


for count in (1_000_000, 50_257 * 192, 50_257 * 768):
    gradient = torch.randn(count, generator=torch.Generator().manual_seed(0))
    right = gradient.double().square().sum().sqrt().item()
    parameter = torch.nn.Parameter(torch.zeros(count))
    parameter.grad = gradient
    ways = {
        "vector_norm": torch.linalg.vector_norm(gradient),
        "clip_grad_norm_": torch.nn.utils.clip_grad_norm_([parameter], max_norm=1e9),
        "square().sum().sqrt()": gradient.square().sum().sqrt(),
    }
    errors = (f"{name} {percent(value.item() / right)}" for name, value in ways.items())
    print(f"{count}: " + ", ".join(errors))
PY
env/bin/python norm.py 2>/dev/null | tee seen
diff <(sed -n 's/^#   //p' "$script") seen
