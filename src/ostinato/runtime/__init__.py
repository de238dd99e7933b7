"""Runs a model's weights without torch."""

from .symbols import SymbolRuntime

__all__ = ["SymbolRuntime"]
