"""A model file, part by part: a network, and what stands beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .. import model_file
from ..architecture import below
from ..errors import FileFormatError, OstinatoError


@contextmanager
def damaged(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what a part of a file's document refuses into a FileFormatError that names the file."""
    try:
        yield
    except OstinatoError as error:
        raise FileFormatError(f"{path} is damaged: {error.message}") from None


def check_layers(path: str | os.PathLike[str], tensors: model_file.Tensors, layers: int) -> None:
    """Raise FileFormatError where a file has fewer tensors than layers; before anything is as large as it says."""
    if layers > len(tensors):
        raise FileFormatError(f"{path} is damaged: its sizes are impossible.")


def network_of(
    path: str | os.PathLike[str], tensors: model_file.Tensors, architecture: Any, *others: str
) -> model_file.Tensors:
    """Return the tensors of a network that has a linear part, and maybe others, beside it in a file.

    architecture: what says their shapes. others: names of further tensors. Raises FileFormatError.
    """
    check_layers(path, tensors, architecture.num_layers)
    odd = [name for name in tensors if not name.startswith(("network.", "linear.")) and name not in others]
    if odd:
        raise FileFormatError(f"{path} has a tensor too many: {odd[0]!r:.80}.")
    own = below("network", tensors)
    model_file.check_shapes(path, own, architecture.weight_shapes())
    return own
