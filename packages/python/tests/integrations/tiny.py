"""What the tests of integrations share: a tiny model, and a person who sends commands."""

from __future__ import annotations

from typing import Any

import torch
from server import Server, until
from torch import nn
from trainer import LIMIT

from evenkeel import Api

VOCABULARY = 29
CONTEXT = 16


class Gpt2Data(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Sequences, the last of each micro-batch shorter by padding labels."""

    def __init__(self, size: int = 64) -> None:
        generator = torch.Generator().manual_seed(0)
        self.tokens = torch.randint(VOCABULARY, (size, CONTEXT), generator=generator)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, at: int) -> dict[str, torch.Tensor]:
        labels = self.tokens[at].clone()
        if at % 4 == 3:
            labels[5:] = -100
        return {"input_ids": self.tokens[at], "labels": labels}


def gpt2(seed: int = 1) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=16, n_layer=2, n_head=2,
            resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip


def losses_of(model: nn.Module, tokens: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The loss of each predicted position, in float64, without the model's own loss."""
    logits = model(tokens).logits.double()
    return nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100, reduction="none"
    )


class Person:
    """Somebody at the dashboard, who sends one command while a certain step ends, and waits until it has arrived."""

    def __init__(self, server: Server, kind: str, **action: Any) -> None:
        self._server = server
        self._action = {"kind": kind, **action}

    def send(self, run: Any) -> None:
        until("the run", lambda: self._server.run(run.id), LIMIT)
        self._server.call("run.command", run=run.id, action=self._action, by="ada", reason="a test")
        desk = run._desk
        until("the command", lambda: desk.is_asked, LIMIT)


def outcome(server: Server, run: str) -> dict[str, Any]:
    """The newest command of a run, once it has an outcome."""

    def find() -> Any:
        commands = server.query("run.commands", run=run)
        return commands and (commands[0]["result"] or commands[0]["error"]) and commands[0]

    found: dict[str, Any] = until("the outcome", find, LIMIT)
    return found


def steps_of_attempt(server: Server, run: str, attempt: int) -> list[int]:
    """The steps that an attempt itself has stored."""
    return [row["step"] for row in Api(server.url).run(run).history(["lr"], attempt=attempt)]
