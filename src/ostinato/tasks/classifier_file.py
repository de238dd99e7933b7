"""What a classifier's file says beside its weights, and whether what it says fits together."""

from __future__ import annotations

import os
from typing import Annotated, Any

import msgspec

from .. import model_file
from ..architecture import below
from ..data.classes import Classes
from ..data.series_encoder import SeriesEncoder
from ..data.spellings import SpellingEncoder
from ..data.text_encoder import TextEncoder
from ..errors import FileFormatError
from ..evaluate.logistic import LinearPart
from ..evaluate.series_baselines import SummaryLogistic
from ..evaluate.text_baselines import TextLogistic
from ..label_architecture import LabelArchitecture
from .classifier_options import ClassifierOptions
from .label_file import DataRecord, Figures
from .parts import damaged


class Document(msgspec.Struct, frozen=True):
    """What a classifier's file says beside its weights.

    weights: of the network, and of the linear part where there is one, in what they say together (`evaluate.mixture`).
    linear: what the linear part looks at; None where there is none. metrics: figures on the examples held out.
    """

    versions: dict[str, str]
    options: ClassifierOptions
    encoder: TextEncoder | SeriesEncoder
    classes: Classes
    architecture: dict[str, Any]
    weights: Annotated[list[Annotated[float, msgspec.Meta(ge=0, le=1e6)]], msgspec.Meta(min_length=1, max_length=2)]
    linear: str | None
    data: DataRecord
    history: list[dict[str, int | float]]
    metrics: Figures


def check_document(path: str | os.PathLike[str], document: Document) -> LabelArchitecture:
    """Return the architecture. Raises FileFormatError where it, options, encoder and classes contradict each other."""
    with damaged(path):
        document.options.check()
        architecture = LabelArchitecture.from_data(document.architecture)
    encoder, embedding = document.encoder, architecture.embedding
    words = encoder.words if isinstance(encoder, SpellingEncoder) else encoder
    spelling = architecture.spelling
    same = (
        architecture.outputs == len(document.classes),
        bool(architecture.poolings),
        len(document.weights) == (1 if document.linear is None else 2),
        (architecture.reads or None) == (encoder.size if isinstance(encoder, SeriesEncoder) else None),
        (None if embedding is None else embedding.vocabulary_size)
        == (None if isinstance(words, SeriesEncoder) else words.size),
        (None if spelling is None else spelling.characters)
        == (encoder.characters.size if isinstance(encoder, SpellingEncoder) else None),
    )
    if not all(same):
        raise FileFormatError(f"{path} is damaged: its sizes do not fit each other.")
    return architecture


def linear_of(path: str | os.PathLike[str], tensors: model_file.Tensors, document: Document) -> LinearPart[Any] | None:
    """Return the linear part of a file; None where it has none. Raises FileFormatError."""
    own, classes = below("linear", tensors), document.classes
    match document.linear, document.encoder:
        case None, _ if own:
            raise FileFormatError(f"{path} has tensors of a linear part, but says that there is none.")
        case None, _:
            return None
        case "words" | "characters" as grams, encoder if not isinstance(encoder, SeriesEncoder):
            return TextLogistic.from_tensors(path, own, len(classes), grams, several=classes.several)
        case "summaries", SeriesEncoder() as encoder:
            channels = len(encoder.channels)
            return SummaryLogistic.from_tensors(path, own, len(classes), channels, several=classes.several)
        case _:
            raise FileFormatError(f"{path} is damaged: its linear part is not of what it reads.")


def kind_of_linear(linear: LinearPart[Any] | None) -> str | None:
    """Return what a linear part looks at, for a file."""
    return linear.grams if isinstance(linear, TextLogistic) else None if linear is None else "summaries"
