"""Keras 3's files, `.keras` and `.weights.h5`, read as data; Keras itself is not run."""

from __future__ import annotations

import os
from typing import Any

from ...errors import DataError, FileFormatError, OptionError
from ...extras import require
from ..description import parse
from ..imported import Imported
from ..weight_groups import Weights, describe, guess, kept
from .file import HDF5_MAGIC, Store, content_of, damaged, opened, unpacked
from .groups import groups_of
from .layers import Reader
from .model import MODELS, layer_of, layers_of

EPSILON = 1e-3
"""What Keras's normalisations add to a variance unless they are told otherwise."""
TRAINING_ALONE = "/seed_generator/"
"""Where the state of random generators lies, which act in training alone."""


def read_keras(path: str | os.PathLike[str], layers: str | None = None) -> Imported:
    """Return the model of a `.keras` file, or of a `.weights.h5`, which holds no config.

    layers: what a `.weights.h5` is made of, as `description` has it; None reads it off the file, where its layers fit
    together in one way alone, each as Keras makes it unless it is told otherwise.

    Raises DataError naming each layer that cannot be imported, and why; FileFormatError for a file that is damaged or
    of another format; OptionError for a description that is none, or that no file needs; MissingExtraError without
    h5py.
    """
    require("h5py", "keras")
    content = content_of(path)
    if content.startswith(HDF5_MAGIC):
        with opened(path, content) as store:
            return _read_weights(path, store, layers)
    config, weights = unpacked(path, content)
    if layers is not None:
        raise OptionError(f"{path} says itself what its layers are.", "leave the description out.")
    with opened(path, weights) as store:
        return _read_model(path, config, store)


def _read_model(path: str | os.PathLike[str], config: Any, store: Store) -> Imported:
    """Return the model of a config and its variables."""
    try:
        model = layer_of(config)
    except DataError as error:
        raise damaged(path, error.message.rstrip(".")) from None
    if model.class_name not in MODELS or not model.is_kerass:
        raise DataError(
            f"{path} holds a model of the class {model.class_name:.60}, whose code is not in the file.",
            f"models that can be imported are {' and '.join(MODELS)}.",
        )
    reader = Reader(store)
    try:
        for placed in list(layers_of(model, reader.chain.refuse)):
            reader.read(placed)
    except RecursionError:
        raise damaged(path, "its config is nested without end") from None
    found = reader.finish().finish()
    unread = [name for name in store.paths() if name not in store.used and TRAINING_ALONE not in name]
    if unread:
        raise damaged(path, f"it holds variables that no layer of its config has: {', '.join(unread[:8])}")
    return found


def _read_weights(path: str | os.PathLike[str], store: Store, layers: str | None) -> Imported:
    """Return the model of variables alone."""
    if store.is_legacy:
        raise FileFormatError(
            f"{path} is a whole model in the older HDF5 format.",
            "save it again with Keras 3: keras.models.load_model('model.h5').save('model.keras')",
        )
    words, notes = None if layers is None else parse(layers), list[str]()
    paths = [name for name in store.paths() if TRAINING_ALONE not in name]
    arrays = {name.removeprefix("layers/"): store.variable(name) for name in paths}
    groups, unknown = groups_of(kept(words or [], arrays, notes))
    if unknown:
        raise DataError(
            "\n  ".join(["variables that cannot be imported:", *unknown]),
            "save the whole model: model.save('model.keras'); or leave them out: --layers \"… skip=name\"",
        )
    if store.converted:
        notes.append(f"weights were converted to float32 from {', '.join(sorted(store.converted))}.")
    if any(group.recurrent for group in groups):
        notes.append("recurrent layers were taken to have the activations that Keras gives them by itself.")
    weights = Weights(groups, False, EPSILON, notes)
    return guess(weights) if words is None else describe(words, weights)
