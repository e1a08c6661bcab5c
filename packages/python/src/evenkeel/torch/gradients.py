"""
Gradient variance and norm of an optimizer step, without a copy of any gradient.

A micro-batch is what one backward pass sees on one rank. Its gradient is taken on the scale on which the mean over the
step's micro-batches is the gradient G that the optimizer gets. With `h` as a tensor hook of the parameter sees it, `D`
as what the ranks' gradients are divided by, and the weight `n` (1, or tokens) of which the sum over all micro-batches
is `N`:

    G = sum(h) / D        gradient of a micro-batch: g = h N / (n D)
    gradVar = K / (K - 1) * (sum(n / N * |g|^2) - |G|^2) = K / (K - 1) * (N / D^2 * sum(|h|^2 / n) - |G|^2)

With equal weights this is the trace of the covariance, unbiased (K - 1). With weights it is unbiased where the variance
of a micro-batch is inverse to its tokens, and is that of a micro-batch of mean size. So squared norms are all that is
needed: of each h, in hooks, and of G, when the backward pass has ended and before anything clips it.
"""

from __future__ import annotations

import math
import sys
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Any, Callable, Union

import torch
from torch import nn

from .distributed import world_size
from .model import Layers, UnmeasurableError
from .tev import wide

Weight = Union[int, float, torch.Tensor]

_DIRECT_ENTRIES = 1 << 16
"""Up to so many entries a CPU's float32 norm is right to 1e-6; of 10 million it is 3e-4 too small."""
_RESOLUTION = {torch.float64: 1e-11, torch.float32: 1e-7, torch.float16: 1e-5, torch.bfloat16: 1e-4}
"""By the type of gradients: below this part of |G|^2, a difference of sums of squares is the rounding of G."""
_RESOLUTION_OF_FLOAT32_SUMS = 1e-5


class Cause(Enum):
    """Why a step has no gradient variance, in an order that is the same on all ranks."""

    ERROR = "an error while it was measured"
    PARTS = "a parameter got its gradient in parts, as with reentrant activation checkpointing"
    TENSOR_PARALLEL = "gradients of tensor-parallel parameters are split over ranks"
    CONSUMED = "gradients were gone at the end of the backward pass"
    DIVISORS = "parts of the model divide their gradients by different numbers"


_CAUSES = list(Cause)
_SPOILS_NORM = {Cause.ERROR, Cause.CONSUMED}
_SCALARS = 7
_HEAD = _SCALARS + len(_CAUSES)
"""Numbers before those by layer, see `GradientMeter.local`."""


@dataclass(frozen=True)
class GradientStatistics:
    """Of a step; None where it cannot be had. Then `why` is a sentence for a person."""

    variance: float | None = None
    layer_variance: list[float] | None = None
    norm: float | None = None
    why: str | None = None

    def fields(self) -> dict[str, Any]:
        """As fields of a step of the protocol."""
        named = {"gradVar": self.variance, "layerGradVar": self.layer_variance, "gradNorm": self.norm}
        return {name: value for name, value in named.items() if value is not None}


class GradientMeter:
    """
    Squared norms of a step's gradients, by tensor hooks. `local()` is this rank's part of a sum over all ranks, which
    `statistics()` reads; `reset()` begins the next step. No exception gets into a backward pass: `fail` receives it.
    """

    def __init__(self, model: nn.Module, layers: Layers, *, exact: bool, fail: Callable[[Exception], None]) -> None:
        named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        self.active = True
        """Whether the step that runs is measured; the hooks do nothing otherwise."""
        self._layers = layers
        self._fail = fail
        self._parameters = list(named.values())
        types = {parameter.dtype for parameter in self._parameters}
        self._exact = exact or torch.float64 in types
        sums = 0.0 if self._exact else _RESOLUTION_OF_FLOAT32_SUMS
        self._resolution = max(sums, *(_RESOLUTION.get(dtype, 1e-4) for dtype in types))
        self._layer_of = torch.tensor([layers.of[name] for name in named], dtype=torch.long)
        self._sharded = [is_dtensor(parameter) for parameter in self._parameters]
        self._handles: list[Any] = []
        self._fsdp_groups: list[nn.Module] = []
        self._weight: Weight | None = None
        self._buffers: dict[torch.device, tuple[torch.Tensor, list[torch.Tensor]]] = {}
        self._current = -1
        self._passes: set[int] = set()
        """Backward passes that run."""
        self._seen: set[int] = set()
        """Parameters whose gradient this micro-batch has brought."""
        self.reset()
        self._put_hooks(model, named)

    @property
    def size(self) -> int:
        """Of `local()`."""
        return _HEAD + 3 * self._rows

    @property
    def _rows(self) -> int:
        return max(1, len(self._layers.names))

    def weigh(self, weight: Weight) -> None:
        """The weight of the micro-batch whose backward pass comes next."""
        self._weight = weight

    def reset(self) -> None:
        """Forgets the step's micro-batches."""
        self._squares: torch.Tensor | None = None  # [P + 3]: sum of |h|^2 / n; then N, K, how many had no weight
        self._final: torch.Tensor | None = None  # [P]: |G|^2, of this rank's part where it is sharded
        self._versions: dict[int, tuple[int, int]] = {}
        self._count = 0
        self._causes: set[Cause] = set()

    def close(self) -> None:
        """Removes every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    # Hooks

    def _put_hooks(self, model: nn.Module, named: dict[str, nn.Parameter]) -> None:
        owners = fsdp_owners(model) if any(self._sharded) else {}
        for at, (name, parameter) in enumerate(named.items()):
            if name in owners:
                self._put_once_unsharded(at, parameter, *owners[name])
            else:
                self._put_hook(at, parameter)

    def _put_hook(self, at: int, parameter: torch.Tensor) -> None:
        hooked: Any = parameter
        self._handles.append(hooked.register_hook(lambda gradient: self._on_gradient(at, gradient)))

    def _put_once_unsharded(
        self, at: int, parameter: torch.Tensor, group: nn.Module, owner: nn.Module, name: str
    ) -> None:
        """FSDP2 shows the unsharded parameter, one object for good, while it runs the module that it wraps."""

        def before_forward(*_: Any) -> None:
            unsharded = getattr(owner, name, parameter)
            if unsharded is not parameter and unsharded.requires_grad:
                handle.remove()
                self._put_hook(at, unsharded)

        handle = group.register_forward_pre_hook(before_forward)
        self._handles.append(handle)
        if all(group is not other for other in self._fsdp_groups):
            self._fsdp_groups.append(group)

    def _on_gradient(self, at: int, gradient: torch.Tensor) -> None:
        if not self.active:
            return
        try:
            self._take(at, gradient)
        except Exception as error:
            self._exclude(error)

    def _exclude(self, error: Exception) -> None:
        self._causes.add(Cause.ERROR)
        self._fail(error)

    def _take(self, at: int, gradient: torch.Tensor) -> None:
        current = backward_pass()
        if current != self._current:
            self._current = current
            if current not in self._passes and not is_nested():
                self._begin(current)
        if at in self._seen:
            self._causes.add(Cause.PARTS)
        self._seen.add(at)
        if is_dtensor(gradient):
            self._causes.add(Cause.TENSOR_PARALLEL)
        else:
            store_norm(gradient.detach(), self._slots(gradient.device)[at], self._exact)

    def _slots(self, device: torch.device) -> list[torch.Tensor]:
        found = self._buffers.get(device)
        if found is None:
            dtype = wide(device) if self._exact else torch.float32
            buffer = torch.zeros(len(self._parameters), dtype=dtype, device=device)
            found = self._buffers[device] = (buffer, list(buffer.unbind()))
        return found[1]

    # A backward pass

    def _begin(self, current: int) -> None:
        self._discard_what_was_zeroed()
        self._passes.add(current)
        after_backward(lambda: self._end(current))

    def _discard_what_was_zeroed(self) -> None:
        """
        Where gradients were zeroed since the last backward pass without a step, as when a GradScaler or the training
        loop skips one, its micro-batches do not count. FSDP2 keeps sums elsewhere until it reduces them.
        """
        if not self._versions:
            if not any(self._sharded):
                self.reset()
            return
        at, version = next(iter(self._versions.items()))
        now = self._version(at)
        if now is None:
            self.reset()
        elif now != version and self._squares is not None and self._final is not None:
            # DDP puts others in place, too, where it rebuilds its buckets
            with torch.no_grad():
                gradients = self._gradient_squares()
                zeroed = (self._final.sum() != 0) & (gradients.sum() == 0)
                self._squares = torch.where(zeroed, torch.zeros_like(self._squares), self._squares)

    def _version(self, at: int) -> tuple[int, int] | None:
        gradient = self._parameters[at].grad
        return None if gradient is None else (id(gradient), gradient._version)

    def _end(self, current: int) -> None:
        self._passes.discard(current)
        try:
            with torch.no_grad():
                self._end_micro_batch()
        except Exception as error:
            self._exclude(error)
        finally:
            self._seen.clear()
            self._weight = None

    def _end_micro_batch(self) -> None:
        squares = self._take_squares()
        if self._left_gradients():
            return
        self._add(squares)
        self._final = self._gradient_squares()
        self._take_consumed(squares)
        versions = ((at, self._version(at)) for at in range(len(self._parameters)))
        self._versions = {at: version for at, version in versions if version is not None}

    def _take_squares(self) -> torch.Tensor:
        """|h|^2 by parameter, [P]"""
        device = next(iter(self._buffers), self._parameters[0].device)
        norms = torch.zeros(len(self._parameters), dtype=wide(device), device=device)
        for buffer, _ in self._buffers.values():
            norms += buffer.to(norms)
            buffer.zero_()
        return norms.square_()

    def _left_gradients(self) -> bool:
        """
        Whether the pass left `.grad` as it was, like `torch.autograd.grad`. FSDP2 adds to what is inside a DTensor, and
        the version of that does not show it.
        """
        at = next((at for at in self._seen if not self._sharded[at]), None)
        return at is not None and at in self._versions and self._versions[at] == self._version(at)

    def _add(self, squares: torch.Tensor) -> None:
        sums = self._squares
        if sums is None or self._final is None:
            sums = torch.zeros(len(squares) + 3, dtype=squares.dtype, device=squares.device)
        else:
            # a step that was skipped for what is not finite leaves its sums behind; one that is taken has it in G too
            finite = torch.isfinite(sums.sum() + self._final.sum())
            sums = torch.where(finite, sums, torch.zeros_like(sums))
        if self._weight is None:
            sums[:-3] += squares
            sums[-3:] += 1
        else:
            weight = torch.as_tensor(self._weight).detach().to(squares)
            counts = weight > 0
            sums[:-3] += torch.where(counts | ~squares.isfinite(), squares / weight, torch.zeros_like(squares))
            sums[-3] += weight
            sums[-2] += counts
        self._squares = sums
        self._count += 1

    def _gradient_squares(self) -> torch.Tensor:
        """|G|^2 by parameter, of this rank's part where it is sharded, [P]"""
        gradients = [parameter.grad for parameter in self._parameters]
        device = next(iter(self._buffers), self._parameters[0].device)
        norms = norms_of(
            [local_part(each) for each in gradients], torch.zeros((), dtype=wide(device), device=device), self._exact
        )
        if not any(self._sharded):
            return norms.square_()
        # not by the parameter's placements: the gradient of a tensor-parallel embedding is whole on each rank
        return norms.square_() / torch.tensor([replicas(each) for each in gradients]).to(norms)

    def _take_consumed(self, squares: torch.Tensor) -> None:
        """Gradients that an optimizer has used in the backward pass: G is that of the only micro-batch."""
        consumed = [at for at in self._seen if self._parameters[at].grad is None and not self._sharded[at]]
        if not consumed or self._final is None:
            return
        if self._count > 1 or world_size() > 1:
            self._causes.add(Cause.CONSUMED)
        self._final[consumed] = squares[consumed]

    # The step

    def empty(self, device: torch.device) -> torch.Tensor:
        """In place of `local()` where that fails: a rank without a part."""
        return torch.zeros(self.size, dtype=wide(device), device=device)

    def local(self, scale: torch.Tensor | None, device: torch.device) -> torch.Tensor:
        """
        This rank's part, [size]: 1 for a part, N, K, how many micro-batches had no weight, how many were seen, |G|^2
        of plain parameters and its square, 1 for each cause. Then by layer: sum(|h|^2 / n) / D^2, |G|^2 of plain and
        of sharded parameters. `scale` is that of the loss, by a GradScaler.
        """
        if self._squares is None or self._final is None:
            raise UnmeasurableError("gradient variance and norm are absent: no backward pass was seen before the step")
        if self._passes or self._seen:
            raise UnmeasurableError(
                "gradient variance and norm are absent: the backward pass had not ended at the step"
            )
        sums = self._squares.to(device)
        unscale = 1.0 if scale is None else scale.to(sums).reciprocal().square()
        final = self._final.to(sums) * unscale
        sharded = torch.tensor(self._sharded).to(sums)
        plain = self._by_layer(final * (1 - sharded))
        layers = [
            self._by_layer(sums[:-3] * unscale / self._divisor() ** 2),
            plain,
            self._by_layer(final * sharded),
        ]
        one = torch.ones(1).to(sums)
        total = plain.sum().view(1)
        causes = torch.tensor([float(cause in self._causes) for cause in _CAUSES]).to(sums)
        return torch.cat([one, sums[-3:], one * self._count, total, total.square(), causes, *layers])

    def _by_layer(self, values: torch.Tensor) -> torch.Tensor:
        layers = torch.zeros(self._rows, dtype=values.dtype, device=values.device)
        return layers.index_add_(0, self._layer_of.to(values.device), values)

    def _divisor(self) -> float:
        """By what the sum of the ranks' gradients is divided."""
        own = {fsdp_divisor(group) for group in self._fsdp_groups} or {None}
        if len(own) > 1:
            self._causes.add(Cause.DIVISORS)
        return next(iter(own)) or float(world_size())

    def finish_step(self) -> None:
        """Forgets the step, and a backward pass whose end was not seen."""
        self.reset()
        if self._seen and not self._passes:
            self._seen.clear()
            self._take_squares()

    def statistics(self, total: list[float], ranks: int) -> GradientStatistics:
        """From the sum of `local()` over all ranks."""
        parts, weights, batches, unweighted, seen, plain, plain_squares = total[:_SCALARS]
        causes = [cause for cause, count in zip(_CAUSES, total[_SCALARS:_HEAD]) if count > 0]
        variances, plain_layers, sharded_layers = (
            total[start : start + self._rows] for start in range(_HEAD, self.size, self._rows)
        )
        if parts != ranks:
            return GradientStatistics(why="gradient variance and norm are absent: one of the ranks has none")
        if plain_squares / ranks - (plain / ranks) ** 2 > 1e-8 * (plain / ranks) ** 2:
            return GradientStatistics(
                why="gradient variance and norm are absent: the ranks' gradients differed after the backward pass"
            )
        squares = [plain / ranks + sharded for plain, sharded in zip(plain_layers, sharded_layers)]
        norm = None if _SPOILS_NORM & set(causes) else math.sqrt(sum(squares))
        if not causes and seen > 1 and not math.isfinite(sum(squares)):
            return GradientStatistics(math.nan, [math.nan] * self._rows, norm)
        single = weights * sum(variances)
        why = causes[0].value if causes else self._unsuitable(batches, unweighted, single, sum(squares))
        if why is not None:
            return GradientStatistics(norm=norm, why=f"gradient variance is absent: {why}")
        layers = [
            batches / (batches - 1) * max(weights * part - square, 0.0) for part, square in zip(variances, squares)
        ]
        return GradientStatistics(sum(layers), layers, norm)

    def _unsuitable(self, batches: float, unweighted: float, single: float, mean: float) -> str | None:
        """Why the sums give no variance; `single` is the mean square of a micro-batch's gradient, `mean` that of G."""
        if batches < 2:
            return "it needs two or more micro-batches per step, from accumulation or data parallelism"
        if 0 < unweighted < batches:
            return "some micro-batches of the step have a weight and others do not"
        if single < mean * (1 - 1e-3):
            return "the gradient is larger than its micro-batches explain"
        if mean > 0 and single - mean < mean * self._resolution:
            return "it is too small beside the gradient" + (
                "" if self._exact else "; grad_variance='exact' resolves more"
            )
        return None


# Norms


def store_norm(values: torch.Tensor, out: torch.Tensor, exact: bool) -> None:
    """
    Writes the L2 norm into `out`, a scalar in float32, or float64 where exact. A CPU sums many float32 one after the
    other, which loses digits, so a large tensor is split into pieces there. Low precision is converted before it is
    squared: fp16 would overflow.
    """
    if values.is_sparse:
        values = values.coalesce().values()
    if exact or values.device.type != "cpu" or values.numel() <= _DIRECT_ENTRIES:
        torch.linalg.vector_norm(values, dtype=out.dtype, out=out)
        return
    flat: Any = values.t().reshape(-1) if values.dim() == 2 and values.stride(0) == 1 else values.reshape(-1)
    pieces = [torch.linalg.vector_norm(piece.to(out.dtype)) for piece in flat.split(_DIRECT_ENTRIES)]
    torch.linalg.vector_norm(torch.stack(pieces), out=out)


def norms_of(tensors: list[torch.Tensor | None], like: torch.Tensor, exact: bool) -> torch.Tensor:
    """L2 norms, 0 of None, [P] as `like` is."""
    norms = torch.zeros(len(tensors), dtype=like.dtype if exact else torch.float32)
    fused: dict[int, torch.Tensor] = {}
    for at, tensor in enumerate(tensors):
        if tensor is None:
            continue
        if tensor.device.type == "cpu" or tensor.is_sparse:
            out = norms[at] if tensor.device == norms.device else norms[at].to(tensor.device)
            store_norm(tensor, out, exact)
            norms[at] = out
        else:
            fused[at] = tensor
    on_device = norms.to(like)
    if fused:
        found = torch._foreach_norm(list(fused.values()), 2, norms.dtype)
        on_device[torch.tensor(list(fused), device=like.device)] = torch.stack([norm.to(like) for norm in found])
    return on_device


# The engine


def backward_pass() -> int:
    """The number of the backward pass that runs in this thread, -1 where none does."""
    return int(torch._C._current_graph_task_id())


def after_backward(act: Callable[[], None]) -> None:
    """
    From inside a backward pass: acts when it has ended. Twice through the engine's queue, because DDP and FSDP finish
    the gradients in callbacks of their own, which may be queued later than ours.
    """
    engine = torch.autograd.Variable._execution_engine
    engine.queue_callback(lambda: engine.queue_callback(act))


def is_nested() -> bool:
    """
    Whether the backward pass that runs was begun inside another, as by reentrant activation checkpointing. Nothing of
    the engine says so: the calls of this thread do. A thread of the engine itself has no call of its own.
    """
    code = torch.autograd.graph._engine_run_backward.__code__
    calls = 0
    frame: Any = sys._getframe(1)
    while frame is not None:
        calls += frame.f_code is code
        frame = frame.f_back
    own = 0 if isinstance(threading.current_thread(), threading._DummyThread) else 1
    return calls > own


# Sharded parameters


def is_dtensor(tensor: torch.Tensor) -> bool:
    return hasattr(tensor, "placements")


def local_part(tensor: torch.Tensor | None) -> torch.Tensor | None:
    """This rank's part of a gradient. Raises UnmeasurableError where the parts are yet to be summed."""
    if tensor is None or not is_dtensor(tensor):
        return tensor
    sharded: Any = tensor
    if any(placement.is_partial() for placement in sharded.placements):
        raise UnmeasurableError("gradient variance and norm are absent: a gradient is a DTensor with Partial placement")
    local: torch.Tensor = sharded.to_local()
    return local


def replicas(gradient: Any) -> float:
    """How many ranks have the same part of a DTensor; 1 of what is none."""
    if not is_dtensor(gradient):
        return 1.0
    sizes = zip(gradient.placements, gradient.device_mesh.shape)
    return world_size() / float(math.prod(size for placement, size in sizes if hasattr(placement, "dim")))


def fsdp_owners(model: nn.Module) -> dict[str, tuple[nn.Module, nn.Module, str]]:
    """Of each parameter that FSDP2 shards: the module that it wraps, the module that has it, and its name there."""
    from torch.distributed.fsdp import FSDPModule

    owners: dict[str, tuple[nn.Module, nn.Module, str]] = {}

    def visit(path: str, module: nn.Module, group: nn.Module | None) -> None:
        group = module if isinstance(module, FSDPModule) else group
        for name, parameter in module.named_parameters(recurse=False):
            if group is not None and is_dtensor(parameter):
                owners[f"{path}{name}"] = (group, module, name)
        for name, child in module.named_children():
            visit(f"{path}{name}.", child, group)

    visit("", model, None)
    return owners


def fsdp_divisor(group: Any) -> float | None:
    """What `set_gradient_divide_factor` was called with; None where the mean over the ranks is taken."""
    state = group._get_fsdp_state() if hasattr(group, "_get_fsdp_state") else None
    factor = getattr(getattr(state, "_fsdp_param_group", None), "gradient_divide_factor", None)
    return None if factor is None else float(factor)
