"""Runs a model's weights without torch: whole sequences, single steps, and streams that go on for ever."""

from .feedforward import Feedforward
from .model import Model
from .pool import Pool
from .stack import Stack
from .stream import Stream
from .symbols import SymbolRuntime

__all__ = ["Feedforward", "Model", "Pool", "Stack", "Stream", "SymbolRuntime"]
