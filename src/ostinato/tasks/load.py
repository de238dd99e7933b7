"""Opening a model file as the task that it was made by."""

from __future__ import annotations

import os

from .. import model_file
from ..errors import FileFormatError
from . import language, network
from .language import LanguageModel
from .network import Network

MODELS: dict[str, type[LanguageModel] | type[Network]] = {language.TASK: LanguageModel, network.TASK: Network}
"""The task's class for each kind of model file."""


def load(path: str | os.PathLike[str]) -> LanguageModel | Network:
    """Open a model file. Raises FileFormatError."""
    document, tensors = model_file.read(path)
    kind = document["kind"]
    if kind == "checkpoint":
        raise FileFormatError(
            f"{path} is the checkpoint of an unfinished run, not a model.",
            "finish the run: the same command with --resume",
        )
    if kind not in MODELS:
        raise FileFormatError(f"{path} holds a model of the task {kind!r:.40}, which this Ostinato does not know.")
    return MODELS[kind].from_file(path, document, tensors)
