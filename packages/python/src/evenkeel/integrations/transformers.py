"""Records a training by the Trainer of transformers.

    trainer = Trainer(..., callbacks=[EvenkeelCallback("my-project")])

A step has the number that the Trainer calls `global_step` when it has ended, so the first one is 1 and `checkpoint-100`
is what step 100 left. Its loss is the mean over the tokens that were predicted, as the model itself computes it; that
of the Trainer's own log hides NaN, and of some models it divides by the label positions that nothing predicts, too.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

import evenkeel
from evenkeel.distributed import totals, world_size
from evenkeel.integrations.commands import Commands
from evenkeel.integrations.guard import harmless, warn
from evenkeel.run import Run
from evenkeel.wire.config import to_config

# Where the state of a checkpoint keeps ours. It must be no class name, since the Trainer makes callbacks of those.
_STATE = "evenkeel"
# Logged by the Trainer and measured here: the loss hides NaN, the norm may be clipped, the rate may be reduced since.
_MEASURED = frozenset(("loss", "grad_norm", "learning_rate"))


class EvenkeelCallback(TrainerCallback):
    """Records a training, obeys commands, and goes on with the same run where a training goes on from a checkpoint.

    Args:
        project: of the run.
        run: one that is recorded already; then whoever made it ends it, too. By default one is started when training
            begins, and ends with it.
        watch: measure TEV and gradients; see `evenkeel.Run.watch` for `every`, `grad_variance`, `vocab_size` and
            `embedding`.
        options: of `evenkeel.init`, such as `name`, `policy`, `server` and `tags`.
    """

    def __init__(
        self,
        project: str | None = None,
        *,
        run: Run | None = None,
        watch: bool = True,
        every: int = 1,
        grad_variance: Any = "auto",
        vocab_size: int | None = None,
        embedding: Any = None,
        **options: Any,
    ) -> None:
        self.run = run
        """The run, once training has begun."""
        self._is_own = run is None
        self._options = {"project": project, **options}
        self._watches = watch
        self._watching = {
            "every": every,
            "grad_variance": grad_variance,
            "vocab_size": vocab_size,
            "embedding": embedding,
        }
        self._commands: Commands | None = None
        self._loss: _StepLoss | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        model = kwargs.get("model")
        kept = _kept(state)
        if self._is_own:
            self.run = evenkeel.init(**self._start(args, model, kept))
        self._begin(state, model, kwargs.get("optimizer"), kept)

    def _start(self, args: TrainingArguments, model: Any, kept: dict[str, Any]) -> dict[str, Any]:
        """Arguments of `init`."""
        resumed = {"id": kept["run"], "resume": True} if "run" in kept else {}
        name = {"name": args.run_name} if getattr(args, "run_name", None) else {}
        about = {"dir": args.output_dir, **name, **resumed, **self._options}
        config = {**_config(args, model), **(self._options.get("config") or {})}
        return {**about, "config": config}

    @harmless
    def _begin(self, state: TrainerState, model: Any, optimizer: Any, kept: dict[str, Any]) -> None:
        run = self.run
        assert run is not None
        trainer = _calling_trainer()
        if self._watches:
            # callbacks are given the scheduler that the Trainer was made with, and not the one that it makes
            scheduler = getattr(trainer, "lr_scheduler", None)
            run.watch(model, optimizer, scheduler=scheduler, **self._watching)
        self._commands = Commands(run, optimizer)
        self._commands.load_state_dict(kept)
        _keep(state, self._commands)
        if trainer is None:
            warn("no loss is logged: this callback is called by none of transformers' Trainers")
        else:
            self._loss = _StepLoss(trainer, run, model)

    @harmless
    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.run is None or self._commands is None:
            return
        values = {} if self._loss is None else self._loss.take()
        if self._commands.rates.used is not None:
            values["lr"] = self._commands.rates.used
        if state.num_input_tokens_seen > 0:
            values["tokens"] = state.num_input_tokens_seen
        self.run.log({**values, "epoch": state.epoch}, step=state.global_step)
        due = self._commands.due()
        control.should_save = control.should_save or due.checkpoint
        control.should_training_stop = control.should_training_stop or due.stop
        _keep(state, self._commands)

    @harmless
    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.run is None:
            return
        logged = {name: value for name, value in (kwargs.get("logs") or {}).items() if name not in _MEASURED}
        results = {name: value for name, value in logged.items() if name.startswith("train_")}
        self.run.summary.update(results)  # of the whole training; `train_loss` is no loss of this step
        scalars = {_scalar_name(name): value for name, value in logged.items() if name not in results}
        if scalars:
            self.run.log(scalars, step=state.global_step)

    @harmless
    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._commands is not None:
            self._commands.report(f"checkpoint-{state.global_step}")

    @harmless
    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._loss is not None:
            self._loss.close()
        if self._commands is not None:
            self._commands.report()
            self._commands.close()
        self._loss = self._commands = None
        if self.run is not None and self._is_own:
            self.run.finish()


class _StepLoss:
    """The loss of each optimizer step, from what the Trainer's training steps return; and the weights of these."""

    def __init__(self, trainer: Trainer, run: Run, model: Any) -> None:
        self._trainer = trainer
        self._run = run
        self._original = trainer.training_step
        self._replaced = vars(trainer).get("training_step")
        is_plain = trainer.compute_loss_func is None and trainer.label_smoother is None
        loss_function = getattr(getattr(model, "loss_function", None), "__name__", None)
        self._is_causal = is_plain and loss_function == "ForCausalLMLoss"
        self._clear()
        vars(trainer)["training_step"] = self._step

    def close(self) -> None:
        if vars(self._trainer).get("training_step") != self._step:  # somebody else has replaced it since
            return
        if self._replaced is None:
            del vars(self._trainer)["training_step"]
        else:
            vars(self._trainer)["training_step"] = self._replaced

    def take(self) -> dict[str, Any]:
        """The mean over the step's predicted tokens on all ranks, as a field; and the next step begins."""
        losses, counted, predicted = self._sums
        self._clear()
        if losses is None:
            return {}
        ranks = world_size()
        if ranks > 1:
            losses, counted, predicted = totals([float(losses), float(counted), float(predicted)])
        return {"loss": losses / ranks * (counted / predicted if predicted > 0 else 1.0)}

    def _clear(self) -> None:
        self._sums: tuple[Any, Any, Any] = (None, 0, 0)

    def _step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        counts = self._count(inputs) if num_items_in_batch is not None else None
        if counts is not None:
            self._run.weigh(counts[1])
        loss = self._original(model, inputs, num_items_in_batch)
        self._add(loss, counts)
        return loss

    @harmless
    def _count(self, inputs: Any) -> tuple[Any, Any] | None:
        """Label positions by which the Trainer divides the loss, and those that it is a sum of."""
        shifted, labels = inputs.get("shift_labels"), inputs.get("labels")
        if isinstance(shifted, torch.Tensor):
            return _positions(shifted), _positions(shifted)
        if not isinstance(labels, torch.Tensor):
            return None
        all_but_first = _positions(labels[..., 1:])
        divisor = all_but_first if getattr(self._trainer, "_loss_shifts_labels", False) else _positions(labels)
        return divisor, all_but_first if self._is_causal else divisor

    @harmless
    def _add(self, loss: torch.Tensor, counts: tuple[Any, Any] | None) -> None:
        losses, counted, predicted = self._sums
        now, positions = loss.detach(), counts or (0, 0)
        self._sums = (now if losses is None else losses + now, counted + positions[0], predicted + positions[1])


def _positions(labels: torch.Tensor) -> torch.Tensor:
    """How many labels are no padding."""
    return labels.ne(-100).sum()


def _keep(state: TrainerState, commands: Commands) -> None:
    """Puts into the next checkpoint what a resume needs."""
    callbacks: Any = state.stateful_callbacks  # a dict once training has begun
    callbacks[_STATE] = commands.state_dict()


def _kept(state: TrainerState) -> dict[str, Any]:
    """What an earlier life of the training has kept in its checkpoint."""
    callbacks: Any = state.stateful_callbacks
    kept = callbacks.get(_STATE) if isinstance(callbacks, dict) else None
    return kept if isinstance(kept, dict) and state.global_step > 0 else {}


def _config(args: TrainingArguments, model: Any) -> dict[str, Any]:
    """Arguments of the training, and the model's configuration where it is not too long."""
    about: dict[str, Any] = args.to_dict()  # type: ignore[no-untyped-call,unused-ignore]
    to_dict = getattr(getattr(model, "config", None), "to_dict", None)
    if to_dict is None:
        return about
    labels = ("id2label", "label2id")
    whole = {**about, "model": {name: value for name, value in to_dict().items() if name not in labels}}
    try:
        to_config(whole)
    except ValueError:
        return about
    return whole


def _scalar_name(name: str) -> str:
    """`eval_loss` as `eval/loss`, so that charts of an evaluation have a heading of their own."""
    return f"eval/{name[5:]}" if name.startswith("eval_") else name


def _calling_trainer() -> Trainer | None:
    """The Trainer that calls the callback; it is no argument of one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, Trainer):
            return caller
        frame = frame.f_back
    return None
