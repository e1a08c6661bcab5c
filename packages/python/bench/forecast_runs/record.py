"""Trains runs side by side and records each, with what `evenkeel.torch.Watch` and our own trainer measure."""

from __future__ import annotations

import gzip
import json
import math
import os
import uuid
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from gpt import Models, initial, parameters_of
from language import LENGTH, text
from plan import Plan

STEPS_AHEAD = 20
EPS = 1e-8
DIGITS = 6
"""That are recorded of a number; it is computed in float32."""
_NAMESPACE = uuid.UUID("6f2d5d0e-6a68-4b0c-8f6c-0d6f2d4cf2ab")

_cached_text = lru_cache(maxsize=None)(text)


class Recording:
    """A recording of a run, in the format of `packages/protocol`; it appears under its name once it is whole."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.path = folder / f"{plan.name}.jsonl.gz"
        self._partial = folder / f"{plan.name}.{os.getpid()}.partial"  # another process may record the same run
        self._file = gzip.open(self._partial, "wt", encoding="utf-8")  # noqa: SIM115 - open for the whole run
        about = {name: value for name, value in asdict(plan).items() if name not in ("name", "kind")}
        about["optimizer"] = "adamw"
        start = {"type": "run", "id": str(uuid.uuid5(_NAMESPACE, plan.name)), "project": "forecast", "name": plan.name}
        self._write({**start, "config": about, "tags": [plan.kind], "layers": []})

    def log(self, fields: dict[str, Any]) -> None:
        self._write({"type": "step", **{name: _json_number(value) for name, value in fields.items()}})

    def finish(self, status: str, reason: str | None = None) -> None:
        self._write({"type": "finish", "status": status, **({} if reason is None else {"reason": reason})})
        self._file.close()
        self._partial.rename(self.path)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _json_number(value: float) -> float | int | str:
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return float(f"{value:.{DIGITS}g}")


class Training:
    """Runs of one group. Their weights are the rows of a matrix; a row leaves it where its run has ended."""

    def __init__(self, plans: list[Plan]) -> None:
        first = plans[0]
        self.plans = plans
        self.shape = first.shape
        self.step = 0
        self._decays = torch.cat([torch.full((each.size,), each.is_matrix) for each in parameters_of(self.shape)])
        self._weights = torch.stack([initial(self.shape, plan.seed) for plan in plans])  # [M, P]
        self._means = torch.zeros_like(self._weights)
        self._squares = torch.zeros_like(self._weights)

    def advance(self) -> list[dict[str, Any]]:
        """A step of every run: what it measured, on the weights before the update but for what that did to them."""
        plans, step = self.plans, self.step
        gradients, losses, largest = self._gradients(self._tokens())
        mean = gradients.mean(1)  # [M, P]
        count = gradients.shape[1]
        variance = (gradients - mean[:, None]).square().sum((1, 2), dtype=torch.float64) / (count - 1)
        norm = _norm(mean)
        deviations = self._weights[:, : self.shape.vocabulary * self.shape.dim]
        deviations = deviations.unflatten(1, (self.shape.vocabulary, -1)).std(2, correction=0)  # [M, V]
        rates = [plan.rates.of(step, plan.steps) for plan in plans]
        share, rms = self._update(mean, norm, torch.tensor(rates))
        measured = torch.stack([losses, deviations.mean(1), deviations.std(1, correction=0), largest, share, rms])
        rows = zip(measured.T.tolist(), variance.tolist(), norm.tolist())
        self.step += 1
        names = ("loss", "tevMean", "tevStd", "attentionLogitMax", "updateShare", "updateRms")
        return [
            {
                "step": step,
                **dict(zip(names, values)),
                "gradVar": gradient_variance,
                "gradNorm": gradient_norm,
                "lr": rate,
                "lrAhead": plan.rates.of(min(step + STEPS_AHEAD, plan.steps - 1), plan.steps),
            }
            for plan, rate, (values, gradient_variance, gradient_norm) in zip(plans, rates, rows)
        ]

    def keep(self, kept: list[int]) -> None:
        """Ends the runs of all other rows."""
        self.plans = [self.plans[at] for at in kept]
        self._weights, self._means, self._squares = (
            each[kept] for each in (self._weights, self._means, self._squares)
        )  # fmt: skip

    def _tokens(self) -> torch.Tensor:
        """[M, K, B, T + 1]; those of a run depend only on its own plan and the step."""
        rows = []
        for plan in self.plans:
            start, factor = plan.growth
            sequences = plan.batch * (factor if self.step >= start else 1)
            language = sum(self.step >= at for at in plan.changes)
            generator = torch.Generator().manual_seed(1_000_003 * plan.seed + self.step)
            starts = torch.randint(LENGTH - self.shape.context, (plan.micro_batches, sequences, 1), generator=generator)
            rows.append(_cached_text(language)[starts + torch.arange(self.shape.context + 1)])
        return torch.stack(rows)

    def _gradients(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of each micro-batch, [M, K, P]; mean losses and the greatest attention logits, [M] each."""
        runs, count = tokens.shape[:2]
        copies = self._weights[:, None].expand(-1, count, -1).flatten(0, 1).requires_grad_()  # [M · K, P]
        models = Models(self.shape, copies)
        losses = models.losses(tokens.flatten(0, 1))
        (gradients,) = torch.autograd.grad(losses.sum(), copies)
        largest = torch.stack(models.largest_logits).amax(0)
        return (
            gradients.unflatten(0, (runs, count)),
            losses.detach().view(runs, count).mean(1),
            largest.view(runs, count).amax(1),
        )

    def _update(
        self, gradients: torch.Tensor, norms: torch.Tensor, rates: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """AdamW, in place; the share of the update and StableAdamW's RMS, [M] each."""
        beta1, beta2 = self.plans[0].betas
        limits = torch.tensor([plan.clip or math.inf for plan in self.plans])
        decays = torch.tensor([plan.weight_decay for plan in self.plans])[:, None] * self._decays
        gradients = gradients * torch.clamp(limits / norms, max=1)[:, None]
        self._means.lerp_(gradients, 1 - beta1)
        self._squares.lerp_(gradients.square(), 1 - beta2)
        moments = self._squares / (1 - beta2 ** (self.step + 1))
        direction = self._means / (1 - beta1 ** (self.step + 1)) / (moments.sqrt() + EPS)
        change = rates[:, None] * (direction + decays * self._weights)
        share = _norm(change) / _norm(self._weights)
        rms = (gradients.square() / moments.clamp(min=EPS**2)).mean(1).sqrt()
        self._weights -= change
        return share, rms


def _norm(rows: torch.Tensor) -> torch.Tensor:
    """[M, P] -> [M]"""
    return rows.square().sum(1).sqrt()


def record(plans: list[Plan], folder: Path) -> None:
    """Trains a group of runs to their ends; one whose loss or gradient is not finite ends there."""
    recordings = {plan.name: Recording(folder, plan) for plan in plans}
    training = Training(plans)
    while training.plans and training.step < plans[0].steps:
        kept = []
        for at, (plan, fields) in enumerate(zip(training.plans, training.advance())):
            recording = recordings[plan.name]
            ill = [name for name in ("loss", "gradNorm") if not math.isfinite(fields[name])]
            if ill:
                recording.log({name: value for name, value in fields.items() if not name.startswith("update")})
                recording.finish("failed", f"{ill[0]} is not finite at step {fields['step']}")
            else:
                recording.log(fields)
                kept.append(at)
        if len(kept) < len(training.plans):
            training.keep(kept)
    for plan in training.plans:
        recordings[plan.name].finish("finished")
