"""Several processes: `torchrun --nproc-per-node 2 torchrun.py [--fsdp] [--ramp]`."""

from __future__ import annotations

from pathlib import Path

import tiny_gpt2
import torch
import torch.distributed as dist
from torch.distributed.checkpoint import save as save_sharded
from torch.distributed.checkpoint.state_dict import get_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import evenkeel
from evenkeel.integrations.commands import Commands

flags = tiny_gpt2.flags(__doc__)
flags.add_argument("--fsdp", action="store_true", help="shard the model by FSDP2, in place of DDP")
options = flags.parse_args()
dist.init_process_group("gloo")
rank, ranks = dist.get_rank(), dist.get_world_size()
text = tiny_gpt2.corpus()
model = tiny_gpt2.model()
if options.fsdp:
    for block in model.transformer.h:
        fully_shard(block)
    fully_shard(model)
else:
    model = DistributedDataParallel(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=tiny_gpt2.PEAK, weight_decay=0.1)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: tiny_gpt2.rate(step, options.steps, options.ramp))

# Each rank does all of this; rank 0 sends.
run = evenkeel.init(
    "examples",
    name=("FSDP2" if options.fsdp else "DDP") + ", ramp" * options.ramp,
    config={**vars(options), "ranks": ranks},
    dir=options.checkpoints,
    policy=tiny_gpt2.POLICY,
)
run.watch(model, optimizer)


def save() -> str:
    path = Path(options.checkpoints) / f"step-{step}"
    weights, moments = get_state_dict(model, optimizer)
    save_sharded({"model": weights, "optimizer": moments}, checkpoint_id=path)
    if rank == 0:  # the run is that of rank 0
        torch.save(commands.state_dict(), path / "evenkeel.pt")
        print(f"step {step}: saved {path}")
    return str(path)


commands = Commands(run, optimizer, save)
for step in range(options.steps):
    losses = []
    for at in range(options.micro_batches):
        seed = (step * options.micro_batches + at) * ranks + rank
        tokens = tiny_gpt2.batch(text, options.batch, seed)
        loss = model(tokens, labels=tokens).loss
        (loss / options.micro_batches).backward()
        losses.append(loss.detach())
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    optimizer.zero_grad()
    mean = torch.stack(losses).mean()
    dist.all_reduce(mean)
    run.log({"loss": mean / ranks}, step=step)
    if commands.obey():
        if rank == 0:
            print(f"step {step}: stopped")
        break
run.finish()
dist.destroy_process_group()
