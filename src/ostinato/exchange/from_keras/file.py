"""Keras's files as data: the config of a `.keras` archive, and the variables of a `.weights.h5`."""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...errors import FileFormatError, OstinatoError

Array = NDArray[Any]
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_CONFIG_BYTES = 64 * 2**20
MAX_EXPANSION = 20
"""How many times its file's size an archive's member, or the variables of an HDF5 file, may come to."""
MAX_OBJECTS = 200_000
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_DAMAGED = "save the model again: model.save('model.keras')"


def content_of(path: str | os.PathLike[str]) -> bytes:
    """Return a file's bytes. Raises FileFormatError when it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None


def damaged(path: str | os.PathLike[str], what: str) -> FileFormatError:
    """Return the error for a file that is not what Keras writes."""
    return FileFormatError(f"{path} is damaged: {what}.", _DAMAGED)


class _Metadata(msgspec.Struct):
    keras_version: str = ""


def unpacked(path: str | os.PathLike[str], content: bytes) -> tuple[Any, bytes]:
    """Return the config, as plain data, and the HDF5 file that a `.keras` archive holds.

    Raises FileFormatError when it is damaged, of another version, or larger than its size can account for.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            if CONFIG not in names or WEIGHTS not in names:
                lacking = CONFIG if CONFIG not in names else WEIGHTS
                raise FileFormatError(f"{path} is no .keras file: it holds no {lacking}.", _hint(names))
            config = _member(path, archive, CONFIG, MAX_CONFIG_BYTES)
            metadata = _member(path, archive, METADATA, MAX_CONFIG_BYTES) if METADATA in names else b"{}"
            weights = _member(path, archive, WEIGHTS, MAX_EXPANSION * len(content))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error, OSError) as error:
        if isinstance(error, OstinatoError):
            raise
        raise damaged(path, f"its archive cannot be read ({error})") from None
    _check_version(path, _decoded(path, METADATA, metadata, _Metadata).keras_version)
    return _decoded(path, CONFIG, config, Any), weights


def _decoded(path: str | os.PathLike[str], name: str, text: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise damaged(path, f"{name} is not what Keras writes ({error})") from None


def _check_version(path: str | os.PathLike[str], version: str) -> None:
    """Refuse the files of other Kerases, in which the same words mean other things, such as hard_sigmoid."""
    if version and version.split(".")[0] != "3":
        raise FileFormatError(
            f"{path} was written by Keras {version:.20}; files of Keras 3 are read.",
            "load it with Keras 3 and save it again: model.save('model.keras')",
        )


def _hint(names: list[str]) -> str | None:
    if "model.weights.npz" in names:
        return "save the model with its weights as HDF5: model.save('model.keras')"
    if any(name.endswith("data.pkl") for name in names):
        return "this looks like torch's; give it the suffix .pt"
    return None


def _member(path: str | os.PathLike[str], archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    size = archive.getinfo(name).file_size
    if size > most:
        raise damaged(path, f"{name} would come to {size:,} bytes, more than {most:,}")
    return archive.read(name)


@contextmanager
def _library(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn whatever HDF5's library finds wrong within a block into a FileFormatError."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeError, OverflowError) as error:
        if isinstance(error, OstinatoError):
            raise
        raise damaged(path, f"its HDF5 file cannot be read ({str(error)[:200]})") from None


@contextmanager
def opened(path: str | os.PathLike[str], content: bytes) -> Iterator[Store]:
    """Open the HDF5 file that a file is or holds. Raises FileFormatError for one that is none."""
    import h5py  # type: ignore[import-untyped]

    with _library(path):
        file = h5py.File(io.BytesIO(content), "r")
    try:
        yield Store(path, file, len(content))
    finally:
        with _library(path):
            file.close()


class Store:
    """The variables of an open HDF5 file, by the path of the layer they belong to; each is checked before it is read.

    All of it raises FileFormatError where the file is damaged.

    used: the variables that were asked for. converted: the types, other than float32, that were turned into it.
    """

    def __init__(self, path: str | os.PathLike[str], file: Any, size: int) -> None:
        self.path, self.used, self.converted = path, set[str](), set[str]()
        self._file, self._budget = file, MAX_EXPANSION * size

    def name_of(self, layer: str) -> str | None:
        """Return the name that the file gives a layer, if it gives it one."""
        with _library(self.path):
            group = self._group(f"{layer}/vars")
            name = None if group is None else group.attrs.get("name")
        return name if isinstance(name, str) else None

    @property
    def is_legacy(self) -> bool:
        """Whether this is a whole model as Keras 2 wrote it, or its weights."""
        with _library(self.path):
            return any(name in self._file.attrs for name in ("model_config", "layer_names"))

    def variables(self, layer: str, shapes: list[tuple[int | None, ...]]) -> list[Array]:
        """Return a layer's own variables as float32, given the shape of each, None where a size is not known.

        Raises FileFormatError when there are others, or more or fewer.
        """
        with _library(self.path):
            group = self._group(f"{layer}/vars")
            count = 0 if group is None else len(group)
            if count != len(shapes):
                raise damaged(self.path, f"{layer} has {count} variables, where {len(shapes)} were expected")
            return [self._variable(group, f"{layer}/vars/{index}", shape) for index, shape in enumerate(shapes)]

    def variable(self, path: str) -> Array:
        """Return a variable as float32, of whatever shape, by the path that `paths` told."""
        with _library(self.path):
            group = self._group(path.rpartition("/")[0])
            if group is None:
                raise damaged(self.path, f"{path} is no array of this file")
            return self._variable(group, path, None)

    def paths(self) -> dict[str, tuple[int, ...]]:
        """Return the path and the shape of every variable of a layer."""
        found: dict[str, tuple[int, ...]] = {}
        count = 0

        def visit(name: str, thing: Any) -> None:
            nonlocal count
            count += 1
            if count > MAX_OBJECTS:
                raise damaged(self.path, f"it holds more than {MAX_OBJECTS:,} objects")
            if hasattr(thing, "shape") and name.startswith("layers/") and "/vars/" in name:
                found[name] = thing.shape or ()

        with _library(self.path):
            self._file.visititems(visit)
        return found

    def _group(self, path: str) -> Any:
        """Return a group, or None; only what lies in this very file, under its own name."""
        import h5py

        here = self._file
        for name in path.split("/"):
            if here.get(name, getclass=True, getlink=True) is not h5py.HardLink:
                return None
            here = here[name]
            if not isinstance(here, h5py.Group):
                return None
        return here

    def _variable(self, group: Any, path: str, shape: tuple[int | None, ...] | None) -> Array:
        import h5py

        name = path.rpartition("/")[2]
        link = group.get(name, getclass=True, getlink=True)
        dataset = group[name] if link is h5py.HardLink else None
        if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
            raise damaged(self.path, f"{path} is no array of this file")
        came = dataset.shape or ()
        if shape is not None and not _fits(came, shape):
            expected = ", ".join("any" if size is None else str(size) for size in shape)
            raise damaged(self.path, f"{path} should have shape [{expected}], but has {list(came)}")
        if 0 in came:
            raise damaged(self.path, f"{path} has shape {list(came)}, so there is nothing in it")
        self._budget -= math.prod(came) * dataset.dtype.itemsize
        if self._budget < 0:
            raise damaged(self.path, f"{path} is larger than the file can account for")
        self.used.add(path)
        return self._float32(path, dataset)

    def _float32(self, path: str, dataset: Any) -> Array:
        if dataset.attrs.get("dtype") == "bfloat16" and dataset.dtype.itemsize == 2:
            self.converted.add("bfloat16")
            # The upper half of a float32.
            halves: Array = np.frombuffer(np.asarray(dataset[()]).tobytes(), np.uint16).astype(np.uint32)
            return (halves << np.uint32(16)).view(np.float32).reshape(dataset.shape)
        if dataset.dtype.kind != "f" or dataset.dtype.itemsize > 8:
            raise damaged(self.path, f"{path} holds {dataset.dtype}, no floating-point numbers")
        if dataset.dtype != np.float32:
            self.converted.add(str(dataset.dtype))
        with np.errstate(over="ignore"):
            array: Array = np.asarray(dataset[()]).astype(np.float32)
        return array


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(shape) == len(expected) and all(b in (None, a) for a, b in zip(shape, expected, strict=True))
