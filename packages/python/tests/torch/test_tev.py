"""TEV against float64 references, and the embedding that it is read from."""

from __future__ import annotations

import math
from typing import Any

import pytest

pytest.importorskip("torch.nn", reason="PyTorch is not installed: nothing of evenkeel.torch is tested")

import torch
from torch import nn
from training import Model, micro_batch, reference_tev

from evenkeel.torch import Watch
from evenkeel.torch.model import UnmeasurableError, embedding_weight, find_embedding
from evenkeel.torch.tev import row_deviations, summary


def measured(matrix: torch.Tensor) -> dict[str, Any]:
    mean, std, *quantiles = summary(row_deviations(matrix)).tolist()
    return {"tevMean": mean, "tevStd": std, "tevQuantiles": quantiles}


def expect_close(actual: dict[str, Any], expected: dict[str, Any], rel: float) -> None:
    assert actual.keys() >= expected.keys()
    for name, value in expected.items():
        assert actual[name] == pytest.approx(value, rel=rel), name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (1000, 96), (3000, 512)])
def test_is_what_the_definition_says(dtype: torch.dtype, shape: tuple[int, int]) -> None:
    matrix = (torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 0.02).to(dtype)
    expect_close(measured(matrix), reference_tev(matrix), rel=1e-6)


def test_of_a_matrix_worked_out_by_hand() -> None:
    rows = torch.tensor([[5.0, 5, 5, 5], [1, -1, 1, -1], [2, -2, 2, -2]])  # deviations 0, 1 and 2
    tev = measured(rows)
    assert tev["tevMean"] == pytest.approx(1)
    assert tev["tevStd"] == pytest.approx(math.sqrt(2 / 3))
    assert tev["tevQuantiles"] == pytest.approx([0, 0.02, 0.1, 0.5, 1, 1.5, 1.9, 1.98, 2])


def test_growth_of_a_bf16_embedding_is_no_staircase() -> None:
    base = torch.randn(500, 64, generator=torch.Generator().manual_seed(2)) * 0.02
    means = [measured((base * 1.0005**step).bfloat16())["tevMean"] for step in range(60)]
    growth = [after / before - 1 for before, after in zip(means, means[1:])]
    assert len(set(means)) == 60
    assert growth == pytest.approx([0.0005] * 59, abs=2e-4)


def test_keeps_its_digits_where_the_spread_is_small_beside_the_mean() -> None:
    ulp = 2.0**-10  # of float32 at 8192 to 16384
    matrix = torch.tensor([10_000.0, 10_000 + ulp]).repeat(4, 8)
    assert measured(matrix)["tevMean"] == pytest.approx(ulp / 2)


def test_an_entry_that_is_not_finite_shows_in_the_mean_and_spares_the_low_quantiles() -> None:
    matrix = torch.zeros(3, 4)
    matrix[1, 2] = math.nan
    tev = measured(matrix)
    assert math.isnan(tev["tevMean"])
    assert tev["tevQuantiles"][0] == 0
    assert math.isnan(tev["tevQuantiles"][-1])


def train_step(model: nn.Module, **options: Any) -> tuple[Watch, list[str]]:
    warnings: list[str] = []
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    watch = Watch(model, optimizer, grad_variance=False, warn=warnings.append, **options)
    model(micro_batch(1)).backward()
    optimizer.step()
    return watch, warnings


@pytest.mark.parametrize("tied", [False, True])
def test_is_read_after_the_step(tied: bool) -> None:
    model = Model(tied=tied)
    before = reference_tev(model.wte.weight)
    watch, warnings = train_step(model)
    [(step, fields)] = watch.take()
    assert (step, fields["lr"], warnings) == (1, 0.01, [])
    expect_close(fields, reference_tev(model.wte.weight), rel=1e-6)
    assert fields["tevMean"] != pytest.approx(before["tevMean"], rel=1e-4)


def test_padding_rows_are_left_out() -> None:
    model = Model(vocabulary=64)
    watch, _ = train_step(model, vocab_size=37)
    expect_close(watch.take()[0][1], reference_tev(model.wte.weight[:37]), rel=1e-6)


def test_a_vocab_size_beyond_the_rows_makes_tev_absent() -> None:
    watch, warnings = train_step(Model(), vocab_size=1000)
    assert watch.take() == [(1, {"lr": 0.01})]
    assert warnings == ["TEV is absent: vocab_size is 1000, but the embedding has 37 rows"]


class Wrapped(nn.Module):
    """As DistributedDataParallel wraps."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.module(tokens)


@pytest.mark.parametrize(
    "wrap",
    [
        Wrapped,
        lambda model: torch.compile(model, backend="eager"),
        lambda model: Wrapped(torch.compile(Wrapped(model))),
    ],
)
def test_wrappers_are_taken_off(wrap: Any) -> None:
    model = Model()
    assert find_embedding(Watch(wrap(model), grad_variance=False)._model) is model.wte


def test_of_a_compiled_model() -> None:
    model = Model()
    watch, warnings = train_step(torch.compile(model, backend="eager"))
    expect_close(watch.take()[0][1], reference_tev(model.wte.weight), rel=1e-6)
    assert warnings == []


def transformers_models() -> dict[str, Any]:
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed: its models are not tested"
    )
    small = {"vocab_size": 101, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    gpt2 = transformers.GPT2Config(vocab_size=101, n_embd=32, n_layer=2, n_head=2, **ends)
    llama = transformers.LlamaConfig(**small, **ends, intermediate_size=64)
    bert = transformers.BertConfig(**small, intermediate_size=64)
    t5 = transformers.T5Config(vocab_size=101, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=2, **ends)
    return {
        "transformer.wte": transformers.GPT2LMHeadModel(gpt2),
        "model.embed_tokens": transformers.LlamaForCausalLM(llama),
        "bert.embeddings.word_embeddings": transformers.BertForMaskedLM(bert),
        "shared": transformers.T5ForConditionalGeneration(t5),
    }


def test_the_embeddings_of_transformers_are_found() -> None:
    for name, model in transformers_models().items():
        holder = nn.ModuleDict({"model": model})  # as a LightningModule holds it
        assert find_embedding(model) is model.get_submodule(name)
        assert find_embedding(holder) is model.get_submodule(name)


def test_an_embedding_is_found_by_its_usual_name_or_by_the_head() -> None:
    usual = nn.ModuleDict({"wpe": nn.Embedding(16, 8), "wte": nn.Embedding(50, 8)})
    assert find_embedding(usual) is usual["wte"]
    by_head = nn.ModuleDict({"a": nn.Embedding(16, 8), "b": nn.Embedding(50, 8), "c": nn.Linear(8, 50)})
    assert find_embedding(by_head) is by_head["b"]
    assert find_embedding(by_head, "a") is by_head["a"]
    assert find_embedding(by_head, by_head["a"]) is by_head["a"]


def test_an_embedding_that_cannot_be_found_is_named_in_a_warning() -> None:
    warnings: list[str] = []
    model = nn.ModuleDict({"a": nn.Embedding(16, 8), "b": nn.Embedding(50, 8)})
    Watch(model, warn=warnings.append)
    found = "a 16 x 8, b 50 x 8"
    assert warnings == [
        f"TEV is absent: cannot decide which module is the token embedding ({found}); name it with embedding=…"
    ]
    with pytest.raises(ValueError, match="embedding: the model has no module 'c'"):
        Watch(model, embedding="c")


def with_attribute(name: str, value: Any) -> nn.Module:
    embedding = nn.Embedding(8, 4)
    setattr(embedding.weight, name, value)
    return embedding


def with_weight(weight: torch.Tensor) -> nn.Module:
    embedding = nn.Embedding(8, 4)
    embedding.weight = nn.Parameter(weight, requires_grad=False)
    return embedding


@pytest.mark.parametrize(
    ("module", "cause"),
    [
        (with_attribute("tensor_model_parallel", True), "split over ranks"),
        (with_attribute("ds_id", 3), "fully_shard and DTensor only"),
        (with_weight(torch.zeros(32)), "fully_shard and DTensor only"),
        (with_weight(torch.zeros(8, 4, dtype=torch.int8)), "quantized"),
        (nn.Identity(), "has no weight"),
    ],
)
def test_a_weight_that_is_not_the_embedding_is_never_measured(module: nn.Module, cause: str) -> None:
    with pytest.raises(UnmeasurableError, match=cause):
        embedding_weight(module)


def test_an_embedding_that_is_replaced_is_found_again() -> None:
    model = Model()
    warnings: list[str] = []
    watch = Watch(model, warn=warnings.append, grad_variance=False)
    model.wte = nn.Embedding(41, 12)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(micro_batch(1)).backward()
    optimizer.step()
    expect_close(watch.take()[0][1], reference_tev(model.wte.weight), rel=1e-6)
    assert warnings == []
