"""What a model is made of: the module inside its wrappers, its token embedding, and its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

MAX_LAYERS = 512  # of a run, see packages/protocol
EMBEDDING_NAMES = frozenset(
    {"embed", "embed_in", "embed_tokens", "embedding", "embeddings", "shared", "tok_emb", "tok_embed", "tok_embeddings"}
    | {"token_emb", "token_embedding", "token_embeddings", "tokens_embed", "word_embedding", "word_embeddings", "wte"}
)
"""Names under which models keep their token embedding."""


class UnmeasurableError(Exception):
    """A measurement is absent; the text names the cause, for a person."""


def unwrap(model: nn.Module) -> nn.Module:
    """The module inside DistributedDataParallel, DataParallel, torch.compile and the like."""
    while True:
        inner: Any = getattr(model, "_orig_mod", None)  # torch.compile
        if inner is None and [name for name, _ in model.named_children()] == ["module"]:
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def inner_optimizer(optimizer: Any) -> Optimizer:
    """The optimizer inside wrappers, such as Accelerate's, which have the method for hooks but not the hooks."""
    while isinstance(getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = optimizer.optimizer
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer: must be a torch.optim.Optimizer, not {type(optimizer).__name__}")
    return optimizer


def find_embedding(model: nn.Module, given: str | nn.Module | None = None) -> nn.Module:
    """
    The module of the token embedding: the one that is given (itself or its name), the answer of
    `get_input_embeddings()`, an embedding with a usual name, or the only one that can be meant.
    Raises ValueError where a given name is unknown, UnmeasurableError where no or several modules can be meant.
    """
    if isinstance(given, nn.Module):
        return given
    embeddings = {name: module for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    if given is not None:
        modules: dict[str, nn.Module] = dict(model.named_modules())
        module = modules.get(given)
        if module is None:
            raise ValueError(f"embedding: the model has no module {given!r}; its embeddings are {_names(embeddings)}")
        return module
    declared = _declared_embeddings(model)
    if len(declared) == 1:
        return declared[0]
    usual = [module for name, module in embeddings.items() if name.rpartition(".")[2] in EMBEDDING_NAMES]
    heads = {module.out_features for module in model.modules() if isinstance(module, nn.Linear)}
    like_head = [module for module in embeddings.values() if module.num_embeddings in heads]
    for candidates in (list(embeddings.values()), usual, like_head):
        if len(candidates) == 1:
            return candidates[0]
    raise UnmeasurableError(
        f"TEV is absent: cannot decide which module is the token embedding ({_names(embeddings)}); "
        "name it with embedding=…"
    )


def _declared_embeddings(model: nn.Module) -> list[nn.Module]:
    """What `get_input_embeddings()` of the outermost modules that have it returns, each once."""
    found: list[nn.Module] = []

    def visit(module: nn.Module) -> None:
        embedding = _call_or_none(module, "get_input_embeddings")
        if embedding is None:
            for child in module.children():
                visit(child)
        elif all(embedding is not other for other in found):
            found.append(embedding)

    visit(model)
    return found


def _call_or_none(module: nn.Module, method: str) -> nn.Module | None:
    try:
        found = getattr(module, method)()
    except (AttributeError, NotImplementedError):
        return None
    return found if isinstance(found, nn.Module) else None


def _names(embeddings: dict[str, nn.Embedding]) -> str:
    shown = [f"{name} {module.num_embeddings} x {module.embedding_dim}" for name, module in embeddings.items()]
    return ", ".join(shown) or "none"


def embedding_weight(module: nn.Module) -> torch.Tensor:
    """The matrix of an embedding, [V, d]. Raises UnmeasurableError where its rows are not what the model uses."""
    module = _trained_copy(module)
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor):
        raise UnmeasurableError(f"TEV is absent: {type(module).__name__} has no weight")
    if getattr(weight, "tensor_model_parallel", False):
        raise UnmeasurableError(
            "TEV is absent: the embedding is split over ranks in a way that its tensor does not describe"
        )
    if hasattr(weight, "ds_id") or weight.dim() != 2 or weight.numel() == 0:
        raise UnmeasurableError(
            f"TEV is absent: the embedding has the shape {list(weight.shape)}; "
            "sharded models are supported through fully_shard and DTensor only"
        )
    if not weight.is_floating_point():
        raise UnmeasurableError(f"TEV is absent: the embedding is quantized ({weight.dtype})")
    return weight


def _trained_copy(module: nn.Module) -> nn.Module:
    """Through the wrappers of PEFT, which keep the original weight beside what is trained."""
    copies: Any = getattr(module, "modules_to_save", None)
    if isinstance(copies, nn.ModuleDict):
        adapters: Any = getattr(module, "active_adapters", None) or getattr(module, "active_adapter", None)
        names = [adapters] if isinstance(adapters, str) else list(adapters or [])
        if len(names) == 1 and names[0] in copies:
            return copies[names[0]]
    base = getattr(module, "base_layer", None)
    if isinstance(base, nn.Module):
        if any(parameter.requires_grad for parameter in module.parameters()):
            raise UnmeasurableError("TEV is absent: an adapter adds to the embedding, which is not in its weight")
        return base
    return module


def output_head(model: nn.Module) -> nn.Module | None:
    """The module that turns hidden states into logits: as the model says, else its last linear one."""
    for module in model.modules():
        head = _call_or_none(module, "get_output_embeddings")
        if head is not None:
            return head
    linear = [module for module in model.children() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else None


@dataclass(frozen=True)
class Layers:
    """The layers of a model in order, and the one that each parameter counts for."""

    names: list[str]
    of: dict[str, int]
    """Index of the layer, by the name of a parameter (tied ones once)."""
    blocks: list[nn.Module]
    """Modules of the layers that are blocks; empty where the model has none."""


def find_layers(model: nn.Module) -> Layers:
    """
    `embedding`, a layer for each block and `head`, as our own trainer names them. Blocks are the items of the outermost
    ModuleLists; other parameters count for `embedding` where they come before the first block, else for `head`. A model
    without a ModuleList has a layer for each of its children.
    """
    lists = _block_lists(model)
    blocks = [f"{path}.{at}" for path, modules in lists for at in range(len(modules))]
    modules = [module for _, items in lists for module in items]
    parameters = [name for name, _ in model.named_parameters()]
    if not blocks:
        names = list(dict.fromkeys(name.split(".")[0] for name in parameters))
        return _bounded(Layers(names, {name: names.index(name.split(".")[0]) for name in parameters}, []))
    at = {path: index for index, path in enumerate(blocks)}
    of: dict[str, int] = {}
    head = len(blocks) + 1
    seen_block = False
    for name in parameters:
        block = next((at[path] for path in _prefixes(name) if path in at), None)
        seen_block = seen_block or block is not None
        of[name] = block + 1 if block is not None else head if seen_block else 0
    labels = [f"block {index + 1}" for index in range(len(blocks))] if len(lists) == 1 else blocks
    return _bounded(Layers(["embedding", *labels, "head"], of, modules))


def _bounded(layers: Layers) -> Layers:
    if 0 < len(layers.names) <= MAX_LAYERS:
        return layers
    return Layers([], dict.fromkeys(layers.of, 0), [])


def _block_lists(model: nn.Module) -> list[tuple[str, nn.ModuleList]]:
    """The outermost ModuleLists with at least two items, in order."""
    found: list[tuple[str, nn.ModuleList]] = []

    def visit(path: str, module: nn.Module) -> None:
        for name, child in module.named_children():
            inside = f"{path}.{name}" if path else name
            if isinstance(child, nn.ModuleList) and len(child) > 1:
                found.append((inside, child))
            else:
                visit(inside, child)

    visit("", model)
    return found


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]
