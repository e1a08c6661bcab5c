"""Two and four gloo processes against one, and against float64 references."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch.nn", reason="PyTorch is not installed: nothing of evenkeel.torch is tested")

import torch
from ranks import ACCUMULATION, CASES, LR, MAKERS, STEPS, seed_of
from training import Model, micro_batch, reference_gradients, reference_tev

from evenkeel.torch import Watch

HERE = Path(__file__).parent
OF_FOUR = ["fsdp, empty shard", "fsdp, hybrid", "two dimensions"]
OF_TWO = [name for name in CASES if name not in OF_FOUR]


def run_ranks(size: int, cases: list[str], folder: Path) -> list[dict[str, Any]]:
    """What each rank wrote, by case."""
    paths = [str(HERE.parents[1] / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    processes = []
    for rank in range(size):
        with (folder / f"{rank}.log").open("w") as log:
            command = [sys.executable, str(HERE / "ranks.py"), str(rank), str(size), str(folder), *cases]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    try:
        codes = [process.wait(timeout=540) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0] * size, "\n".join((folder / f"{rank}.log").read_text() for rank in range(size))
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(size)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return run_ranks(2, OF_TWO, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return run_ranks(4, OF_FOUR, tmp_path_factory.mktemp("four"))


def train_alone(
    size: int, maker: str = "sgd", **model_options: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What one process measures that accumulates the micro-batches of all ranks, and the references of each step."""
    model = Model(**model_options)
    optimizer = MAKERS[maker](model)
    watch = Watch(model, optimizer, updates=True)
    references = []
    for step in range(STEPS):
        seeds = [seed_of(step, at, rank) for at in range(ACCUMULATION) for rank in range(size)]
        batches = [micro_batch(seed) for seed in seeds]
        gradients = reference_gradients(model, batches)
        for batch in batches:
            (model(batch) / len(batches)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1e-2)
        optimizer.step()
        optimizer.zero_grad()
        references.append({**gradients, **reference_tev(model.wte.weight)})
    watch.close()
    return [fields for _, fields in watch.take()], references


def expect_close(fields: dict[str, Any], expected: dict[str, Any], rel: float) -> None:
    """Layers within a part of the whole, since a layer's own variance can be tiny beside it."""
    for name, value in expected.items():
        near = rel * expected["gradVar"] if name == "layerGradVar" else 0
        assert fields.get(name) == pytest.approx(value, rel=rel, abs=near), name


def fields_of(ranks: list[dict[str, Any]], case: str) -> list[dict[str, Any]]:
    """Of each step, the same on all ranks."""
    first = ranks[0][case]["measured"]
    assert [step for step, _ in first] == list(range(1, STEPS + 1))
    for rank in ranks[1:]:
        for (_, fields), (_, others) in zip(first, rank[case]["measured"]):
            assert fields.keys() == others.keys()
            expect_close(fields, others, rel=1e-12)
    return [fields for _, fields in first]


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("ddp", {"tied": True}),
        ("ddp, inner module, bucket views", {"tied": True}),
        ("ddp, accumulation without no_sync", {"tied": True}),
        ("ddp, bucket views, without no_sync", {"tied": True}),
        ("fsdp, even", {"vocabulary": 38}),
        ("fsdp, uneven", {"vocabulary": 37}),
        ("fsdp, whole model", {"vocabulary": 37}),
        ("fsdp, unsharded accumulation", {"vocabulary": 37}),
        ("fsdp, divide factor", {"vocabulary": 37}),
    ],
)
def test_two_processes_measure_what_one_does(two: list[dict[str, Any]], case: str, options: dict[str, Any]) -> None:
    alone, references = train_alone(2, **options)
    for fields, other, reference in zip(fields_of(two, case), alone, references):
        expect_close(fields, other, rel=1e-6)
        expect_close(fields, reference, rel=1e-5)
    assert two[0][case]["warnings"] == two[1][case]["warnings"] == []


@pytest.mark.parametrize("case", ["fsdp, adamw", "ddp, adamw"])
def test_two_processes_measure_the_updates_that_one_does(two: list[dict[str, Any]], case: str) -> None:
    alone, _ = train_alone(2, "adamw")
    for fields, other in zip(fields_of(two, case), alone):
        for name in ("updateShare", "updateRms"):
            assert fields[name] == pytest.approx(other[name], rel=1e-4), name


@pytest.mark.parametrize(("case", "vocabulary"), [("fsdp, empty shard", 9), ("fsdp, hybrid", 37)])
def test_four_processes_measure_what_one_does(four: list[dict[str, Any]], case: str, vocabulary: int) -> None:
    alone, references = train_alone(4, vocabulary=vocabulary)
    for fields, other, reference in zip(fields_of(four, case), alone, references):
        expect_close(fields, other, rel=1e-6)
        expect_close(fields, reference, rel=1e-5)
    assert four[0][case]["warnings"] == []


def test_fsdp_in_bf16_measures_gradients_of_bf16_and_weights_of_float32(two: list[dict[str, Any]]) -> None:
    _, references = train_alone(2, vocabulary=38)
    fields = fields_of(two, "fsdp, bf16")
    for each, reference in zip(fields, references):
        assert each["gradVar"] == pytest.approx(reference["gradVar"], rel=0.05)
        assert each["gradNorm"] == pytest.approx(reference["gradNorm"], rel=0.05)
    expect_close(fields[-1], two[0]["fsdp, bf16"]["tev"], rel=1e-6)


@pytest.mark.parametrize("case", ["rows, even", "rows, uneven", "columns"])
def test_tev_of_a_tensor_parallel_embedding(two: list[dict[str, Any]], case: str) -> None:
    fields = fields_of(two, case)
    expect_close(fields[-1], two[0][case]["tev"], rel=1e-6)
    assert "gradVar" not in fields[-1]
    assert "tensor-parallel" in two[0][case]["warnings"][0]


@pytest.mark.parametrize("case", ["rows, even", "rows, uneven", "columns"])
def test_the_gradient_norm_of_a_tensor_parallel_model(two: list[dict[str, Any]], case: str) -> None:
    model = Model(vocabulary=38 if case == "rows, even" else 37)
    for step, fields in enumerate(fields_of(two, case)):
        expected = reference_gradients(model, [micro_batch(step)])
        assert fields["gradNorm"] == pytest.approx(expected["gradNorm"], rel=1e-5)
        model(micro_batch(step)).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= LR * parameter.grad
                parameter.grad = None


def test_tev_under_two_dimensional_sharding_without_padding_rows(four: list[dict[str, Any]]) -> None:
    expect_close(fields_of(four, "two dimensions")[-1], four[0]["two dimensions"]["tev"], rel=1e-6)


def test_weights_over_ranks(two: list[dict[str, Any]]) -> None:
    batches = [
        micro_batch(at * 10 + rank, length)
        for at, row in enumerate([[3, 12], [7, 5]])
        for rank, length in enumerate(row)
    ]
    expected = reference_gradients(Model(), batches, [float(batch[:, 1:].numel()) for batch in batches])
    [(_, fields)] = two[0]["weights"]["measured"]
    expect_close(fields, expected, rel=1e-5)


def test_gradients_that_are_never_synced_are_absent_and_named(two: list[dict[str, Any]]) -> None:
    for rank in two:
        for _, fields in rank["ddp, never synced"]["measured"]:
            assert not {"gradVar", "layerGradVar", "gradNorm"} & fields.keys()
            assert math.isfinite(fields["tevMean"])
        assert "the ranks' gradients differed" in rank["ddp, never synced"]["warnings"][0]


def test_a_rank_that_watches_alone_waits_for_no_other(two: list[dict[str, Any]]) -> None:
    [(_, first), _] = two[0]["one rank watches"]["measured"]
    assert "tevMean" in first
    assert not {"gradVar", "gradNorm", "updateShare"} & first.keys()
    assert "every rank must watch the same model" in two[0]["one rank watches"]["warnings"][0]


def test_a_model_that_is_sharded_after_the_watch_began(two: list[dict[str, Any]]) -> None:
    """The first step shows it; from the next on all is measured."""
    alone, _ = train_alone(2)
    first, second = fields_of(two, "sharded afterwards")
    assert first["tevMean"] == pytest.approx(alone[0]["tevMean"], rel=1e-6)
    assert not {"gradVar", "gradNorm", "updateShare"} & first.keys()
    expect_close(second, alone[1], rel=1e-6)


def test_all_ranks_agree(two: list[dict[str, Any]]) -> None:
    assert [rank["agreement"]["agreed"] for rank in two] == [[False, True, True]] * 2


def test_commands_are_carried_out_on_every_rank_at_the_same_step(two: list[dict[str, Any]]) -> None:
    kinds = ["reduce-lr", "checkpoint", "stop"]
    expected = [[False, []], [False, kinds[:1]], [False, kinds[:2]], [True, kinds]]
    assert [rank["commands"]["found"] for rank in two] == [expected] * 2


def test_a_command_that_arrives_while_ranks_agree_waits_for_the_next_time(two: list[dict[str, Any]]) -> None:
    expected = [[False, []], [False, ["reduce-lr"]], [False, ["reduce-lr"]], [True, ["reduce-lr", "stop"]]]
    assert [rank["late commands"]["found"] for rank in two] == [expected] * 2


def test_a_rank_that_asks_alone_disturbs_no_other(two: list[dict[str, Any]]) -> None:
    assert two[0]["one rank asks"]["stops"] == [True, True]
    assert [rank["one rank asks"]["total"] for rank in two] == [2.0, 2.0]


def test_a_rank_without_a_run_stops_too(two: list[dict[str, Any]]) -> None:
    assert [rank["disabled rank"]["stop"] for rank in two] == [True, True]


def test_a_step_of_an_optimizer_that_wraps_another_counts_once(two: list[dict[str, Any]]) -> None:
    assert [rank["zero redundancy"]["steps"] for rank in two] == [2, 2]
