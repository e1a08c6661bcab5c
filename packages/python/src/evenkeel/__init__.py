"""Watches language-model pre-training, and warns before the loss diverges."""

from evenkeel._version import __version__
from evenkeel.api import Api
from evenkeel.delivery.commands import Command
from evenkeel.run import FinishResult, Run, init

__all__ = ["Api", "Command", "FinishResult", "Run", "__version__", "init"]
