"""The watch itself: when it measures, which optimizer it follows, and what it leaves behind."""

from __future__ import annotations

import weakref
from typing import Any

import pytest

pytest.importorskip("torch.nn", reason="PyTorch is not installed: nothing of evenkeel.torch is tested")

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from training import Model, micro_batch, reference_gradients

from evenkeel.torch import Watch
from evenkeel.torch.model import find_layers


def train(model: nn.Module, optimizer: Any, steps: int = 1) -> None:
    for step in range(steps):
        for at in range(2):
            (model(micro_batch(10 * step + at)) / 2).backward()
        optimizer.step()
        optimizer.zero_grad()


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def test_measures_the_first_step_and_then_every_third() -> None:
    model = Model()
    optimizer = sgd(model)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    watch = Watch(model, optimizer, every=3)
    expected = []
    for step in range(7):
        expected.append(reference_gradients(model, [micro_batch(10 * step), micro_batch(10 * step + 1)]))
        for at in range(2):
            (model(micro_batch(10 * step + at)) / 2).backward()
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    measured = watch.take()
    assert [fields["lr"] for _, fields in measured] == [0.1 * 0.5**step for step in range(7)]
    assert [step for step, fields in measured if "tevMean" in fields] == [1, 4, 7]
    for step, fields in measured:
        if "tevMean" in fields:
            assert fields["gradVar"] == pytest.approx(expected[step - 1]["gradVar"], rel=1e-5)
    assert watch.take() == []
    assert watch.steps == 7


def test_without_an_optimizer_follows_that_of_the_embedding() -> None:
    model = Model()
    watch = Watch(model)
    other = sgd(nn.Linear(2, 2))
    head = torch.optim.SGD(model.head.parameters(), lr=0.2)
    rest = torch.optim.SGD([p for name, p in model.named_parameters() if not name.startswith("head")], lr=0.1)
    for at in range(2):
        (model(micro_batch(at)) / 2).backward()
    for optimizer in (other, head, rest):
        optimizer.step()
    [(step, fields)] = watch.take()
    assert (step, fields["lr"]) == (1, 0.1)
    assert "gradVar" in fields
    watch.close()


def test_takes_the_optimizer_out_of_its_wrapper() -> None:
    accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed: its optimizer is not tested")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    model, optimizer = accelerator.prepare(Model(), torch.optim.AdamW(Model().parameters()))
    optimizer = accelerator.prepare(sgd(model))
    watch = Watch(model, optimizer)
    for step in range(2):
        for at in range(2):
            with accelerator.accumulate(model):
                accelerator.backward(model(micro_batch(10 * step + at)))
                optimizer.step()
                optimizer.zero_grad()
    measured = watch.take()
    assert [step for step, _ in measured] == [1, 2]
    expected = reference_gradients(Model(), [micro_batch(0), micro_batch(1)])
    assert measured[0][1]["gradVar"] == pytest.approx(expected["gradVar"], rel=1e-5)


def test_close_removes_every_hook() -> None:
    model = Model()
    optimizer = sgd(model)
    watch = Watch(model, optimizer, layer_outputs=True)
    watch.close()
    train(model, optimizer)
    assert watch.take() == []
    assert all(not parameter._backward_hooks for parameter in model.parameters())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())


def test_what_nobody_takes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.torch.watch.MAX_PENDING", 3)
    model = Model()
    optimizer = sgd(model)
    watch = Watch(model, optimizer, grad_variance=False)
    train(model, optimizer, steps=5)
    assert [step for step, _ in watch.take()] == [3, 4, 5]


def test_an_error_while_measuring_is_a_warning_and_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise MemoryError("no memory")

    monkeypatch.setattr("evenkeel.torch.gradients.store_norm", broken)
    monkeypatch.setattr("evenkeel.torch.watch.row_deviations", broken)
    model = Model()
    optimizer = sgd(model)
    before = model.head.weight.detach().clone()
    warnings: list[str] = []
    watch = Watch(model, optimizer, warn=warnings.append)
    train(model, optimizer)
    assert watch.take() == [(1, {"lr": 0.1})]
    assert not torch.equal(before, model.head.weight)
    assert warnings[0] == "a measurement is absent, since it failed: MemoryError: no memory"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"every": 0}, "every"),
        ({"every": True}, "every"),
        ({"grad_variance": "full"}, "grad_variance"),
        ({"vocab_size": 0}, "vocab_size"),
        ({"optimizer": object()}, "optimizer"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: must be"):
        Watch(Model(), **options)


def reference_outputs(model: Model, batches: list[torch.Tensor]) -> list[float]:
    """Variance of the embeddings, the blocks and what the head reads, in float64."""
    model.double()
    rows = []
    for batch in batches:
        states = [model.wte(batch[:, :-1])]
        for block in model.blocks:
            states.append(block(states[-1]))
        states.append(states[-1])
        rows.append([float((x - x.mean(-1, keepdim=True)).square().mean()) for x in states])
    return [sum(column) / len(column) for column in zip(*rows)]


@pytest.mark.parametrize("reentrant", [None, False, True])
def test_output_variance_by_layer(reentrant: bool | None) -> None:
    """Activation checkpointing repeats forward passes, which do not count again; nor do evaluations."""
    model = Model()
    if reentrant is not None:
        model.run_block = lambda block, x: checkpoint(block, x, use_reentrant=reentrant)
    optimizer = sgd(model)
    warnings: list[str] = []
    watch = Watch(model, optimizer, layer_outputs=True, warn=warnings.append)
    model.eval()
    with torch.no_grad():
        model(micro_batch(7))
    model.train()
    train(model, optimizer)
    [(_, fields)] = watch.take()
    assert fields["layerOutVar"] == pytest.approx(
        reference_outputs(Model(), [micro_batch(0), micro_batch(1)]), rel=1e-5
    )
    assert warnings == []


def test_layers_of_transformers_and_of_other_models() -> None:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed: its models are not tested"
    )
    config = transformers.GPT2Config(vocab_size=101, n_embd=32, n_layer=3, n_head=2, bos_token_id=0, eos_token_id=1)
    layers = find_layers(transformers.GPT2LMHeadModel(config))
    assert layers.names == ["embedding", "block 1", "block 2", "block 3", "head"]
    assert layers.of["transformer.wte.weight"] == layers.of["transformer.wpe.weight"] == 0
    assert layers.of["transformer.h.2.mlp.c_fc.bias"] == 3
    assert layers.of["transformer.ln_f.weight"] == 4
    plain = find_layers(nn.Sequential(nn.Embedding(5, 2), nn.Linear(2, 2), nn.Linear(2, 5)))
    assert plain.names == ["0", "1", "2"]
    many = nn.ModuleDict({"h": nn.ModuleList([nn.Linear(1, 1) for _ in range(600)])})
    assert find_layers(many).names == []


class Wrapper(torch.optim.Optimizer):
    """Calls another, as SAM and Lookahead do."""

    def __init__(self, inner: torch.optim.Optimizer) -> None:
        super().__init__(inner.param_groups, inner.defaults)
        self.inner = inner
        self.fails = False

    def step(self, closure: Any = None) -> None:
        self.inner.step()
        if self.fails:
            raise RuntimeError("out of memory")


def test_a_step_of_a_wrapper_counts_once() -> None:
    model = Model()
    optimizer = Wrapper(sgd(model))
    watch = Watch(model)
    train(model, optimizer)
    optimizer.fails = True
    with pytest.raises(RuntimeError):
        train(model, optimizer)
    optimizer.fails = False
    train(model, optimizer)
    assert watch.steps == 2
    watch.close()


class Bare(torch.optim.Optimizer):
    """Steps another, and has only what hooks need."""

    def __init__(self, inner: torch.optim.Optimizer) -> None:
        self.inner = inner
        self._optimizer_step_pre_hooks: Any = {}
        self._optimizer_step_post_hooks: Any = {}
        self._patch_step_function()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.inner.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inner.zero_grad()


class Broken(Bare):
    @property
    def param_groups(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no groups yet")


@pytest.mark.parametrize("updates", [False, True])
def test_an_optimizer_without_groups_is_stepped_and_what_it_wraps_measured(updates: bool) -> None:
    model = Model()
    warnings: list[str] = []
    watch = Watch(model, warn=warnings.append, updates=updates)
    train(model, Bare(sgd(model)), steps=2)
    measured = watch.take()
    assert [(step, fields["lr"]) for step, fields in measured] == [(1, 0.1), (2, 0.1)]
    assert all(("updateShare" in fields) == updates for _, fields in measured)
    assert warnings == []
    watch.close()


@pytest.mark.parametrize("updates", [False, True])
def test_an_optimizer_whose_groups_raise_is_a_warning_and_training_goes_on(updates: bool) -> None:
    model = Model()
    before = model.wte.weight.detach().clone()
    warnings: list[str] = []
    watch = Watch(model, warn=warnings.append, updates=updates)
    train(model, Broken(sgd(model)))
    assert not torch.equal(model.wte.weight, before)
    assert warnings == ["a measurement is absent, since it failed: RuntimeError: no groups yet"]
    watch.close()


def test_what_the_loop_has_deleted_is_freed() -> None:
    model = Model()
    optimizer = sgd(model)
    watch = Watch(model, optimizer)

    def step() -> bool:
        activations = torch.zeros(1_000)
        freed = weakref.ref(activations)
        train(model, optimizer)
        del activations
        return freed() is None

    assert step()
    watch.close()
