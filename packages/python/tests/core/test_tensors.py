"""Tensors of PyTorch as logged values."""

from __future__ import annotations

import math
import warnings

import pytest

from evenkeel import values

torch = pytest.importorskip("torch", reason="torch is absent: tensors as logged values are not tested")


def test_a_tensor_is_the_number_that_it_was_when_it_was_logged() -> None:
    total = torch.zeros(())
    total += 2.5
    frozen = values.freeze(total)
    total.zero_()
    assert values.as_number(values.read(frozen)) == 2.5


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int64, torch.bool]
)
def test_every_type_of_number_is_taken(dtype: torch.dtype) -> None:
    assert values.as_number(values.freeze(torch.tensor([1], dtype=dtype))) == 1.0


def test_a_tensor_of_a_graph_is_taken_without_the_graph_and_without_a_warning() -> None:
    weight = torch.nn.Parameter(torch.tensor(3.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frozen = values.freeze(weight * 2)
    assert values.as_number(frozen) == 6.0
    assert not isinstance(frozen, torch.Tensor)


def test_what_is_no_number_is_none() -> None:
    assert values.as_number(values.read(values.freeze(torch.zeros(64, 64)))) is None
    assert values.as_number(values.read(values.freeze(torch.zeros(3)))) is None
    assert values.as_number(values.read(values.freeze(torch.zeros(1).to_sparse()))) is None
    assert values.as_number(values.read(values.freeze(torch.tensor(1 + 2j)))) is None
    assert math.isnan(values.as_number(values.freeze(torch.tensor(math.nan))) or 0.0)


def test_an_array_of_numbers_is_a_list() -> None:
    assert values.freeze(torch.arange(3)) == [0, 1, 2]
    assert values.freeze([torch.tensor(1.0), 2]) == [1.0, 2]


def test_a_distributed_tensor_is_taken_only_where_every_rank_has_the_whole(tmp_path: object) -> None:
    distributed = torch.distributed
    if not distributed.is_available():
        pytest.skip("this torch has no torch.distributed")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cpu", (1,))
        whole = distribute_tensor(torch.tensor([2.0]), mesh, [Replicate()])
        part = distribute_tensor(torch.tensor([2.0]), mesh, [Shard(0)])
        assert values.as_number(values.freeze(whole)) == 2.0
        assert values.as_number(values.freeze(part)) is None
    finally:
        distributed.destroy_process_group()
