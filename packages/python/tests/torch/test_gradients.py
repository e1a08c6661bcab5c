"""Gradient variance and norm of one process against whole gradients in float64."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("torch.nn", reason="PyTorch is not installed: nothing of evenkeel.torch is tested")

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from training import Model, micro_batch, reference_gradients

from evenkeel.torch import Watch
from evenkeel.torch.gradients import store_norm

BATCHES = [micro_batch(seed) for seed in range(4)]


class Loop:
    """A training loop with accumulation that clips, and a watch on it."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None = None, **options: Any) -> None:
        self.warnings: list[str] = []
        self.model = model
        self.optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1)
        self.watch = Watch(model, self.optimizer, warn=self.warnings.append, **options)

    def accumulate(self, batches: list[torch.Tensor]) -> None:
        for batch in batches:
            (self.model(batch) / len(batches)).backward()

    def step(self, batches: list[torch.Tensor], max_norm: float = 1e-3) -> dict[str, Any]:
        """The reference is of the weights before."""
        expected = reference_gradients(self.model, batches)
        self.accumulate(batches)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), max_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return expected

    def fields(self) -> dict[str, Any]:
        [(_, fields)] = self.watch.take()
        return fields


def expect_gradients(fields: dict[str, Any], expected: dict[str, Any], rel: float = 1e-5) -> None:
    """Layers within a part of the whole, since a layer's own variance can be tiny beside it."""
    assert fields["gradNorm"] == pytest.approx(expected["gradNorm"], rel=rel)
    assert fields["gradVar"] == pytest.approx(expected["gradVar"], rel=rel)
    assert fields["layerGradVar"] == pytest.approx(expected["layerGradVar"], rel=rel, abs=rel * expected["gradVar"])


@pytest.fixture(params=["plain", "tied", "compiled", "checkpoint", "amsgrad with a scheduler"])
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    model = Model(tied=request.param == "tied")
    optimizer: torch.optim.Optimizer | None = None
    if request.param == "checkpoint":
        model.run_block = lambda block, x: checkpoint(block, x, use_reentrant=False)
    if request.param == "compiled":
        model.run_block = torch.compile(lambda block, x: block(x), backend="aot_eager")
    if request.param == "amsgrad with a scheduler":
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, amsgrad=True)
        torch.optim.lr_scheduler.LinearLR(optimizer)
    loop = Loop(model, optimizer)
    yield loop
    loop.watch.close()


def test_over_several_steps_of_four_micro_batches(loop: Loop) -> None:
    expected = [loop.step(BATCHES), loop.step(BATCHES[:2]), loop.step(BATCHES[1:])]
    measured = loop.watch.take()
    assert [step for step, _ in measured] == [1, 2, 3]
    for (_, fields), each in zip(measured, expected):
        expect_gradients(fields, each)
    assert loop.warnings == []
    assert loop.watch.layers == ["embedding", "block 1", "block 2", "head"]


def test_exact_sums_in_float64() -> None:
    loop = Loop(Model().double(), grad_variance="exact")
    expected = loop.step(BATCHES)
    expect_gradients(loop.fields(), expected, rel=1e-11)


def test_a_small_variance_is_absent_rather_than_rounded_and_exact_resolves_it() -> None:
    first = BATCHES[0]
    for mode, resolves in (("auto", False), ("exact", True)):
        model = Model()
        loop = Loop(model, grad_variance=mode)
        gradients = []
        for scale in (1, 1 + 2e-3):
            loss = model(first) * scale
            found = torch.autograd.grad(loss, list(model.parameters()))
            gradients.append(torch.cat([gradient.flatten().double() for gradient in found]))
            (model(first) * scale / 2).backward()
        loop.optimizer.step()
        fields = loop.fields()
        assert ("gradVar" in fields) is resolves
        assert fields["gradNorm"] == pytest.approx(float((gradients[0] + gradients[1]).norm() / 2), rel=1e-6)
        if resolves:
            assert fields["gradVar"] == pytest.approx(float(torch.stack(gradients).var(0).sum()), rel=0.01)
        else:
            assert loop.warnings == [
                "gradient variance is absent: it is too small beside the gradient; grad_variance='exact' resolves more"
            ]


def test_one_micro_batch_has_a_norm_and_no_variance() -> None:
    loop = Loop(Model())
    expected = [loop.step(BATCHES[:1]), loop.step(BATCHES[1:2])]
    for (_, fields), each in zip(loop.watch.take(), expected):
        assert fields["gradNorm"] == pytest.approx(each["gradNorm"], rel=1e-5)
        assert not {"gradVar", "layerGradVar"} & fields.keys()
    needed = "it needs two or more micro-batches per step, from accumulation or data parallelism"
    cause = f"gradient variance is absent: {needed}"
    assert loop.warnings == [cause]
    loop.watch.close()
    assert loop.warnings == [cause, f"{cause} (2 times)"]


def test_token_weights() -> None:
    """As the HF Trainer weighs: the sum of token losses over the step's tokens, here 2 to 11 tokens per sequence."""
    loop = Loop(Model())
    batches = [micro_batch(seed, length) for seed, length in enumerate((3, 12, 7, 5))]
    tokens = [float(batch[:, 1:].numel()) for batch in batches]
    expected = reference_gradients(loop.model, batches, tokens)
    for at, (batch, count) in enumerate(zip(batches, tokens)):
        loop.watch.weigh(torch.tensor(int(count)) if at % 2 else count)
        (loop.model(batch) * count / sum(tokens)).backward()
    loop.optimizer.step()
    expect_gradients(loop.fields(), expected)


def test_a_micro_batch_without_tokens_is_none() -> None:
    loop = Loop(Model())
    expected = reference_gradients(loop.model, BATCHES[:2])
    for batch, tokens in ((BATCHES[0], 24), (BATCHES[2], 0), (BATCHES[1], 24)):
        loop.watch.weigh(tokens)
        (loop.model(batch) * tokens / 48).backward()
    loop.optimizer.step()
    expect_gradients(loop.fields(), expected)


def test_weights_for_some_micro_batches_alone_give_no_variance() -> None:
    loop = Loop(Model())
    loop.watch.weigh(24)
    loop.step(BATCHES)
    assert "gradVar" not in loop.fields()
    assert loop.warnings == [
        "gradient variance is absent: some micro-batches of the step have a weight and others do not"
    ]


@pytest.mark.parametrize("fused", [False, True])
def test_grad_scaler(fused: bool) -> None:
    """The scale is divided out, whether the user unscales or not, and skipped steps are none."""
    model = Model()
    loop = Loop(model, torch.optim.AdamW(model.parameters(), lr=0.01, fused=fused))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
    expected = []
    for step, unscale in enumerate((False, True, False, True, False)):
        reference = reference_gradients(model, BATCHES)
        for batch in BATCHES:
            loss = model(batch) / 4
            scaler.scale(loss * math.inf if step in (1, 2) and batch is BATCHES[2] else loss).backward()
        if unscale:
            scaler.unscale_(loop.optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        scaler.step(loop.optimizer)
        scaler.update()
        loop.optimizer.zero_grad(set_to_none=step != 1)
        if step not in (1, 2):
            expected.append(reference)
    measured = loop.watch.take()
    assert [step for step, _ in measured] == [1, 2, 3]
    assert loop.watch.steps == 3
    for (_, fields), each in zip(measured, expected):
        expect_gradients(fields, each)


@pytest.mark.parametrize("set_to_none", [True, False])
def test_a_step_that_the_loop_itself_skips_is_none(set_to_none: bool) -> None:
    loop = Loop(Model())
    loop.accumulate(BATCHES[1:])
    loop.optimizer.zero_grad(set_to_none=set_to_none)
    expected = loop.step(BATCHES)
    expect_gradients(loop.fields(), expected)
    assert loop.watch.steps == 1


def test_gradients_that_are_not_finite_are_reported() -> None:
    loop = Loop(Model())
    (loop.model(BATCHES[0]) * math.nan).backward()
    loop.model(BATCHES[1]).backward()
    loop.optimizer.step()
    fields = loop.fields()
    assert math.isnan(fields["gradNorm"])
    assert math.isnan(fields["gradVar"])
    assert math.isnan(fields["tevMean"])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_does_not_overflow(dtype: torch.dtype) -> None:
    """Losses of 1e4 give gradients whose squares are beyond fp16."""
    model = Model().to(dtype)
    loop = Loop(model)
    reference = copy.deepcopy(model).double()
    rows = []
    for batch in BATCHES[:2]:
        found = torch.autograd.grad(reference(batch) * 2e4, list(reference.parameters()))
        rows.append(torch.cat([gradient.flatten() for gradient in found]))
        (model(batch) * 1e4).backward()
    loop.optimizer.step()
    fields = loop.fields()
    assert fields["gradNorm"] == pytest.approx(float(torch.stack(rows).mean(0).norm()), rel=0.02)
    assert fields["gradVar"] == pytest.approx(float(torch.stack(rows).var(0).sum()), rel=0.02)


def test_sparse_gradients() -> None:
    model = Model(sparse=True)
    sparse = torch.optim.SparseAdam([model.wte.weight], lr=0.01)
    dense = torch.optim.AdamW([p for p in model.parameters() if p is not model.wte.weight], lr=0.01)
    loop = Loop(model, sparse)
    expected = reference_gradients(model, BATCHES)
    loop.accumulate(BATCHES)
    sparse.step()
    dense.step()
    expect_gradients(loop.fields(), expected)


def test_unused_and_frozen_parameters() -> None:
    model = Model()
    model.spare = nn.Linear(3, 3)
    model.blocks[0].requires_grad_(False)
    loop = Loop(model)
    expected = loop.step(BATCHES)
    fields = loop.fields()
    expect_gradients(fields, expected)
    assert fields["layerGradVar"][1] == 0


def test_parameters_that_one_micro_batch_alone_uses() -> None:
    model = Model()
    model.run_block = lambda block, x: block(x) if block is model.blocks[0] or model.uses_both else x
    loop = Loop(model)
    rows = []
    for at, batch in enumerate(BATCHES):
        model.uses_both = at == 1
        found = torch.autograd.grad(model(batch), list(model.parameters()), allow_unused=True)
        pairs = zip(found, model.parameters())
        rows.append(torch.cat([(torch.zeros_like(p) if g is None else g).flatten().double() for g, p in pairs]))
        (model(batch) / 4).backward()
    loop.optimizer.step()
    assert loop.fields()["gradVar"] == pytest.approx(float(torch.stack(rows).var(0).sum()), rel=1e-5)


def test_an_optimizer_in_the_backward_pass() -> None:
    model = Model()
    optimizers = {parameter: torch.optim.SGD([parameter], lr=0.1) for parameter in model.parameters()}

    def update(parameter: torch.Tensor) -> None:
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(update)
    warnings: list[str] = []
    watch = Watch(model, list(optimizers.values()), warn=warnings.append)
    expected = []
    for batch in BATCHES:
        expected.append(reference_gradients(model, [batch])["gradNorm"])
        model(batch).backward()
    measured = watch.take()
    assert [step for step, _ in measured] == [1, 2, 3, 4]
    assert [fields["gradNorm"] for _, fields in measured] == pytest.approx(expected, rel=1e-5)
    assert len(warnings) == 1


def test_reentrant_checkpointing_counts_one_micro_batch() -> None:
    model = Model()
    model.run_block = lambda block, x: checkpoint(block, x, use_reentrant=True)
    loop = Loop(model)
    expected = reference_gradients(Model(), BATCHES)
    loop.accumulate(BATCHES)
    loop.optimizer.step()
    expect_gradients(loop.fields(), expected)


def test_a_parameter_of_two_reentrant_blocks_is_named_and_gives_no_variance() -> None:
    model = Model()
    model.blocks[1] = model.blocks[0]
    model.run_block = lambda block, x: checkpoint(block, x, use_reentrant=True)
    loop = Loop(model)
    loop.accumulate(BATCHES)
    norm = torch.stack([parameter.grad.norm() for parameter in model.parameters()]).norm()
    loop.optimizer.step()
    fields = loop.fields()
    assert "gradVar" not in fields
    assert fields["gradNorm"] == pytest.approx(float(norm), rel=1e-5)
    assert "got its gradient in parts" in loop.warnings[0]


def test_gradients_asked_for_in_between_count_for_nothing() -> None:
    loop = Loop(Model())
    expected = reference_gradients(loop.model, BATCHES)
    for batch in BATCHES:
        torch.autograd.grad(loop.model(BATCHES[0]), list(loop.model.parameters()))
        (loop.model(batch) / 4).backward()
        torch.autograd.grad(loop.model(BATCHES[0]), list(loop.model.parameters()))
    loop.optimizer.step()
    expect_gradients(loop.fields(), expected)


def test_create_graph_keeps_its_second_derivatives() -> None:
    loop = Loop(Model())
    expected = reference_gradients(loop.model, BATCHES[:2])
    for batch in BATCHES[:2]:
        (loop.model(batch) / 2).backward(create_graph=True)
    loop.optimizer.step()
    expect_gradients(loop.fields(), expected)


def test_parameters_that_are_unfrozen_later_are_measured() -> None:
    model = Model()
    model.blocks[0].requires_grad_(False)
    loop = Loop(model)
    loop.step(BATCHES)
    model.blocks[0].requires_grad_(True)
    loop.step(BATCHES)  # notices at its end
    expected = loop.step(BATCHES)
    first, second, third = (fields for _, fields in loop.watch.take())
    assert "gradVar" in first
    assert not {"gradVar", "gradNorm"} & second.keys()
    expect_gradients(third, expected)


@pytest.mark.parametrize("shape", [(10_000_000,), (4000, 2500), (131_073,), (3, 70_000)])
def test_norms_of_large_tensors_keep_their_digits_on_a_cpu(shape: tuple[int, ...]) -> None:
    """`vector_norm` in float32 of 10 million normal numbers is 3e-4 too small there."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 0.01
    for each in (values, values.t() if values.dim() == 2 else values, values.bfloat16()):
        out = torch.zeros(())
        store_norm(each, out, exact=False)
        assert float(out) == pytest.approx(float(each.double().norm()), rel=2e-6)
