"""The one-file format: a safetensors file whose metadata holds one JSON document.

``ostinato``: the document, a JSON object with ``format`` (this format's version) and ``kind`` (what the
file is: a task's model, or a checkpoint), the rest being the kind's own. ``digest``: SHA-256 over the
document and every tensor's name, type, shape and bytes.

Nothing in a file is ever run. Everything is checked before it is used, and nothing is allocated on
the word of the document: its sizes must agree with tensors that the file really holds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from .errors import FileFormatError
from .files import write_atomically

FORMAT = 1
"""The version of the format that this code writes, and the newest that it reads."""

MAX_HEADER_BYTES = 64 * 2**20
_DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8}
_DAMAGED = "restore the file from a copy, or train it again."

Tensors = dict[str, NDArray[Any]]
Document = TypeVar("Document")


def write(path: str | os.PathLike[str], kind: str, document: Any, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write a document (anything msgspec can encode as an object) and tensors, atomically.

    Raises OSError when the file cannot be written; an older file at `path` is then untouched.
    """
    body = {"format": FORMAT, "kind": kind} | msgspec.to_builtins(document)
    text = msgspec.json.encode(body).decode()
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    metadata = {"ostinato": text, "digest": _digest(text, arrays)}
    write_atomically(path, safetensors.numpy.save(arrays, metadata))


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Tensors]:
    """Read a file that `write` wrote: the document, as plain data with ``format`` and ``kind``, and the tensors.

    Raises FileFormatError when it is missing, of another format, too new, or damaged.
    """
    content = _content(Path(path))
    metadata = _metadata(path, content)
    text = metadata.get("ostinato")
    if not isinstance(text, str):
        raise FileFormatError(f"{path} is a safetensors file, but not one of Ostinato's.")
    document = _document(path, text)
    tensors = _tensors(path, content)
    if metadata.get("digest") != _digest(text, tensors):
        raise FileFormatError(f"{path} is damaged: its contents do not match their digest.", _DAMAGED)
    return document, tensors


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """Return what an existing file is: ``"language"``, ``"checkpoint"``, …; None for a file that is not Ostinato's."""
    try:
        return str(read(path)[0]["kind"])
    except FileFormatError:
        return None


def decode(path: str | os.PathLike[str], document: dict[str, Any], into: type[Document]) -> Document:
    """Turn a document into its struct, checking every field's type and bounds. Raises FileFormatError."""
    fields = {key: value for key, value in document.items() if key not in ("format", "kind")}
    try:
        return msgspec.convert(fields, into)
    except msgspec.ValidationError as error:
        raise FileFormatError(f"{path}: its document is not valid: {error}.", _DAMAGED) from None


def check_shapes(path: str | os.PathLike[str], tensors: Tensors, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Check that exactly the expected tensors are there, in float32, finite, of the expected shapes.

    Raises FileFormatError otherwise.
    """
    if tensors.keys() != expected.keys():
        odd = sorted(tensors.keys() ^ expected.keys())[0]
        what = "has a tensor too many" if odd in tensors else "lacks a tensor"
        raise FileFormatError(f"{path} {what}: {odd!r:.80}.", _DAMAGED)
    for name, shape in expected.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != np.float32:
            raise FileFormatError(
                f"{path}: tensor {name!r} should be float32 {list(shape)}, but is {tensor.dtype} {list(tensor.shape)}.",
                _DAMAGED,
            )
        if not np.isfinite(tensor).all():
            raise FileFormatError(f"{path}: tensor {name!r} holds values that are not finite.", _DAMAGED)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileFormatError(f"there is no file {path}.", "check the name; train a model with: ostinato fit") from None
    except IsADirectoryError:
        raise FileFormatError(f"{path} is a folder, not a model file.") from None
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None
    return content


def _metadata(path: str | os.PathLike[str], content: bytes) -> dict[str, Any]:
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= size <= MAX_HEADER_BYTES or content[8:9] != b"{":
        raise FileFormatError(f"{path} is not a model file: it is no safetensors file.")
    if size > len(content) - 8:
        raise FileFormatError(f"{path} is damaged: it ends inside its header.", _DAMAGED)
    try:
        header = msgspec.json.decode(content[8 : 8 + size], type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise FileFormatError(f"{path} is damaged: its header is not valid JSON.", _DAMAGED) from None
    metadata = header.get("__metadata__")
    return metadata if isinstance(metadata, dict) else {}


def _document(path: str | os.PathLike[str], text: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise FileFormatError(f"{path} is damaged: its document is not valid JSON.", _DAMAGED) from None
    version = document.get("format")
    if type(version) is not int or not isinstance(document.get("kind"), str):
        raise FileFormatError(f"{path} is damaged: its document has no format version or kind.", _DAMAGED)
    if not 1 <= version <= FORMAT:
        raise FileFormatError(
            f"{path} has format version {version}; this Ostinato reads versions up to {FORMAT}.",
            "install a newer Ostinato: pip install --upgrade ostinato",
        )
    return document


def _tensors(path: str | os.PathLike[str], content: bytes) -> Tensors:
    try:
        entries = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
        return {name: _array(path, name, entry) for name, entry in entries}
    except safetensors.SafetensorError as error:
        raise FileFormatError(f"{path} is damaged: {error}.", _DAMAGED) from None


def _array(path: str | os.PathLike[str], name: str, entry: Mapping[str, Any]) -> NDArray[Any]:
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise FileFormatError(
            f"{path}: tensor {name!r:.80} has type {entry['dtype']}, which no file of ours has.", _DAMAGED
        )
    try:
        return np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
    except ValueError as error:
        raise FileFormatError(f"{path} is damaged: tensor {name!r:.80}: {error}.", _DAMAGED) from None


def _digest(text: str, tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(text.encode(errors="surrogatepass"))
    for name, array in sorted(tensors.items()):
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode(errors="surrogatepass"))
        digest.update(array.tobytes())
    return digest.hexdigest()
