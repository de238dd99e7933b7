"""What a tagger's file says beside its weights, and whether what it says fits together."""

from __future__ import annotations

import os
from typing import Annotated, Any

import msgspec
import numpy as np

from .. import model_file
from ..data.classes import Classes
from ..data.spellings import SpellingEncoder
from ..data.tag_schemes import checked_legal
from ..data.word_features import WordFeatures
from ..errors import FileFormatError, OstinatoError
from ..tag_architecture import TagArchitecture
from .label_file import DataRecord, Figures
from .parts import check_layers, damaged
from .tagger_options import TaggerOptions


class Document(msgspec.Struct, frozen=True):
    """What a tagger's file says beside its weights.

    scheme: how tags mark entities; None where they do not. sharpness: what log-probabilities are multiplied with, so
    that they mean what they say (`evaluate.mixture`). discount: what is taken off log p of O before tags are chosen.
    metrics: figures on the sentences held out.
    """

    versions: dict[str, str]
    options: TaggerOptions
    encoder: SpellingEncoder
    features: WordFeatures | None
    tags: Classes
    scheme: str | None
    architecture: dict[str, Any]
    sharpness: Annotated[float, msgspec.Meta(ge=0, le=1e6)]
    discount: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    data: DataRecord
    history: list[dict[str, int | float]]
    metrics: Figures


def check_document(path: str | os.PathLike[str], document: Document) -> TagArchitecture:
    """Return the architecture. Raises FileFormatError where it, options, encoder and tags contradict each other."""
    with damaged(path):
        document.options.check()
        architecture = TagArchitecture.from_data(document.architecture)
    network, encoder = architecture.network, document.encoder
    embedding, spelling = network.embedding, network.spelling
    same = (
        architecture.outputs == len(document.tags) and not document.tags.several,
        not network.poolings and not network.reads,
        embedding is not None and embedding.vocabulary_size == encoder.words.size,
        spelling is not None and spelling.characters == encoder.characters.size,
        architecture.buckets == (0 if document.features is None else document.features.buckets),
    )
    if not all(same):
        raise FileFormatError(f"{path} is damaged: its sizes do not fit each other.")
    return architecture


def check_weights(path: str | os.PathLike[str], tensors: model_file.Tensors, architecture: TagArchitecture) -> None:
    """Raise FileFormatError unless the weights are those of the architecture, and leave every sentence a path."""
    check_layers(path, tensors, architecture.network.num_layers)
    model_file.check_shapes(path, tensors, architecture.weight_shapes())
    if architecture.crf:
        try:
            checked_legal(np.asarray(tensors["crf.legal"]) > 0.5, architecture.outputs)
        except (OstinatoError, TypeError) as error:
            raise FileFormatError(f"{path} is damaged: {error}") from None
