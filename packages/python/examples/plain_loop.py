"""A training loop of one's own: `python plain_loop.py [--ramp]`."""

from __future__ import annotations

from pathlib import Path

import tiny_gpt2
import torch

import evenkeel
from evenkeel.integrations.commands import Commands

options = tiny_gpt2.flags(__doc__).parse_args()
text = tiny_gpt2.corpus()
model = tiny_gpt2.model()
optimizer = torch.optim.AdamW(model.parameters(), lr=tiny_gpt2.PEAK, weight_decay=0.1)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: tiny_gpt2.rate(step, options.steps, options.ramp))
folder = Path(options.checkpoints)

run = evenkeel.init(
    "examples", name="plain loop" + ", ramp" * options.ramp, config=options, dir=folder, policy=tiny_gpt2.POLICY
)
run.watch(model, optimizer, scheduler=scheduler)


def save() -> str:
    path = folder / f"step-{step}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), **commands.state_dict()}, path)
    print(f"step {step}: saved {path}")
    return str(path)


commands = Commands(run, optimizer, save)
for step in range(options.steps):
    losses = []
    for at in range(options.micro_batches):
        tokens = tiny_gpt2.batch(text, options.batch, seed=step * options.micro_batches + at)
        loss = model(tokens, labels=tokens).loss
        (loss / options.micro_batches).backward()
        losses.append(loss.detach())
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    optimizer.zero_grad()
    run.log({"loss": torch.stack(losses).mean()}, step=step)
    if commands.obey():
        print(f"step {step}: stopped, {run.should_stop}")
        break
run.finish()
