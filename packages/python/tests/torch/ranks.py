"""
One rank of a distributed training, which `test_distributed.py` starts: `ranks.py RANK SIZE FOLDER CASE…`. Writes what
its watch measured in each case, and its warnings, to a file in the folder.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel
from training import Model, micro_batch, reference_tev

import evenkeel
from evenkeel.distributed import agree
from evenkeel.torch import Watch

STEPS = 2
ACCUMULATION = 2
LR = 0.05

Backward = Callable[[torch.Tensor, bool], None]

MAKERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=LR),
    "adamw": lambda model: torch.optim.AdamW(model.parameters(), lr=LR),
}


class Case:
    """Trains a model, and keeps what rank 0 and the others measured."""

    def __init__(self, watched: nn.Module, called: nn.Module, optimizer: str = "sgd", **options: Any) -> None:
        self.model = called
        self.warnings: list[str] = []
        self.optimizer = MAKERS[optimizer](called)
        self.watch = Watch(watched, self.optimizer, warn=self.warnings.append, updates=True, **options)

    def train(self, backward: Backward | None = None) -> dict[str, Any]:
        run = backward or (lambda loss, last: loss.backward())
        for step in range(STEPS):
            for at in range(ACCUMULATION):
                last = at == ACCUMULATION - 1
                self.before(last)
                run(self.model(micro_batch(seed_of(step, at, dist.get_rank()))) / ACCUMULATION, last)
            self.clip()
            self.optimizer.step()
            self.optimizer.zero_grad()
        return self.result()

    def before(self, last: bool) -> None:
        """Before a micro-batch's forward pass."""

    def clip(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1e-2)

    def result(self) -> dict[str, Any]:
        measured = self.watch.take()
        self.watch.close()
        return {"measured": measured, "warnings": self.warnings}


def seed_of(step: int, accumulation: int, rank: int) -> int:
    return 100 * step + 10 * accumulation + rank


def ddp_case(bucket_view: bool, inner: bool, no_sync: bool) -> dict[str, Any]:
    model = Model(tied=True)
    parallel = DistributedDataParallel(model, gradient_as_bucket_view=bucket_view)
    case = Case(model if inner else parallel, parallel)
    if no_sync:
        case.before = lambda last: setattr(parallel, "require_backward_grad_sync", last)  # type: ignore[method-assign]
    return case.train()


def ddp_adamw() -> dict[str, Any]:
    parallel = DistributedDataParallel(Model())
    return Case(parallel, parallel, "adamw").train()


def ddp_never_synced() -> dict[str, Any]:
    parallel = DistributedDataParallel(Model())
    case = Case(parallel, parallel)
    with parallel.no_sync():
        return case.train()


def one_rank_that_watches() -> dict[str, Any]:
    parallel = DistributedDataParallel(Model())
    if dist.get_rank() == 0:
        return Case(parallel, parallel).train()
    case = Case(parallel, parallel)
    case.watch.close()
    return case.train()


def fsdp_case(
    vocabulary: int,
    accumulate_unsharded: bool = False,
    bf16: bool = False,
    blocks: bool = True,
    optimizer: str = "sgd",
) -> dict[str, Any]:
    model = Model(vocabulary=vocabulary)
    policy = (
        MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32) if bf16 else MixedPrecisionPolicy()
    )
    for block in model.blocks if blocks else []:
        fully_shard(block, mp_policy=policy)
    fully_shard(model, mp_policy=policy)
    case = Case(model, model, optimizer)
    if accumulate_unsharded:
        case.before = model.set_requires_gradient_sync  # type: ignore[method-assign]
    result = case.train()
    result["tev"] = reference_tev(model.wte.weight.full_tensor())
    with torch.no_grad():
        model(micro_batch(0))  # leaves the embedding unsharded
    return result


def fsdp_divide_factor() -> dict[str, Any]:
    """As torchtitan trains: the loss is divided by the tokens of all ranks, and gradients are summed."""
    model = Model()
    fully_shard(model)
    model.set_force_sum_reduction_for_comms(True)  # gloo cannot scale while it sums
    model.set_gradient_divide_factor(1.0)
    case = Case(model, model)
    return case.train(lambda loss, last: (loss / dist.get_world_size()).backward())


def sharded_afterwards() -> dict[str, Any]:
    model = Model()
    warnings: list[str] = []
    watch = Watch(model, warn=warnings.append, updates=True)
    fully_shard(model)
    case = Case(model, model)
    case.watch.close()
    case.watch, case.warnings = watch, warnings
    return case.train()


def tensor_parallel(kind: str, vocabulary: int) -> dict[str, Any]:
    """All ranks see the same data; the references need no gradients."""
    model = Model(vocabulary=vocabulary)
    style = {
        "rows": RowwiseParallel(input_layouts=Replicate(), output_layouts=Replicate()),
        "columns": ColwiseParallel(output_layouts=Replicate()),
    }[kind]
    parallelize_module(model, init_device_mesh("cpu", (dist.get_world_size(),)), {"wte": style})
    case = Case(model, model)
    case.clip = lambda: None  # type: ignore[method-assign]
    for step in range(STEPS):
        case.model(micro_batch(step)).backward()
        case.optimizer.step()
        case.optimizer.zero_grad()
    return {**case.result(), "tev": reference_tev(model.wte.weight.full_tensor())}


def two_dimensions(vocabulary: int) -> dict[str, Any]:
    """Tensor parallelism inside FSDP2, 2 x 2."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("dp", "tp"))
    model = Model(vocabulary=vocabulary)
    rows = RowwiseParallel(input_layouts=Replicate(), output_layouts=Replicate())
    parallelize_module(model, mesh["tp"], {"wte": rows})
    fully_shard(model, mesh=mesh["dp"])
    case = Case(model, model, vocab_size=37)
    for step in range(STEPS):
        case.model(micro_batch(step)).backward()
        case.optimizer.step()
        case.optimizer.zero_grad()
    return {**case.result(), "tev": reference_tev(model.wte.weight.full_tensor()[:37])}


def hybrid_sharding() -> dict[str, Any]:
    """FSDP2 on two ranks, replicated on two."""
    model = Model()
    fully_shard(model, mesh=init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard")))
    case = Case(model, model)
    return {**case.train(), "tev": reference_tev(model.wte.weight.full_tensor())}


def weights() -> dict[str, Any]:
    """Micro-batches of other lengths, weighed by the tokens of all ranks, as the HF Trainer does."""
    parallel = DistributedDataParallel(Model())
    case = Case(parallel, parallel)
    lengths = [[3, 12], [7, 5]]  # [accumulation][rank]
    total = sum(3 * (length - 1) for row in lengths for length in row)
    for at, row in enumerate(lengths):
        batch = micro_batch(at * 10 + dist.get_rank(), row[dist.get_rank()])
        tokens = batch[:, 1:].numel()
        case.watch.weigh(tokens)
        (case.model(batch) * tokens / total * dist.get_world_size()).backward()
    case.optimizer.step()
    return case.result()


def agreement() -> dict[str, Any]:
    wishes = [False, dist.get_rank() == 1, True]
    return {"agreed": [agree(wish) for wish in wishes]}


def new_run(**options: Any) -> evenkeel.Run:
    return evenkeel.init(mode="offline", dir=tempfile.mkdtemp(), console=False, system_metrics=False, **options)


def ask(run: evenkeel.Run, kind: str) -> None:
    """What the server does, of which rank 0 alone knows."""
    if dist.get_rank() == 0:
        about = {"id": kind, "run": run.id, "kind": kind, "by": "ada", "reason": "so", "factor": 0.5}
        assert run._desk.take(about) == {"ok": True}


def commands() -> dict[str, Any]:
    run = new_run()
    obeyed: list[str] = []
    run.on_command(lambda command: obeyed.append(command.kind))
    found = []
    for kind in (None, "reduce-lr", "checkpoint", "stop"):
        if kind:
            ask(run, kind)
        run.log(loss=1.0)
        found.append([run.should_stop, list(obeyed)])
    run.finish()
    return {"found": found}


def commands_that_come_late() -> dict[str, Any]:
    """They reach rank 0 while it agrees with the others that there are none."""
    run = new_run()
    obeyed: list[str] = []
    run.on_command(lambda command: obeyed.append(command.kind))
    found = []
    for kind in ("reduce-lr", "stop"):

        def agree_meanwhile(wish: bool, kind: str = kind) -> bool:
            ask(run, kind)
            return agree(wish)

        with patch("evenkeel.run.agree", agree_meanwhile):
            found.append([run.should_stop, list(obeyed)])
        found.append([run.should_stop, list(obeyed)])
    run.finish()
    return {"found": found}


def one_rank_that_asks() -> dict[str, Any]:
    """The others go on with collectives of their own."""
    run = new_run()
    run.on_command(lambda command: None)
    ask(run, "stop")
    stops = [run.should_stop for _ in range(2)] if dist.get_rank() == 0 else []
    total = torch.ones(1)
    dist.all_reduce(total)
    run.finish()
    return {"stops": stops, "total": float(total)}


def disabled_rank() -> dict[str, Any]:
    run = new_run() if dist.get_rank() == 0 else evenkeel.init(mode="disabled")
    ask(run, "stop")
    stop = run.should_stop
    run.finish()
    return {"stop": stop}


def zero_redundancy() -> dict[str, Any]:
    """An optimizer that wraps another, on each rank with its part of the parameters."""
    parallel = DistributedDataParallel(Model())
    optimizer = ZeroRedundancyOptimizer(parallel.parameters(), optimizer_class=torch.optim.AdamW, lr=LR)
    watch = Watch(parallel)
    for step in range(STEPS):
        parallel(micro_batch(step)).backward()
        optimizer.step()
        optimizer.zero_grad()
    watch.close()
    return {"steps": watch.steps}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "ddp": lambda: ddp_case(bucket_view=False, inner=False, no_sync=True),
    "ddp, inner module, bucket views": lambda: ddp_case(bucket_view=True, inner=True, no_sync=True),
    "ddp, accumulation without no_sync": lambda: ddp_case(bucket_view=False, inner=False, no_sync=False),
    "ddp, bucket views, without no_sync": lambda: ddp_case(bucket_view=True, inner=False, no_sync=False),
    "ddp, never synced": ddp_never_synced,
    "one rank watches": one_rank_that_watches,
    "fsdp, even": lambda: fsdp_case(38),
    "fsdp, uneven": lambda: fsdp_case(37),
    "fsdp, whole model": lambda: fsdp_case(37, blocks=False),
    "fsdp, unsharded accumulation": lambda: fsdp_case(37, accumulate_unsharded=True),
    "fsdp, bf16": lambda: fsdp_case(38, bf16=True),
    "fsdp, divide factor": fsdp_divide_factor,
    "fsdp, adamw": lambda: fsdp_case(37, optimizer="adamw"),
    "ddp, adamw": ddp_adamw,
    "fsdp, empty shard": lambda: fsdp_case(9),  # 3, 3, 3 and 0 rows
    "fsdp, hybrid": hybrid_sharding,
    "sharded afterwards": sharded_afterwards,
    "rows, even": lambda: tensor_parallel("rows", 38),
    "rows, uneven": lambda: tensor_parallel("rows", 37),
    "columns": lambda: tensor_parallel("columns", 37),
    "two dimensions": lambda: two_dimensions(41),
    "weights": weights,
    "agreement": agreement,
    "commands": commands,
    "late commands": commands_that_come_late,
    "one rank asks": one_rank_that_asks,
    "disabled rank": disabled_rank,
    "zero redundancy": zero_redundancy,
}


def main() -> None:
    rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=(folder / "store").as_uri(), rank=rank, world_size=size)
    results = {name: CASES[name]() for name in sys.argv[4:]}
    (folder / f"{rank}.json").write_text(json.dumps(results))
    dist.barrier()
    dist.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # all is written; threads of the process groups may abort an interpreter that is taken down


if __name__ == "__main__":
    main()
