"""The recipe of bench/forecast_runs: models side by side are what each is alone, and so is what is measured of them."""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch.nn", reason="PyTorch is not installed: nothing of evenkeel.torch is tested")

import torch
from torch import nn
from torch.nn import functional

from evenkeel.torch import Watch

sys.path.insert(0, str(Path(__file__).parents[2] / "bench/forecast_runs"))
from gpt import Models, Shape, initial, parameters_of
from kinds import all_plans
from plan import Plan, Rates
from record import Training, record

torch.set_num_threads(1)  # as the recipe does

TINY = Shape(layers=2, dim=16, heads=2, context=12)
SHAPES = {
    "mha": TINY,
    "mlra": replace(TINY, attention="mlra"),
    "qk-norm": replace(TINY, attention="qk-norm"),
    "post": replace(TINY, norm="post"),
    "bf16": replace(TINY, bf16=True),
}


def plans(shape: Shape, steps: int = 4) -> list[Plan]:
    """Of different seeds, rates and clipping."""
    rates = [Rates(3e-3, warmup=2), Rates(2e-2, warmup=0, schedule="linear"), Rates(0.1, warmup=1)]
    return [
        # a mean over four scales gradients by a power of two, which bfloat16 rounds alike
        Plan(f"run {at}", "test", each, seed=at, steps=steps, shape=shape, micro_batches=4, clip=0.5 * at)
        for at, each in enumerate(rates)
    ]


class Alone(nn.Module):
    """One of the models, with parameters of its own as any model of PyTorch has them."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.shape = plan.shape
        found = parameters_of(plan.shape)
        values = initial(plan.shape, plan.seed).split([each.size for each in found])
        shaped = [value.clone().view(each.shape) for each, value in zip(found, values)]
        self.wte = nn.Embedding(plan.shape.vocabulary, plan.shape.dim, _weight=shaped[0])
        self.rest = nn.ParameterList(shaped[1:])
        matrices = [each.is_matrix for each in found]
        parameters = [self.wte.weight, *self.rest]
        self.groups = [
            {"params": [p for p, decays in zip(parameters, matrices) if decays], "weight_decay": plan.weight_decay},
            {"params": [p for p, decays in zip(parameters, matrices) if not decays], "weight_decay": 0.0},
        ]

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        weights = torch.cat([each.flatten() for each in (self.wte.weight, *self.rest)])
        return Models(self.shape, weights[None]).losses(tokens[None])[0]


@pytest.mark.parametrize("name", SHAPES)
def test_a_group_measures_what_a_watch_measures_of_each_run_alone(name: str) -> None:
    together = Training(plans(SHAPES[name]))
    tokens, rows = [], []
    for _ in range(4):
        tokens.append(together._tokens())
        rows.append(together.advance())
    for at, plan in enumerate(plans(SHAPES[name])):
        model = Alone(plan)
        optimizer = torch.optim.AdamW(model.groups, betas=plan.betas)
        watch = Watch(model, optimizer, updates=True, grad_variance="exact")
        for step in range(4):
            losses = [model(batch) for batch in tokens[step][at]]
            (sum(losses) / len(losses)).backward()  # type: ignore[union-attr]
            if plan.clip > 0:
                nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
            for group in optimizer.param_groups:
                group["lr"] = plan.rates.of(step, plan.steps)
            optimizer.step()
            optimizer.zero_grad()
            assert rows[step][at]["loss"] == pytest.approx(float(sum(losses)) / len(losses), rel=1e-3)
        measured = [fields for _, fields in watch.take()]
        watch.close()
        for step in range(4):
            # one backward pass of the mean: no variance of micro-batches, but all the rest
            for field in ("gradNorm", "updateShare", "updateRms"):
                assert rows[step][at][field] == pytest.approx(measured[step][field], rel=2e-2), (field, step)
        for step in range(3):  # the watch measures after the update, the group before it
            for field in ("tevMean", "tevStd"):
                assert rows[step + 1][at][field] == pytest.approx(measured[step][field], rel=1e-3)


def test_gradient_variance_is_that_of_the_micro_batches() -> None:
    [plan] = plans(TINY)[:1]
    training = Training([plan])
    tokens = training._tokens()[0]
    model = Alone(plan)
    gradients = []
    for batch in tokens:
        model.zero_grad()
        model(batch).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]).double())  # type: ignore[union-attr]
    [fields] = training.advance()
    mean = sum(gradients) / len(gradients)
    variance = sum(float((each - mean).square().sum()) for each in gradients) / (len(gradients) - 1)
    assert fields["gradVar"] == pytest.approx(variance, rel=1e-4)


def test_the_model_is_a_gpt() -> None:
    """Against modules of PyTorch, in float64."""
    found = parameters_of(TINY)
    values = initial(TINY, 7).double()
    values += 0.1 * torch.randn(len(values), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    parts = values.split([each.size for each in found])
    part = {each.name: value.view(each.shape) for each, value in zip(found, parts)}
    tokens = torch.randint(32, (3, 13), generator=torch.Generator().manual_seed(2))

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x, (16,), part[f"{name}.gain"], part[f"{name}.bias"])

    x = part["wte"][tokens[:, :-1]] + part["wpe"]
    largest = 0.0
    for block in ("0.", "1."):
        qkv = norm(f"{block}ln1", x) @ part[f"{block}qkv"] + part[f"{block}qkv.bias"]
        query, key, value = (each.unflatten(-1, (2, 8)).transpose(1, 2) for each in qkv.chunk(3, dim=-1))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        logits = query @ key.transpose(-2, -1) / 8**0.5
        largest = max(largest, float(logits[..., torch.ones(12, 12).tril().bool()].max()))
        x = x + mixed.transpose(1, 2).flatten(2) @ part[f"{block}out"] + part[f"{block}out.bias"]
        hidden = functional.gelu(
            norm(f"{block}ln2", x) @ part[f"{block}up"] + part[f"{block}up.bias"], approximate="tanh"
        )
        x = x + hidden @ part[f"{block}down"] + part[f"{block}down.bias"]
    expected = functional.cross_entropy((norm("ln", x) @ part["wte"].T).flatten(0, 1), tokens[:, 1:].flatten())
    models = Models(TINY, values[None])
    assert float(models.losses(tokens[None])[0]) == pytest.approx(float(expected), rel=1e-9)
    assert max(float(each) for each in models.largest_logits) == pytest.approx(largest, rel=1e-9)


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def test_records_each_run_to_its_own_end(tmp_path: Path) -> None:
    healthy, ill = Rates(3e-3, warmup=2), Rates(3e-3, warmup=2, jumps=((3, 1e30),))
    runs = [Plan(name, "test", rates, 1, steps=8, shape=TINY) for name, rates in (("healthy", healthy), ("ill", ill))]
    record(runs, tmp_path)
    start, *steps, end = read(tmp_path / "healthy.jsonl.gz")
    assert (start["type"], start["tags"], end["status"]) == ("run", ["test"], "finished")
    assert [step["step"] for step in steps] == list(range(8))
    assert all(len(step) == 12 for step in steps)
    _, *steps, end = read(tmp_path / "ill.jsonl.gz")
    assert end["status"] == "failed"
    assert steps[-1]["step"] == 4
    assert "updateShare" not in steps[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["healthy.jsonl.gz", "ill.jsonl.gz"]


def test_rates() -> None:
    def of(rates: Rates, *steps: int) -> list[float]:
        return [rates.of(step, 111) for step in steps]

    assert of(Rates(1.0, warmup=10), 0, 4, 9, 10, 110) == pytest.approx([0.1, 0.5, 1, 1, 1])
    assert of(Rates(1.0, 10, "linear", floor=0), 10, 60, 110) == pytest.approx([1, 0.5, 0])
    assert of(Rates(1.0, 10, "cosine"), 10, 60, 110) == pytest.approx([1, 0.55, 0.1])
    assert of(Rates(1.0, 10, "wsd", floor=0), 10, 90, 100, 110) == pytest.approx([1, 1, 0.5, 0])
    assert of(Rates(1.0, 10, "restarts", period=51), 10, 35, 60, 61) == pytest.approx([1, 0.55, 0.1, 1])
    assert of(Rates(1.0, 10, ramp=(20, 2.0, 23)), 20, 22, 23, 40) == pytest.approx([1, 4, 8, 8])
    assert of(Rates(1.0, 10, jumps=((20, 3.0), (30, 2.0))), 19, 20, 30) == pytest.approx([1, 3, 6])


def test_every_run_has_a_name_and_a_seed_of_its_own() -> None:
    runs = all_plans()
    assert len({run.name for run in runs}) == len({run.seed for run in runs}) == len(runs)
