"""Measurements of a PyTorch model while it trains: TEV, gradient variance and norm. Needs PyTorch 2.6 or later."""

from .watch import Watch, inner_optimizer

__all__ = ["Watch", "inner_optimizer"]
