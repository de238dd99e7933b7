"""Opening a model file as the task that it was made by."""

from __future__ import annotations

import os

from .. import model_file
from ..errors import FileFormatError
from . import classifier, forecast, language, network, tagger
from .classifier import Classifier
from .forecast import Forecaster
from .language import LanguageModel
from .network import Network
from .tagger import Tagger

Model = LanguageModel | Forecaster | Classifier | Tagger | Network
MODELS: dict[str, type[LanguageModel] | type[Forecaster] | type[Classifier] | type[Tagger] | type[Network]] = {
    language.TASK: LanguageModel,
    forecast.TASK: Forecaster,
    classifier.TASK: Classifier,
    tagger.TASK: Tagger,
    network.TASK: Network,
}
"""The task's class for each kind of model file."""


def load(path: str | os.PathLike[str]) -> Model:
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
