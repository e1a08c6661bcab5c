"""Trains a tiny GPT-2 with the Hugging Face Trainer or Lightning, whose own logger of MLflow or W&B sends the run to
Evenkeel, then reads the run back and compares it with what the framework reported.

It runs outside of continuous integration. What it needs, and how to call it, is in docs/mlflow.md and docs/wandb.md.
"""

import argparse
import json
import os
import shutil
import tempfile
import urllib.parse
import urllib.request
import uuid

STEPS = 20
EVAL_EVERY = 10
VOCABULARY = 64
LENGTH = 16
BATCH = 4
LEARNING_RATE = 1e-3
# What each framework calls its metrics with each logger.
LIGHTNING_NAMES = {"loss": "train_loss", "gradNorm": "grad_2.0_norm_total", "lr": "lr-AdamW", "evalLoss": "val_loss"}
NAMES = {
    ("transformers", "mlflow"): {
        "loss": "loss",
        "gradNorm": "grad_norm",
        "lr": "learning_rate",
        "evalLoss": "eval_loss",
    },
    ("transformers", "wandb"): {
        "loss": "train/loss",
        "gradNorm": "train/grad_norm",
        "lr": "train/learning_rate",
        "evalLoss": "eval/loss",
    },
    ("lightning", "mlflow"): LIGHTNING_NAMES,
    ("lightning", "wandb"): LIGHTNING_NAMES,
}


def tiny_gpt2():
    """A GPT-2 of 4,592 parameters."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "n_positions": LENGTH, "n_embd": 16, "n_layer": 1, "n_head": 2}
    return GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))


def made_up_tokens(count):
    """`count` sequences of LENGTH random tokens, as both frameworks take them."""
    import torch

    tokens = torch.randint(VOCABULARY, (count, LENGTH), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": row, "labels": row} for row in tokens]


def train_transformers(tracker, project, folder):
    """Returns the loss of each step, as the Trainer reported it."""
    from transformers import Trainer, TrainingArguments

    os.environ["MLFLOW_EXPERIMENT_NAME"] = os.environ["WANDB_PROJECT"] = project
    arguments = TrainingArguments(
        output_dir=folder,
        run_name="transformers",
        max_steps=STEPS,
        per_device_train_batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        logging_steps=1,
        eval_strategy="steps",
        eval_steps=EVAL_EVERY,
        save_strategy="no",
        use_cpu=True,
        report_to=[tracker],
    )
    trainer = Trainer(
        tiny_gpt2(), arguments, train_dataset=made_up_tokens(STEPS * BATCH), eval_dataset=made_up_tokens(BATCH)
    )
    trainer.train()
    if tracker == "wandb":
        import wandb

        wandb.finish()
    return {row["step"]: row["loss"] for row in trainer.state.log_history if "loss" in row}


def train_lightning(tracker, project, folder):
    """Returns the loss of each step, by Lightning's count of updates."""
    import lightning
    import torch
    from lightning.pytorch.callbacks import LearningRateMonitor
    from lightning.pytorch.loggers import MLFlowLogger, WandbLogger
    from lightning.pytorch.utilities import grad_norm

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = tiny_gpt2()
            self.losses = {}
            self.save_hyperparameters({"lr": LEARNING_RATE, "batch": BATCH})

        def training_step(self, batch, _):
            loss = self.model(**batch).loss
            self.losses[self.global_step] = loss.item()
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, _):
            self.log("val_loss", self.model(**batch).loss)

        def on_before_optimizer_step(self, _):
            self.log_dict(grad_norm(self, norm_type=2))

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=LEARNING_RATE)

    if tracker == "mlflow":
        logger = MLFlowLogger(
            experiment_name=project, run_name="lightning", tracking_uri=os.environ["MLFLOW_TRACKING_URI"]
        )
    else:
        logger = WandbLogger(project=project, name="lightning", save_dir=folder)
    trainer = lightning.Trainer(
        default_root_dir=folder,
        max_steps=STEPS,
        accelerator="cpu",
        logger=logger,
        log_every_n_steps=1,
        val_check_interval=EVAL_EVERY,
        callbacks=[LearningRateMonitor(logging_interval="step")],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = Module()
    loader = torch.utils.data.DataLoader
    trainer.fit(module, loader(made_up_tokens(STEPS * BATCH), BATCH), loader(made_up_tokens(BATCH), BATCH))
    if tracker == "wandb":
        import wandb

        wandb.finish()
    return module.losses


TRAINERS = {"transformers": train_transformers, "lightning": train_lightning}


class Server:
    """Evenkeel's HTTP API, which reads."""

    def __init__(self, url):
        self.url = url

    def get(self, path, **query):
        request = urllib.request.Request(f"{self.url}/api/v1{path}?{urllib.parse.urlencode(query)}")
        token = os.environ.get("EVENKEEL_ACCESS_TOKEN")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def only_run(self, project):
        runs = json.loads(self.get("/runs", project=project))["runs"]
        assert len(runs) == 1, f"{len(runs)} runs in {project}"
        return json.loads(self.get(f"/runs/{runs[0]['id']}"))

    def history(self, run):
        return [json.loads(line) for line in self.get(f"/runs/{run}/history").splitlines()]


def check(run, rows, names, losses):
    """Raises where what the server has is not what the framework reported: `losses` is the loss of each step."""
    assert run["status"] == "finished", run["status"]
    assert run["names"] == names, run["names"]
    assert run["dropped"] == [], run["dropped"]
    assert [row["step"] for row in rows] == sorted(losses), "other steps than those of the trainer"
    assert {row["step"]: row["loss"] for row in rows} == losses, "other losses than those of the trainer"
    assert all("gradNorm" in row and "lr" in row for row in rows), "a step without its gradient norm or learning rate"
    evaluated = [row["step"] for row in rows if "evalLoss" in row]
    assert evaluated == sorted(losses)[EVAL_EVERY - 1 :: EVAL_EVERY], evaluated


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--framework", choices=["transformers", "lightning"], required=True)
    parser.add_argument("--tracker", choices=["mlflow", "wandb"], required=True)
    parser.add_argument("--server", default="http://127.0.0.1:4870", help="the address of an Evenkeel server")
    options = parser.parse_args()
    server = options.server.rstrip("/")
    os.environ["MLFLOW_TRACKING_URI"] = f"{server}/mlflow"
    os.environ["WANDB_BASE_URL"] = f"{server}/wandb"
    os.environ.setdefault("WANDB_API_KEY", "0" * 40)
    project = f"{options.framework}-{options.tracker}-{uuid.uuid4().hex[:6]}"
    folder = tempfile.mkdtemp()
    try:
        os.environ["WANDB_DIR"] = folder
        losses = TRAINERS[options.framework](options.tracker, project, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    api = Server(server)
    run = api.only_run(project)
    rows = api.history(run["id"])
    check(run, rows, NAMES[options.framework, options.tracker], losses)
    names = ", ".join(f"{name} is {field}" for field, name in run["names"].items())
    print(f"{server}/runs/{run['id']}: {run['status']}, steps {rows[0]['step']} to {rows[-1]['step']}; {names}")


if __name__ == "__main__":
    main()
