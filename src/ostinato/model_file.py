"""The one-file format: a safetensors file whose metadata holds one JSON document.

``ostinato``: the document, a JSON object with ``format`` (this format's version) and ``kind`` (what the
file is: a task's model, or a checkpoint), the rest being the kind's own. ``digest``: SHA-256 over the
document and every tensor's name, type, shape and bytes.

A matrix may be stored in fewer bytes (`ostinato.stored`): as BF16, or as I8 beside an F32 tensor ``<name>.scale`` with
a scale a row.

Nothing in a file is ever run. Everything is checked before it is used, and nothing is allocated on
the word of the document: its sizes must agree with tensors that the file really holds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import safetensors
from numpy.typing import NDArray

from .errors import FileFormatError
from .files import write_atomically
from .stored import KINDS, StoredMatrix

FORMAT = 1
"""The version of the format that this code writes, and the newest that it reads."""

MAX_HEADER_BYTES = 64 * 2**20
_DTYPES = {
    "F32": np.float32,
    "F64": np.float64,
    "I64": np.int64,
    "U8": np.uint8,
    "I8": np.int8,
    "BF16": np.uint16,
}
SCALE = ".scale"
"""What follows a matrix's name in that of its scales."""
_DAMAGED = "restore the file from a copy, or train it again."

Tensors = dict[str, Any]
"""By name: arrays, and matrices in fewer bytes."""
Document = TypeVar("Document")


class _Raw(NamedTuple):
    """A tensor as it lies in the file. dtype: safetensors' name for what its elements are."""

    dtype: str
    array: NDArray[Any]


def write(path: str | os.PathLike[str], kind: str, document: Any, tensors: Mapping[str, Any]) -> None:
    """Write a document (anything msgspec can encode as an object) and tensors, atomically.

    Raises OSError when the file cannot be written; an older file at `path` is then untouched.
    """
    body = {"format": FORMAT, "kind": kind} | msgspec.to_builtins(document)
    text = msgspec.json.encode(body).decode()
    raw = dict(_raw_tensors(tensors))
    specs = {name: _spec(tensor) for name, tensor in raw.items()}
    metadata = {"ostinato": text, "digest": _digest(text, raw)}
    write_atomically(path, safetensors.serialize(specs, metadata))


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
    raw = _read_tensors(path, content)
    if metadata.get("digest") != _digest(text, raw):
        raise FileFormatError(f"{path} is damaged: its contents do not match their digest.", _DAMAGED)
    return document, _tensors(path, raw)


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
        if not (tensor.is_finite() if isinstance(tensor, StoredMatrix) else np.isfinite(tensor).all()):
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


def _raw_tensors(tensors: Mapping[str, Any]) -> Iterator[tuple[str, _Raw]]:
    for name, tensor in tensors.items():
        if isinstance(tensor, StoredMatrix):
            yield name, _Raw(tensor.kind, np.ascontiguousarray(tensor.values))
            if tensor.scales is not None:
                yield name + SCALE, _Raw(tensor.scales.dtype.name, np.ascontiguousarray(tensor.scales))
        else:
            array = np.asarray(tensor, order="C")
            yield name, _Raw(array.dtype.name, array)


def _spec(tensor: _Raw) -> Any:
    """Describe a tensor, which must live on, to safetensors."""
    array = tensor.array
    return safetensors.TensorSpec(
        dtype=tensor.dtype, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes
    )


def _read_tensors(path: str | os.PathLike[str], content: bytes) -> dict[str, _Raw]:
    try:
        entries = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
        return {name: _raw(path, name, entry) for name, entry in entries}
    except safetensors.SafetensorError as error:
        raise FileFormatError(f"{path} is damaged: {error}.", _DAMAGED) from None


def _raw(path: str | os.PathLike[str], name: str, entry: Mapping[str, Any]) -> _Raw:
    dtype = _DTYPES.get(entry["dtype"])
    if dtype is None:
        raise FileFormatError(
            f"{path}: tensor {name!r:.80} has type {entry['dtype']}, which no file of ours has.", _DAMAGED
        )
    try:
        array = np.frombuffer(entry["data"], dtype).reshape(entry["shape"])
    except ValueError as error:
        raise FileFormatError(f"{path} is damaged: tensor {name!r:.80}: {error}.", _DAMAGED) from None
    return _Raw("bfloat16" if entry["dtype"] == "BF16" else array.dtype.name, array)


def _tensors(path: str | os.PathLike[str], raw: Mapping[str, _Raw]) -> Tensors:
    """Return tensors, of which those that are matrices in fewer bytes are such matrices."""
    scales = {name + SCALE for name, tensor in raw.items() if tensor.dtype == "int8"}
    tensors: Tensors = {}
    for name, (dtype, array) in raw.items():
        if dtype in KINDS:
            scale = raw.get(name + SCALE) if dtype == "int8" else None
            if array.ndim != 2 or (dtype == "int8" and not _is_scale(scale, len(array))):
                raise FileFormatError(f"{path} is damaged: tensor {name!r:.80} is no matrix of {dtype}.", _DAMAGED)
            tensors[name] = KINDS[dtype](array, scale.array if scale else None)
        elif name not in scales:
            tensors[name] = array
    return tensors


def _is_scale(tensor: _Raw | None, rows: int) -> bool:
    return tensor is not None and tensor.dtype == "float32" and tensor.array.shape == (rows,)


def _digest(text: str, tensors: Mapping[str, _Raw]) -> str:
    digest = hashlib.sha256(text.encode(errors="surrogatepass"))
    for name, (dtype, array) in sorted(tensors.items()):
        kind = dtype if dtype == "bfloat16" else array.dtype.str
        digest.update(f"\0{name}\0{kind}\0{array.shape}\0".encode(errors="surrogatepass"))
        digest.update(array.tobytes())
    return digest.hexdigest()
