"""
GPTs of one shape side by side, each with weights of its own: a batched product takes as long for thirty tiny models as
for one, so runs of many steps can be had on one core.

Shapes: M models, B sequences, T tokens each, d model dimension, H heads, h = d / H, r rank, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

STD = 0.02
"""Of the initial weights, as in GPT-2."""


@dataclass(frozen=True)
class Shape:
    layers: int = 2
    dim: int = 24
    heads: int = 2
    context: int = 24
    vocabulary: int = 32
    attention: str = "mha"
    """`mha`; `mlra`, where each projection is a product of two matrices of rank d / 2; or `qk-norm`."""
    norm: str = "pre"
    """Layer norms before the sublayers, or `post`."""
    bf16: bool = False
    """Round the operands of every matrix product to bfloat16, in the backward pass too."""


@dataclass(frozen=True)
class Parameter:
    name: str
    shape: tuple[int, ...]
    std: float
    """0 of a bias, which starts at 0, and of a gain, which starts at 1."""

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_matrix(self) -> bool:
        return self.std > 0


def parameters_of(shape: Shape) -> list[Parameter]:
    """In the order in which a model's vector has them."""
    dim, rank = shape.dim, shape.dim // 2
    residual = STD / math.sqrt(2 * shape.layers)
    found = [
        Parameter("wte", (shape.vocabulary, dim), STD),
        Parameter("wpe", (shape.context, dim), STD),
    ]
    for at in range(shape.layers):
        block = f"{at}."
        if shape.attention == "mlra":
            std = math.sqrt(STD / math.sqrt(rank))  # entries of the product are sums of r products
            for part in ("query", "key", "value"):
                found.append(Parameter(f"{block}{part}.down", (dim, rank), std))
                found.append(Parameter(f"{block}{part}.up", (rank, dim), std))
        else:
            found.append(Parameter(f"{block}qkv", (dim, 3 * dim), STD))
        found.append(Parameter(f"{block}qkv.bias", (3 * dim,), 0))
        if shape.attention == "qk-norm":
            found += [Parameter(f"{block}{part}.gain", (dim // shape.heads,), 0) for part in ("query", "key")]
        found += [
            Parameter(f"{block}out", (dim, dim), residual),
            Parameter(f"{block}out.bias", (dim,), 0),
            Parameter(f"{block}up", (dim, 4 * dim), STD),
            Parameter(f"{block}up.bias", (4 * dim,), 0),
            Parameter(f"{block}down", (4 * dim, dim), residual),
            Parameter(f"{block}down.bias", (dim,), 0),
        ]
        found += [Parameter(f"{block}{norm}.{part}", (dim,), 0) for norm in ("ln1", "ln2") for part in ("gain", "bias")]
    return [*found, Parameter("ln.gain", (dim,), 0), Parameter("ln.bias", (dim,), 0)]


def initial(shape: Shape, seed: int) -> torch.Tensor:
    """The weights of a model as one vector, [P]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.cat([
        torch.randn(each.size, generator=generator) * each.std
        if each.is_matrix
        else torch.full((each.size,), float(each.name.endswith(".gain")))
        for each in parameters_of(shape)
    ])  # fmt: skip


class Models:
    """A forward pass of many models. `weights` [M, P]"""

    def __init__(self, shape: Shape, weights: torch.Tensor) -> None:
        self.shape = shape
        found = parameters_of(shape)
        parts = weights.split([each.size for each in found], dim=1)
        self._parts = {each.name: part.unflatten(1, each.shape) for each, part in zip(found, parts)}
        self.largest_logits: list[torch.Tensor] = []
        """The greatest attention logit of each block, [M] each."""

    def losses(self, tokens: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy of each model, [M, B, T + 1] -> [M]; the head is the token embedding."""
        models, sequences, length = tokens.shape
        vocabulary = self.shape.vocabulary
        wte = self._parts["wte"]  # [M, V, d]
        rows = tokens[..., :-1] + vocabulary * torch.arange(models)[:, None, None]
        x = functional.embedding(rows, wte.flatten(0, 1))  # [M, B, T, d]
        x = (x + self._parts["wpe"][:, None]).flatten(1, 2)  # [M, B · T, d]
        for at in range(self.shape.layers):
            x = self._block(f"{at}.", x, sequences)
        logits = self._product(self._norm("ln", x), wte.transpose(1, 2))  # [M, B · T, V]
        targets = tokens[..., 1:].flatten()
        each = functional.cross_entropy(logits.flatten(0, 1), targets, reduction="none")
        return each.view(models, sequences * (length - 1)).mean(1)

    def _block(self, name: str, x: torch.Tensor, sequences: int) -> torch.Tensor:
        if self.shape.norm == "post":
            x = self._norm(f"{name}ln1", x + self._attention(name, x, sequences))
            return self._norm(f"{name}ln2", x + self._network(name, x))
        x = x + self._attention(name, self._norm(f"{name}ln1", x), sequences)
        return x + self._network(name, self._norm(f"{name}ln2", x))

    def _attention(self, name: str, x: torch.Tensor, sequences: int) -> torch.Tensor:
        heads = self.shape.heads
        qkv = self._qkv(name, x) + self._parts[f"{name}qkv.bias"][:, None]  # [M, B · T, 3d]
        split = qkv.unflatten(2, (3, heads, -1)).unflatten(1, (sequences, -1))  # [M, B, T, 3, H, h]
        query, key, value = split.permute(3, 0, 1, 4, 2, 5).flatten(2, 3).unbind(0)  # [M, B · H, T, h] each
        if self.shape.attention == "qk-norm":
            query, key = self._rms_norm(f"{name}query", query), self._rms_norm(f"{name}key", key)
        scale = 1 / math.sqrt(query.shape[-1])
        logits = self._product(query * scale, key.transpose(-2, -1))  # [M, B · H, T, T]
        future = torch.ones(logits.shape[-2:], dtype=torch.bool).triu(1)
        logits = logits.masked_fill(future, -math.inf)
        self.largest_logits.append(logits.detach().flatten(1).amax(1))
        mixed = self._product(logits.softmax(-1), value)  # [M, B · H, T, h]
        joined = mixed.unflatten(1, (sequences, heads)).transpose(2, 3).flatten(3).flatten(1, 2)  # [M, B · T, d]
        return self._affine(f"{name}out", joined)

    def _qkv(self, name: str, x: torch.Tensor) -> torch.Tensor:
        if self.shape.attention != "mlra":
            return self._product(x, self._parts[f"{name}qkv"])
        parts = []
        for part in ("query", "key", "value"):
            low = self._product(x, self._parts[f"{name}{part}.down"])  # [M, B · T, r]
            parts.append(self._product(low, self._parts[f"{name}{part}.up"]))
        return torch.cat(parts, 2)

    def _network(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self._affine(f"{name}down", functional.gelu(self._affine(f"{name}up", x), approximate="tanh"))

    def _affine(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self._product(x, self._parts[name]) + self._parts[f"{name}.bias"][:, None]

    def _norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        normal = functional.layer_norm(x, x.shape[-1:])
        return normal * self._parts[f"{name}.gain"][:, None] + self._parts[f"{name}.bias"][:, None]

    def _rms_norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        """[M, B · H, T, h], with a gain that the heads share."""
        return functional.rms_norm(x, x.shape[-1:], eps=1e-5) * self._parts[f"{name}.gain"][:, None, None]

    def _product(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return _Bf16Product.apply(x, y) if self.shape.bf16 else x @ y  # type: ignore[no-any-return]


class _Bf16Product(torch.autograd.Function):
    """x y, summed in float32, of what bfloat16 holds of x and y, and of the gradient."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def, override]
        x, y = x.bfloat16().float(), y.bfloat16().float()
        ctx.save_for_backward(x, y)
        return x @ y

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[no-untyped-def, override]
        x, y = ctx.saved_tensors
        gradient = gradient.bfloat16().float()
        return gradient @ y.transpose(-2, -1), x.transpose(-2, -1) @ gradient
