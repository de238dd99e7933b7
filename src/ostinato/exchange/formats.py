"""Which reader reads a foreign file: told by how it begins, and by its name where that says nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import DataError, OptionError
from .imported import Imported

HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
SUFFIXES = {
    ".onnx": "onnx",
    ".keras": "keras",
    ".h5": "keras",
    ".hdf5": "keras",
    ".safetensors": "torch",
    ".pt": "torch",
    ".pth": "torch",
    ".bin": "torch",
}
"""The reader for each ending of a file's name."""


def format_of(path: str | os.PathLike[str]) -> str:
    """Return ``"onnx"``, ``"keras"`` or ``"torch"``. Raises DataError for a file that is none of them by its name.

    An HDF5 file is Keras's whatever it is called; a zip file may be Keras's or torch's, but not ONNX.
    """
    with open(path, "rb") as file:
        begins = file.read(8)
    if begins == HDF5:
        return "keras"
    suffix = Path(path).suffix.lower()
    kind = SUFFIXES.get(suffix)
    if kind is None:
        raise DataError(
            f"{path} has no name that says what it is.", f"files that are read end in {', '.join(SUFFIXES)}."
        )
    if kind == "onnx" and begins.startswith(ZIP):
        raise DataError(f"{path} is a zip file, and no ONNX file.", "give a .keras or .pt file its own ending.")
    return kind


def read_file(path: str | os.PathLike[str], layers: str | None = None) -> Imported:
    """Read a foreign file, here and now; `ostinato.exchange.reading` does it in a guarded process.

    layers: what a file that does not say it is made of. Raises OstinatoError for what cannot be read.
    """
    return _READERS[format_of(path)](path, layers)


def _onnx(path: str | os.PathLike[str], layers: str | None) -> Imported:
    from .from_onnx.reader import read_onnx

    if layers is not None:
        raise OptionError("an ONNX file says itself what its layers are.", "leave the description out.")
    return read_onnx(path)


def _keras(path: str | os.PathLike[str], layers: str | None) -> Imported:
    from .from_keras.reader import read_keras

    return read_keras(path, layers)


def _torch(path: str | os.PathLike[str], layers: str | None) -> Imported:
    from .from_torch.reader import read_torch

    return read_torch(path, layers)


_READERS: dict[str, Callable[[str | os.PathLike[str], str | None], Imported]] = {
    "onnx": _onnx,
    "keras": _keras,
    "torch": _torch,
}
