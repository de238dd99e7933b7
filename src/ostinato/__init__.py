"""Ostinato: sequence models that carry a state.

Write a recurrence once, as its equations. Train it at the speed of the machine. Run it anywhere, for ever,
in constant memory.

    import ostinato

    model = ostinato.LanguageModel(cell="lstm", time="2m").fit(Path("book.txt"))
    model.save("book.safetensors")
    print(ostinato.load("book.safetensors").generate("Once upon"))

Public: `LanguageModel`, `Forecaster`, `Classifier`, `Tagger`, `Network`, `load`, with torch `accelerate`, and the
modules `ostinato.cells`, `ostinato.engine`, `ostinato.errors` and, with torch, `ostinato.nn`. Importing this loads
neither torch nor NumPy.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .late import when_imported

if TYPE_CHECKING:
    from . import cells, engine, errors, nn
    from .nn.accelerate import accelerate
    from .tasks.classifier import Classifier
    from .tasks.forecast import Forecaster
    from .tasks.language import LanguageModel
    from .tasks.network import Network
    from .tasks.tagger import Tagger

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "Forecaster",
    "LanguageModel",
    "Network",
    "Tagger",
    "accelerate",
    "cells",
    "engine",
    "errors",
    "load",
    "nn",
]

TASKS = {
    "Classifier": "classifier",
    "Forecaster": "forecast",
    "LanguageModel": "language",
    "Network": "network",
    "Tagger": "tagger",
}
"""The file of each task's class."""


def load(path: str | os.PathLike[str]) -> Any:
    """Open a model file and return the model, ready to use: a `LanguageModel`, a `Forecaster`, a `Classifier`, a
    `Tagger` or a `Network`.

    No torch is needed, and no code is run.

    Raises `ostinato.errors.FileFormatError` when the file is missing, damaged, or no model file.
    """
    from .tasks.load import load

    return load(path)


def __getattr__(name: str) -> Any:
    if name in TASKS:
        return getattr(import_module(f".tasks.{TASKS[name]}", __name__), name)
    if name == "accelerate":
        return import_module(".nn.accelerate", __name__).accelerate
    if name in __all__:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module 'ostinato' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def _register_operators() -> None:
    """Make torch know the operators of programs, so that it opens what torch.export saved of a layer."""
    try:
        import_module(".engine.operators", __name__)
    except Exception as error:
        import warnings

        message = f"this torch does not take Ostinato's operators, so that it opens no file that holds them: {error}"
        warnings.warn(message, RuntimeWarning, stacklevel=2)


when_imported("torch", _register_operators)
