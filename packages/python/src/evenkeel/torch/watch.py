"""The watch on a model: what each optimizer step measured, for a run to send."""

from __future__ import annotations

import itertools
import math
import sys
import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Literal, TypeVar, Union

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from . import distributed
from .attention import AttentionMeter
from .gradients import GradientMeter, GradientStatistics, Weight, after_backward, backward_pass, is_dtensor
from .model import UnmeasurableError, embedding_weight, find_embedding, find_layers, inner_optimizer, unwrap
from .outputs import OutputMeter
from .schedules import RateAhead
from .tev import SUMMARY_SIZE, ShardedRows, limited, row_deviations, summary, wide
from .updates import UpdateMeter

MAX_PENDING = 4096
"""Measurements that nobody takes: the oldest go."""
_SCALER_DEPTH = 12
"""Calls between a GradScaler's step and our hook: some wrappers each of torch, the scheduler and Accelerate."""

_SCALER_CODES = (GradScaler.step.__code__, GradScaler._maybe_opt_step.__code__)

_instances = itertools.count()

T = TypeVar("T")
GradVariance = Union[Literal["auto", "exact"], bool]
ExtraMeter = Union[OutputMeter, AttentionMeter, UpdateMeter]
"""What is measured only where it is asked for."""


@dataclass
class _Pending:
    """A step whose numbers still are on the device: those of TEV, how often it was covered, and the gradients' sums."""

    step: int
    fields: dict[str, Any]
    numbers: torch.Tensor | None = None
    statistics: Callable[[list[float]], GradientStatistics] | None = None
    extras: list[ExtraMeter] = field(default_factory=list)


class Watch:
    """
    Measures a model while it trains: TEV after each optimizer step, gradient variance by layer, gradient norm before
    clipping, and the learning rate. Under torch.distributed every rank makes one, in the same order.

    `optimizer`: whose steps count; by default the first that has the token embedding. Wrappers and sequences will do.
    `every`: measure the first step and then every so many; the learning rate is in each.
    `grad_variance`: `"auto"` sums squares in float32, `"exact"` in float64, which takes many times as long on a CPU and
    resolves a variance down to 1e-11 of the squared gradient norm in place of 1e-5; below that the variance is absent.
    False measures no gradients at all, and then replicated models need no communication.
    `vocab_size`: rows of the embedding that are tokens; the rest is padding. `embedding`: its module or name, where it
    cannot be found. `layer_outputs`: measure `layerOutVar` too, with forward hooks on the blocks, which torch.compile
    traces where it compiles the whole model. `attention_logits`: measure the largest attention logit of each block, see
    `evenkeel.torch.attention`. `updates`: measure `updateShare`, and `updateRms` of AdamW, by a copy of the parameters
    that train. `scheduler`: that of the optimizer, or several, for `lrAhead`, see `evenkeel.torch.schedules`.
    `warn` receives each cause once, and at `close` how often it occurred.
    Raises ValueError where an argument is wrong. Afterwards nothing raises: what cannot be measured is absent.
    """

    steps: int
    """Optimizer steps so far; one that a GradScaler skipped is none."""
    layers: list[str]
    """Names, in the order of `layerGradVar`; empty where the model has no parameters or more than 512 layers."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any = None,
        every: int = 1,
        grad_variance: GradVariance = "auto",
        vocab_size: int | None = None,
        warn: Callable[[str], None] | None = None,
        *,
        embedding: str | nn.Module | None = None,
        layer_outputs: bool = False,
        attention_logits: bool = False,
        updates: bool = False,
        scheduler: Any = None,
    ) -> None:
        _check(every, grad_variance, vocab_size)
        self.steps = 0
        self._model = unwrap(model)
        self._every = every
        self._grad_variance = grad_variance
        self._vocab_size = vocab_size
        self._warn = warn or _warn
        self._counts: dict[str, int] = {}
        self._pending: deque[_Pending] = deque(maxlen=MAX_PENDING)
        self._instance = next(_instances)
        self._joined: bool | None = None
        self._given = embedding
        self._layer_outputs = layer_outputs
        self._attention_logits = attention_logits
        self._updates = updates
        self._extras: list[ExtraMeter] = []
        self._meter: GradientMeter | None = None
        self._stepping: list[Optimizer] = []  # the outermost first
        self._begin()
        schedulers = scheduler if isinstance(scheduler, (list, tuple)) else [] if scheduler is None else [scheduler]
        plans = [self._attempt(partial(RateAhead, each)) for each in schedulers]
        self._plans = [plan for plan in plans if plan is not None]
        self._handles = list(self._put_hooks(optimizer))

    def weigh(self, weight: Weight) -> None:
        """
        The weight of the micro-batch whose backward pass comes next, where the loss weighs micro-batches: in general
        its number of tokens, a number or a scalar tensor. Either all micro-batches of a step have one, on all ranks, or
        none has.
        """
        if self._meter is not None:
            self._meter.weigh(weight)

    def take(self) -> list[tuple[int, dict[str, Any]]]:
        """
        Measurements that were not yet taken, oldest first: the number of the optimizer step, from 1, and fields of the
        protocol's step. All numbers are read from the device at once, and only here; that waits for what the device has
        to do before.
        """
        pending = list(self._pending)
        self._pending.clear()
        values = _read([each.numbers for each in pending])
        return [(each.step, {**each.fields, **self._fields(each, numbers)}) for each, numbers in zip(pending, values)]

    def close(self) -> None:
        """Removes every hook. What was measured can still be taken."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._close_meters()
        for text, count in self._counts.items():
            if count > 1:
                self._warn(f"{text} ({count} times)")
        self._counts.clear()

    # Setting up

    def _begin(self) -> None:
        """On the parameters that the model has now."""
        self._embedding = self._find_embedding()
        self._parameters = list(self._model.parameters())
        self._trainable = [parameter.requires_grad for parameter in self._parameters]
        self._owners: dict[int, bool] = {}
        layers = find_layers(self._model)
        self.layers = layers.names
        self._close_meters()
        makers: list[tuple[bool, Callable[[], ExtraMeter]]] = [
            (self._layer_outputs, lambda: OutputMeter(self._model, layers, fail=self._report_error)),
            (self._attention_logits, lambda: AttentionMeter(layers, fail=self._report_error)),
            (self._updates, lambda: UpdateMeter(list(itertools.compress(self._parameters, self._trainable)))),
        ]
        made = [self._attempt(make) for is_wanted, make in makers if is_wanted]
        self._extras = [meter for meter in made if meter is not None]
        if self._grad_variance and any(self._trainable):
            exact = self._grad_variance == "exact"
            self._meter = GradientMeter(self._model, layers, exact=exact, fail=self._report_error)
        self._activate()

    def _meters(self) -> list[GradientMeter | ExtraMeter]:
        return [*self._extras, *([] if self._meter is None else [self._meter])]

    def _close_meters(self) -> None:
        for meter in self._meters():
            meter.close()
        self._meter = None
        self._extras = []

    def _activate(self) -> None:
        for meter in self._meters():
            meter.active = self._is_due

    def _find_embedding(self) -> nn.Module | None:
        try:
            return find_embedding(self._model, self._given)
        except UnmeasurableError as cause:
            self._report(str(cause))
            return None

    def _is_stale(self) -> bool:
        """Whether the model has other parameters since: it was sharded, its embedding resized, or layers unfrozen."""
        now = list(self._model.parameters())
        return len(now) != len(self._parameters) or any(
            new is not old or new.requires_grad != trainable
            for new, old, trainable in zip(now, self._parameters, self._trainable)
        )

    @property
    def _is_due(self) -> bool:
        """Whether the next step is measured."""
        return self.steps % self._every == 0

    def _put_hooks(self, optimizer: Any) -> Iterator[Any]:
        if optimizer is None:
            yield register_optimizer_step_pre_hook(self._before_step)
            yield register_optimizer_step_post_hook(self._on_step)
        else:
            for each in optimizer if isinstance(optimizer, (list, tuple)) else [optimizer]:
                inner = inner_optimizer(each)
                yield inner.register_step_pre_hook(self._before_step)
                yield inner.register_step_post_hook(self._on_step)

    def _anchor(self) -> torch.Tensor | None:
        """The parameter whose optimizer's steps count: the embedding where it trains, else the first."""
        trainable = list(itertools.compress(self._parameters, self._trainable))
        weight = getattr(self._embedding, "weight", None)
        return next((parameter for parameter in trainable if parameter is weight), next(iter(trainable), None))

    # A step

    def _before_step(self, optimizer: Optimizer, *_: Any) -> None:
        self._leave_step(optimizer)  # where its last step raised
        self._stepping.append(optimizer)
        for meter in self._update_meters() if self._is_due else []:
            self._attempt(partial(self._before_update, meter, optimizer))

    def _before_update(self, meter: UpdateMeter, optimizer: Optimizer) -> None:
        if next(filter(self._owns, self._stepping), None) is optimizer:  # and not one inside of it
            meter.before_step(optimizer)

    def _update_meters(self) -> list[UpdateMeter]:
        return [meter for meter in self._extras if isinstance(meter, UpdateMeter)]

    def _leave_step(self, optimizer: Optimizer) -> None:
        """The optimizer is in no step any more, nor is what it called."""
        at = next((at for at, each in enumerate(self._stepping) if each is optimizer), len(self._stepping))
        del self._stepping[at:]

    def _on_step(self, optimizer: Optimizer, *_: Any) -> None:
        try:
            self._leave_step(optimizer)
            if self._is_due and self._is_stale():
                self._begin()
            is_inner = any(self._owns(outer) for outer in self._stepping)  # such as the one that SAM wraps
            if is_inner or not self._owns(optimizer):
                return
            if backward_pass() == -1:
                self._end_step(optimizer)
            else:  # an optimizer in the backward pass: its gradients are complete when that ends
                after_backward(lambda: self._end_step(optimizer))
        except Exception as error:
            self._report_error(error)

    def _owns(self, optimizer: Optimizer) -> bool:
        if self._owners.get(id(optimizer)) is None:
            anchor = self._anchor()
            groups = getattr(optimizer, "param_groups", [])  # a wrapper may do without
            parameters = (parameter for group in groups for parameter in group["params"])
            self._owners[id(optimizer)] = any(parameter is anchor for parameter in parameters)
        return self._owners[id(optimizer)]

    def _end_step(self, optimizer: Optimizer) -> None:
        try:
            with torch.no_grad():
                self._measure_step(optimizer)
        except Exception as error:
            self._report_error(error)
        finally:
            for meter in self._meters():
                meter.finish_step()
            self._activate()

    def _measure_step(self, optimizer: Optimizer) -> None:
        found_inf = getattr(optimizer, "found_inf", None)  # while a GradScaler runs a fused optimizer
        if found_inf is not None and float(found_inf) > 0:
            return
        is_due = self._is_due
        self.steps += 1
        rate = _learning_rate(optimizer)
        pending = _Pending(self.steps, {**rate, **self._rate_ahead(optimizer, rate)})
        self._pending.append(pending)
        if not is_due:
            return
        for meter in self._update_meters():
            self._attempt(partial(meter.after_step, optimizer))
        pending.numbers = self._measure(_scale())
        if self._meter is not None:
            pending.statistics = partial(self._meter.statistics, ranks=distributed.world_size())
        pending.extras = self._extras

    def _rate_ahead(self, optimizer: Optimizer, rate: dict[str, Any]) -> dict[str, Any]:
        plans = [plan for plan in self._plans if plan.optimizer is optimizer]
        if len(plans) != 1 or not rate:
            return {}
        try:
            ahead = plans[0].after_step(rate["lr"])
        except Exception as error:
            self._plans.remove(plans[0])
            self._report_error(error)
            return {}
        return {} if ahead is None else {"lrAhead": ahead}

    def _measure(self, scale: torch.Tensor | None) -> torch.Tensor | None:
        """TEV's summary and coverage, then sums over ranks of gradients and extras; zeros where one is absent."""
        weight = self._weight()
        sharded = self._attempt(lambda: ShardedRows(weight)) if weight is not None and is_dtensor(weight) else None
        device = _device(weight if weight is not None else self._parameters[0])
        own = self._gradient_part(scale, device)
        parts = [torch.cat([own, *(meter.local(device) for meter in self._extras)])]
        if sharded is not None:
            part = self._attempt(sharded.local)
            parts.append(sharded.empty() if part is None else part)
        sums = self._sum(torch.cat([part.to(parts[0]) for part in parts]))
        measured, rows = sums[: len(parts[0])], sums[len(parts[0]) :]
        tev = None
        if sharded is not None:
            tev = self._attempt(lambda: self._summary(sharded.rows(rows), sharded.coverage(rows)))
        elif weight is not None and not is_dtensor(weight):
            tev = self._attempt(lambda: self._summary(row_deviations(weight.detach())))
        if tev is None:
            tev = torch.zeros(SUMMARY_SIZE + 1, dtype=measured.dtype, device=device)
        return torch.cat([tev.to(measured), measured])

    def _weight(self) -> Any:
        if self._embedding is None:
            return None
        embedding = self._embedding
        return self._attempt(lambda: embedding_weight(embedding))

    def _summary(self, deviations: torch.Tensor, coverage: torch.Tensor | None = None) -> torch.Tensor:
        values = summary(limited(deviations, self._vocab_size))
        return torch.cat([values, torch.ones(1).to(values) if coverage is None else coverage.view(1)])

    def _gradient_part(self, scale: torch.Tensor | None, device: torch.device) -> torch.Tensor:
        meter = self._meter
        if meter is None:
            return torch.zeros(0, dtype=wide(device), device=device)
        part = self._attempt(lambda: meter.local(scale, device))
        return meter.empty(device) if part is None else part

    def _sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over ranks, or zeros where the ranks do not measure the same."""
        if not distributed.is_distributed() or len(values) == 0:
            return values
        if self._joined is None:
            key = f"evenkeel/watch/{self._instance}/{len(values)}/{self._every}/{self.steps}"
            self._joined = distributed.all_ranks_announce(key)
        if not self._joined:
            self._report("what needs all ranks is absent: every rank must watch the same model in the same way")
            return torch.zeros_like(values)
        return distributed.sum_over_ranks(values)

    # What is read

    def _fields(self, pending: _Pending, numbers: list[float]) -> dict[str, Any]:
        """Fields of a step, from what `_measure` returned."""
        if not numbers:
            return {}
        tev, coverage, rest = numbers[:SUMMARY_SIZE], numbers[SUMMARY_SIZE], numbers[SUMMARY_SIZE + 1 :]
        start = len(rest) - sum(meter.size for meter in pending.extras)
        gradients, seen = rest[:start], iter(rest[start:])
        fields: dict[str, Any] = {}
        if coverage >= 1 and math.isclose(coverage, round(coverage)):
            fields = {"tevMean": tev[0], "tevStd": tev[1], "tevQuantiles": tev[2:]}
        elif coverage > 0:
            self._report("TEV is absent: the ranks together do not have each row of the embedding")
        if pending.statistics is not None and any(gradients):
            statistics = pending.statistics(gradients)
            fields.update(statistics.fields())
            if statistics.why is not None:
                self._report(statistics.why)
        for meter in pending.extras:
            part = list(itertools.islice(seen, meter.size))
            fields.update(self._attempt(partial(meter.fields, part)) or {})
        return fields

    def _attempt(self, act: Callable[[], T]) -> T | None:
        """None where it cannot be done, with a warning."""
        try:
            return act()
        except Exception as error:
            self._report_error(error)
            return None

    def _report_error(self, error: Exception) -> None:
        if isinstance(error, UnmeasurableError):
            self._report(str(error))
        else:
            self._report(f"a measurement is absent, since it failed: {type(error).__name__}: {error}")

    def _report(self, text: str) -> None:
        self._counts[text] = self._counts.get(text, 0) + 1
        if self._counts[text] == 1:
            self._warn(text)


def _check(every: int, grad_variance: GradVariance, vocab_size: int | None) -> None:
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ValueError(f"every: must be a whole number from 1 on, not {every!r}")
    if grad_variance not in ("auto", "exact", False):
        raise ValueError(f"grad_variance: must be 'auto', 'exact' or False, not {grad_variance!r}")
    if vocab_size is not None and (not isinstance(vocab_size, int) or vocab_size < 1):
        raise ValueError(f"vocab_size: must be a whole number from 1 on, not {vocab_size!r}")


def _warn(text: str) -> None:
    warnings.warn(f"evenkeel: {text}", RuntimeWarning, stacklevel=2)


def _learning_rate(optimizer: Optimizer) -> dict[str, Any]:
    """That of the first group, as used by the step: a scheduler changes it later."""
    rate = next((group.get("lr") for group in optimizer.param_groups), None)
    return {} if rate is None else {"lr": float(rate)}


def _scale() -> torch.Tensor | None:
    """
    By what the GradScaler that steps the optimizer has multiplied the loss. It is looked up among the callers, since an
    optimizer does not know its scaler.
    """
    frame: Any = sys._getframe(1)
    for _ in range(_SCALER_DEPTH):
        if frame is None:
            return None
        if frame.f_code in _SCALER_CODES:  # of no other frame, since reading its locals keeps them alive
            scaler = frame.f_locals["self"]
            return scaler._get_scale_async() if scaler.is_enabled() else None
        frame = frame.f_back
    return None


def _device(tensor: Any) -> torch.device:
    local: torch.Tensor = tensor.to_local() if is_dtensor(tensor) else tensor
    return local.device


def _read(tensors: list[torch.Tensor | None]) -> Iterator[list[float]]:
    """Tensors on the host, with one transfer; nothing of None."""
    present = [tensor for tensor in tensors if tensor is not None]
    values = iter(torch.cat(present).tolist() if present else [])
    for tensor in tensors:
        yield list(itertools.islice(values, 0 if tensor is None else len(tensor)))
