"""Measurements of a PyTorch model while it trains: TEV, gradient variance and norm. Needs PyTorch 2.6 or later."""

from .model import inner_optimizer
from .watch import Watch

__all__ = ["Watch", "inner_optimizer"]
