"""The largest attention logit of each block, against logits in float64 by their definition."""

from __future__ import annotations

import math
from typing import Any

import pytest

pytest.importorskip("torch.nn", reason="PyTorch is not installed: nothing of evenkeel.torch is tested")

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint
from training import micro_batch

from evenkeel.torch import Watch
from evenkeel.torch.attention import AttentionMeter, largest_logit
from evenkeel.torch.model import find_layers

HEADS, DIM = 2, 16


class Block(nn.Module):
    """[B, T, d] -> [B, T, d], causal"""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(DIM, 3 * DIM)

    def split(self, x: torch.Tensor) -> list[torch.Tensor]:
        """[B, H, T, d / H] each"""
        return [part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.split(x)
        return x + scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2).flatten(2)


class Model(nn.Module):
    def __init__(self, reentrant: bool | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.wte = nn.Embedding(50, DIM)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(DIM, 50)
        self.reentrant = reentrant

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.wte(tokens % 50)
        for block in self.blocks:
            x = block(x) if self.reentrant is None else checkpoint(block, x, use_reentrant=self.reentrant)
        return self.head(x).square().mean()


def reference(batches: list[torch.Tensor]) -> list[float]:
    """By block, over all batches."""
    model = Model().double()
    rows = []
    for batch in batches:
        x = model.wte(batch % 50)
        maxima = []
        for block in model.blocks:
            query, key, _ = block.split(x)
            logits = query @ key.transpose(-2, -1) / math.sqrt(DIM / HEADS)
            allowed = torch.ones(logits.shape[-2:]).tril().bool()
            maxima.append(float(logits[..., allowed].max()))
            x = block(x)
        rows.append(maxima)
    return [max(column) for column in zip(*rows)]


def train(model: nn.Module, warnings: list[str]) -> dict[str, Any]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, attention_logits=True, warn=warnings.append)
    model.eval()
    with torch.no_grad():
        model(micro_batch(7) * 3)
    model.train()
    for at in range(2):
        model(micro_batch(at)).backward()
    optimizer.step()
    [(_, fields)] = watch.take()
    watch.close()
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    return fields


@pytest.mark.parametrize("reentrant", [None, False, True])
def test_of_each_block_over_the_passes_of_a_step(reentrant: bool | None) -> None:
    """Activation checkpointing repeats forward passes, which do not count again; nor do evaluations."""
    warnings: list[str] = []
    fields = train(Model(reentrant), warnings)
    first, second = reference([micro_batch(0), micro_batch(1)])
    assert fields["attentionLogitMax/block 1"] == pytest.approx(first, rel=1e-5)
    assert fields["attentionLogitMax/block 2"] == pytest.approx(second, rel=1e-5)
    assert fields["attentionLogitMax"] == pytest.approx(max(first, second), rel=1e-5)
    assert warnings == []


def test_a_logit_that_is_no_number_is_the_largest() -> None:
    model = Model()
    with torch.no_grad():
        model.blocks[1].qkv.weight[0, 0] = math.nan
    fields = train(model, [])
    assert math.isfinite(fields["attentionLogitMax/block 1"])
    assert math.isnan(fields["attentionLogitMax/block 2"])
    assert math.isnan(fields["attentionLogitMax"])


def test_other_implementations_of_attention_are_named_in_a_warning() -> None:
    warnings: list[str] = []
    model = Model()
    model.blocks = nn.ModuleList([nn.Linear(DIM, DIM), nn.Linear(DIM, DIM)])
    fields = train(model, warnings)
    assert not [name for name in fields if name.startswith("attentionLogitMax")]
    assert warnings == [
        "attentionLogitMax is absent: no block calls PyTorch's scaled_dot_product_attention, or it is compiled"
    ]


def test_a_model_of_transformers() -> None:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed: its models are not tested"
    )
    config = transformers.GPT2Config(
        vocab_size=50, n_embd=DIM, n_layer=2, n_head=HEADS, attn_pdrop=0, resid_pdrop=0, embd_pdrop=0
    )
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config)
    tokens = micro_batch(0) % 50
    seen = [0.0, 0.0]

    def look(at: int, hidden: torch.Tensor) -> None:
        query, key, _ = model.transformer.h[at].attn.c_attn(hidden).chunk(3, dim=-1)
        query, key = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (query, key))
        logits = query @ key.transpose(-2, -1) / math.sqrt(DIM / HEADS)
        seen[at] = float(logits[..., torch.ones(logits.shape[-2:]).tril().bool()].max())

    for at, block in enumerate(model.transformer.h):
        block.ln_1.register_forward_hook(lambda _, __, output, at=at: look(at, output))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, attention_logits=True)
    model.train()
    model(tokens, labels=tokens).loss.backward()
    optimizer.step()
    [(_, fields)] = watch.take()
    measured = [fields["attentionLogitMax/block 1"], fields["attentionLogitMax/block 2"]]
    assert measured == pytest.approx(seen, rel=1e-4)


def test_over_ranks_of_which_one_saw_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.torch.distributed.world_size", lambda: 2)
    layers = find_layers(Model())
    parts = []
    for rank, logit in enumerate([3.0, -2.0]):
        monkeypatch.setattr("evenkeel.torch.distributed.rank", lambda rank=rank: rank)
        meter = AttentionMeter(layers, fail=lambda error: pytest.fail(str(error)))
        for block in layers.blocks[rank:]:  # the second rank does not have the first
            key = torch.ones(1, HEADS, 1, 1)
            block.forward = lambda x, key=key, logit=logit: scaled_dot_product_attention(key * logit, key, key)
            block(torch.zeros(1))
        parts.append(meter.local(torch.device("cpu")))
        meter.close()
    assert meter.fields(sum(parts).tolist()) == {
        "attentionLogitMax": 3.0,
        "attentionLogitMax/block 1": 3.0,
        "attentionLogitMax/block 2": 3.0,
    }
    assert meter.fields(parts[1].tolist())["attentionLogitMax"] == -2.0


def exact(query: torch.Tensor, key: torch.Tensor, scale: float, allowed: torch.Tensor, bias: torch.Tensor) -> float:
    logits = query.double() @ key.double().transpose(-2, -1) * scale + bias.double()
    return float(logits.masked_fill(~allowed, -math.inf).max())


@pytest.mark.parametrize("bound", [1, 100, 2**24])
def test_with_masks_scales_and_grouped_keys(bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.torch.attention.MAX_LOGITS", bound)
    torch.manual_seed(0)
    query, key = torch.randn(3, 4, 7, 8), torch.randn(3, 2, 9, 8)
    keys = key.repeat_interleave(2, dim=1)
    everything, nothing = torch.ones(7, 9).bool(), torch.zeros(())
    scale = 1 / math.sqrt(8)
    causal = everything.tril()
    some = torch.rand(3, 1, 7, 9) < 0.3
    by_key = torch.rand(3, 1, 1, 9) < 0.5
    bias = torch.randn(4, 7, 9)
    cases: list[tuple[dict[str, Any], float]] = [
        ({}, exact(query, keys, scale, everything, nothing)),
        ({"scale": 3.0}, exact(query, keys, 3.0, everything, nothing)),
        ({"is_causal": True}, exact(query, keys, scale, causal, nothing)),
        ({"attn_mask": some}, exact(query, keys, scale, some, nothing)),
        ({"attn_mask": by_key}, exact(query, keys, scale, by_key, nothing)),
        ({"attn_mask": bias}, exact(query, keys, scale, everything, bias)),
    ]
    for options, expected in cases:
        assert float(largest_logit(query, key, **options)) == pytest.approx(expected, rel=1e-5)
