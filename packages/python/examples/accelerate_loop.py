"""Accelerate: `python accelerate_loop.py [--ramp]`, or `accelerate launch accelerate_loop.py`."""

from __future__ import annotations

from pathlib import Path

import tiny_gpt2
import torch
from accelerate import Accelerator

from evenkeel.integrations.accelerate import EvenkeelTracker

options = tiny_gpt2.flags(__doc__).parse_args()
text = tiny_gpt2.corpus()
tracker = EvenkeelTracker(
    "examples", name="accelerate" + ", ramp" * options.ramp, dir=options.checkpoints, policy=tiny_gpt2.POLICY
)
accelerator = Accelerator(gradient_accumulation_steps=options.micro_batches, log_with=tracker, cpu=True)
accelerator.init_trackers("examples", config=vars(options))

model = tiny_gpt2.model()
optimizer = torch.optim.AdamW(model.parameters(), lr=tiny_gpt2.PEAK, weight_decay=0.1)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: tiny_gpt2.rate(step, options.steps, options.ramp))
model, optimizer = accelerator.prepare(model, optimizer)


def save() -> str:
    path = Path(options.checkpoints) / f"step-{step}"
    accelerator.save_state(path)
    accelerator.print(f"step {step}: saved {path}")
    return str(path)


commands = tracker.watch(model, optimizer, save=save)
accelerator.register_for_checkpointing(commands, scheduler)

step, losses = 0, []
for at in range(options.steps * options.micro_batches):
    tokens = tiny_gpt2.batch(text, options.batch, seed=at * accelerator.num_processes + accelerator.process_index)
    with accelerator.accumulate(model):
        loss = model(tokens, labels=tokens).loss
        accelerator.backward(loss)
        losses.append(loss.detach())
        if accelerator.sync_gradients:
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    if not accelerator.sync_gradients:
        continue
    scheduler.step()
    mean = accelerator.reduce(torch.stack(losses).mean(), "mean")
    accelerator.log({"loss": mean}, step=step)
    losses = []
    if commands.obey():
        accelerator.print(f"step {step}: stopped")
        break
    step += 1
accelerator.end_training()
