"""A small language model, its data, and slow float64 references of what a watch measures."""

from __future__ import annotations

import copy
from typing import Any, Callable

import torch
from torch import nn

torch.set_num_threads(1)  # threads of so small a model wait for each other on a busy machine

VOCABULARY = 37
DIM = 12
TEV_SHARES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(DIM)
        self.up = nn.Linear(DIM, 2 * DIM)
        self.down = nn.Linear(2 * DIM, DIM)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(torch.tanh(self.up(self.norm(x))))


class Model(nn.Module):
    """tokens [B, T] -> mean cross-entropy of the next tokens"""

    def __init__(self, *, vocabulary: int = VOCABULARY, tied: bool = False, sparse: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.wte = nn.Embedding(vocabulary, DIM, sparse=sparse)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(DIM, vocabulary, bias=False)
        self.run_block: Callable[..., Any] = lambda block, x: block(x)
        if tied:
            self.head.weight = self.wte.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = tokens % self.wte.num_embeddings
        x = self.wte(tokens[:, :-1])  # [B, T - 1, d]
        for block in self.blocks:
            x = self.run_block(block, x)
        logits = self.head(x)
        return nn.functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())


def micro_batch(seed: int, length: int = 9) -> torch.Tensor:
    """[3, length]"""
    return torch.randint(0, VOCABULARY, (3, length), generator=torch.Generator().manual_seed(seed))


def reference_gradients(model: nn.Module, batches: list[torch.Tensor], weights: list[float] | None = None) -> dict:
    """gradVar, layerGradVar and gradNorm by their definitions, from whole gradients in float64."""
    exact = copy.deepcopy(model).double()
    named = {name: parameter for name, parameter in exact.named_parameters() if parameter.requires_grad}
    rows = []
    for batch in batches:
        found = torch.autograd.grad(exact(batch), list(named.values()), allow_unused=True)
        dense = [torch.zeros_like(p) if g is None else g.to_dense() for g, p in zip(found, named.values())]
        rows.append([gradient.flatten().detach() for gradient in dense])
    count = len(batches)
    shares = torch.tensor(weights or [1.0] * count, dtype=torch.float64)
    shares /= shares.sum()
    layers = {"embedding": 0.0, "block 1": 0.0, "block 2": 0.0, "head": 0.0}
    square = 0.0
    for at, name in enumerate(named):
        gradients = torch.stack([row[at] for row in rows])  # [K, n]
        mean = (shares[:, None] * gradients).sum(0)
        square += float(mean.square().sum())
        variance = count / max(1, count - 1) * float((shares[:, None] * (gradients - mean).square()).sum())
        layers[layer_of(name)] += variance
    return {"gradVar": sum(layers.values()), "layerGradVar": list(layers.values()), "gradNorm": square**0.5}


def layer_of(name: str) -> str:
    if name.startswith("blocks."):
        return f"block {int(name.split('.')[1]) + 1}"
    return "embedding" if name.startswith("wte") else "head"


def reference_tev(matrix: torch.Tensor) -> dict:
    """By the definition, in float64."""
    rows = matrix.detach().double()
    deviations = (rows - rows.mean(1, keepdim=True)).square().mean(1).sqrt()
    mean = deviations.mean()
    return {
        "tevMean": float(mean),
        "tevStd": float((deviations - mean).square().mean().sqrt()),
        "tevQuantiles": torch.quantile(deviations, torch.tensor(TEV_SHARES, dtype=torch.float64)).tolist(),
    }
