"""torch's state dicts, as `.safetensors` or `.pt`, with a short description of the stack or none."""

from __future__ import annotations

import os

from ...errors import DataError
from ..description import parse
from ..imported import Imported
from ..weight_groups import Weights, describe, guess, kept
from .file import read_tensors
from .groups import groups_of, unwrapped

EPSILON = 1e-5
"""What torch's normalisations add to a variance unless they are told otherwise."""


def read_torch(path: str | os.PathLike[str], layers: str | None = None) -> Imported:
    """Return the model whose state dict a file holds.

    layers: what it is made of, as `description` has it; None reads it off the weights, where they fit together in one
    way alone.

    Raises OptionError for a description that is none, DataError naming what cannot be imported, FileFormatError for a
    damaged file, MissingExtraError for a `.pt` without torch.
    """
    words = None if layers is None else parse(layers)
    tensors = read_tensors(path)
    groups, unknown = groups_of(kept(words or [], unwrapped(tensors.arrays), tensors.notes))
    if unknown:
        raise DataError(
            "\n  ".join(["weights that cannot be imported:", *unknown]),
            'describe the layers, and leave these out if nothing needs them: --layers "… skip=name"',
        )
    weights = Weights(groups, tensors.ordered, EPSILON, tensors.notes)
    return guess(weights) if words is None else describe(words, weights)
