"""A script that was written for W&B, against the real server."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from server import Server

import evenkeel.wandb as wandb


@pytest.fixture(autouse=True)
def environment(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("EVENKEEL_SERVER", server.url)
    monkeypatch.chdir(tmp_path)
    yield
    wandb.finish()


def test_a_common_script_runs_unchanged(server: Server) -> None:
    wandb.login()
    arguments = argparse.Namespace(lr=0.1, layers=2)
    run = wandb.init(
        project="w", entity="lab", name="gpt", config=arguments, tags=["a"], notes="why", group="g", job_type="train",
        settings=wandb.Settings(start_method="fork"), save_code=True,
    )  # fmt: skip
    assert wandb.run is run
    config = wandb.config
    assert (config.lr, config["layers"], config.get("none", 5)) == (0.1, 2, 5)
    config.update({"lr": 0.2}, allow_val_change=True)
    config.batch = 8
    wandb.define_metric("val/acc", summary="max", step_metric="epoch")
    for step in range(5):
        wandb.log({"val/acc": 0.5 - abs(step - 2) / 10}, commit=False)
        wandb.log({"train/loss": 3.0 - step, "epoch": step})
    wandb.summary["best"] = 1.5
    run.summary.update({"seen": 10})
    run.name = "renamed"
    run.tags += ("b",)
    wandb.alert("Low accuracy", "below a threshold", level=wandb.AlertLevel.WARN)
    wandb.alert("Low accuracy", "again, too soon")
    assert wandb.summary["val/acc"] == 0.5
    assert wandb.summary["epoch"] == 4
    assert run.step == 5
    id_, url = run.id, run.url
    wandb.finish()
    assert wandb.run is None

    assert url == f"{server.url}/runs/{id_}"
    about = server.run(id_)
    assert (about["project"], about["name"], about["status"], about["tags"]) == ("w", "renamed", "finished", ["a", "b"])
    assert about["notes"] == "why\n\n**WARN: Low accuracy** at step 5: below a threshold"
    assert about["config"] == {
        "lr": 0.2,
        "layers": 2,
        "batch": 8,
        "wandb": {"group": "g", "job_type": "train", "entity": "lab"},
        "summary": {"val/acc": 0.5, "best": 1.5, "seen": 10},
    }
    history = server.history(id_, "loss", "custom:val/acc", "custom:epoch")
    assert [row["loss"] for row in history.values()] == [3, 2, 1, 0, -1]
    assert history[1] == {"loss": 2, "custom:val/acc": 0.4, "custom:epoch": 1}


def test_a_model_is_watched(server: Server) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: wandb.watch is not tested")
    model = torch.nn.Sequential(torch.nn.Embedding(7, 4), torch.nn.Linear(4, 7))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = wandb.init(project="w")
    wandb.watch(model, log="all", log_freq=10)
    for _ in range(3):
        loss = model(torch.arange(7)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        wandb.log({"loss": loss.item()})
    wandb.finish()
    history = server.history(run.evenkeel.id, "loss", "tevMean", "gradNorm")
    assert list(history) == [0, 1, 2]
    assert all(value > 0 for row in history.values() for value in row.values())


def test_an_id_of_wandb_goes_on_with_its_run(server: Server) -> None:
    with wandb.init(project="w", id="abc123", resume="allow") as first:
        first.log({"loss": 1.0}, step=3)
    with pytest.raises(KeyError), wandb.init(project="w", id="abc123", resume="must") as second:
        second.log({"loss": 2.0}, step=4)
        raise KeyError("lost")
    assert second.id == "abc123"
    assert uuid.UUID(second.evenkeel.id) == uuid.UUID(first.evenkeel.id)
    assert second.evenkeel.attempt == 2
    assert server.run(second.evenkeel.id)["status"] == "failed"
    assert [row["loss"] for row in server.history(second.evenkeel.id, "loss").values()] == [1.0, 2.0]


def test_variables_of_wandb_describe_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "from the environment")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    run = wandb.init()
    assert run.project == "from the environment"
    assert run.disabled
    assert wandb.init() is run
    wandb.log({"loss": 1.0})
    assert wandb.init(reinit=True) is not run


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Image", "Evenkeel records numbers"),
        ("save", "Evenkeel keeps no files"),
        ("Api", "use evenkeel.Api"),
        ("sweep", "no hyper-parameter search"),
        ("something_new", "wandb.run.evenkeel"),
    ],
)
def test_what_is_absent_names_what_to_use(name: str, instead: str) -> None:
    with pytest.raises(AttributeError, match=f"evenkeel.wandb has no {name}: .*{instead}"):
        getattr(wandb, name)
    with pytest.raises(AttributeError, match=f"a run has no {name}: .*{instead}"):
        getattr(wandb.init(mode="disabled"), name)


def test_what_needs_a_run_says_so() -> None:
    with pytest.raises(wandb.Error, match=r"before wandb\.log"):
        wandb.log({"loss": 1.0})
    with pytest.raises(wandb.UsageError, match="mode"):
        wandb.init(mode="on")
