"""Made-up languages to train on, so that a run needs no data."""

from __future__ import annotations

import random

import torch

ALPHABET = "abcdefghijklmnopqrstuvwxyz .,?!\n"
"""32 characters; a token is the place of one."""
LENGTH = 200_000


def text(language: int) -> torch.Tensor:
    """
    Tokens of a language, [LENGTH]: words of a few syllables, the frequent ones short, each followed by one of eight
    others. So there is something to learn from letters first, then from words, and long after that from their order.
    """
    choose = random.Random(language)
    consonants, vowels = choose.sample("bcdfghjklmnpqrstvwxz", 14), choose.sample("aeiouy", 5)
    syllables = [consonant + vowel for consonant in consonants for vowel in vowels]
    words = ["".join(choose.choices(syllables, k=1 + at // 60)) for at in range(400)]
    weights = [1 / (at + 1) for at in range(len(words))]  # Zipf's law
    followers = [choose.choices(range(len(words)), weights, k=8) for _ in words]
    ends = [" "] * 16 + [", ", ". ", "? ", "!\n"]
    parts: list[str] = []
    size, word = 0, 0
    while size < LENGTH:
        word = choose.choice(followers[word])
        parts.append(words[word] + choose.choice(ends))
        size += len(parts[-1])
    return torch.tensor([ALPHABET.index(letter) for letter in "".join(parts)[:LENGTH]])
