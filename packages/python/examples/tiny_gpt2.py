"""What all examples train: a GPT-2 of 1.0 million parameters, on text that is made here."""

from __future__ import annotations

import argparse
import math
import random

import torch
from transformers import GPT2Config, GPT2LMHeadModel

CONTEXT = 64  # tokens; a token is a byte
PEAK = 4e-3
WARMUP = 30
RAMP_FROM = 60
RAMP_FACTOR = 1.02

# With --ramp the run is on its way to divergence: the first alert saves a checkpoint, a critical one stops the run.
POLICY = {"warning": "checkpoint", "critical": "stop"}


def flags(description: str) -> argparse.ArgumentParser:
    """The flags of each example."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=300, help="optimizer steps")
    parser.add_argument("--ramp", action="store_true", help="let the learning rate rise until the run would diverge")
    parser.add_argument("--batch", type=int, default=4, help="sequences in a micro-batch")
    parser.add_argument("--micro-batches", type=int, default=2, help="micro-batches in a step")
    parser.add_argument("--checkpoints", default="checkpoints", help="folder of the checkpoints")
    return parser


def model(seed: int = 1) -> GPT2LMHeadModel:
    """[B, T] -> loss and [B, T, 256]."""
    torch.manual_seed(seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=256, n_positions=CONTEXT, n_embd=128, n_layer=5, n_head=4,
            resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip


def rate(step: int, steps: int, ramp: bool) -> float:
    """The learning rate of a step, counted from 0, as a share of the peak: a warm-up, then a cosine.

    A ramp follows it up to a step, and from there on grows by 2 % a step.
    """
    at = min(step, RAMP_FROM) if ramp else step
    warm = min(1.0, (at + 1) / WARMUP)
    planned = warm * (0.55 + 0.45 * math.cos(math.pi * min(1.0, at / steps)))
    return planned * RAMP_FACTOR ** (step - at)


def corpus(sentences: int = 20_000, seed: int = 1) -> torch.Tensor:
    """Bytes of made-up English, [N]."""
    words = {
        "who": ["the sailor", "a captain", "the old cook", "her brother", "the pilot", "a stranger", "nobody"],
        "does": ["saw", "lost", "followed", "repaired", "forgot", "painted", "sold", "carried", "measured"],
        "what": ["the keel", "a lantern", "seven ropes", "the northern coast", "his only map", "an anchor"],
        "when": ["before dawn", "in the storm", "without a sound", "at the end of May", "as the tide turned", "again"],
    }
    choose = random.Random(seed)
    parts = (" ".join(choose.choice(words[kind]) for kind in ("who", "does", "what", "when")) for _ in range(sentences))
    return torch.tensor(list(". ".join(parts).encode()), dtype=torch.long)


def batch(text: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    """Sequences of the text, [B, T], the same ones for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(len(text) - CONTEXT, (size,), generator=generator)
    return torch.stack([text[start : start + CONTEXT] for start in starts.tolist()])
