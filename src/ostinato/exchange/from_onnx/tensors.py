"""The arrays that an ONNX file holds: their sizes are checked against what is there before memory is taken."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]

FIELDS = {
    "FLOAT": ("float_data", 4),
    "DOUBLE": ("double_data", 8),
    "FLOAT16": ("int32_data", 2),
    "BFLOAT16": ("int32_data", 2),
    "INT8": ("int32_data", 1),
    "UINT8": ("int32_data", 1),
    "INT16": ("int32_data", 2),
    "UINT16": ("int32_data", 2),
    "INT32": ("int32_data", 4),
    "UINT32": ("uint64_data", 4),
    "INT64": ("int64_data", 8),
    "UINT64": ("uint64_data", 8),
    "BOOL": ("int32_data", 1),
}
"""The types that are read: the field that holds numbers which are not raw bytes, and the bytes of one."""
NARROWED = ("DOUBLE", "FLOAT16", "BFLOAT16")
"""Types of weights that become float32."""


def array_of(tensor: onnx.TensorProto, folder: Path) -> Array:
    """Return a tensor's numbers; those of a bfloat16 as float32. folder: where files lie that hold them outside.

    Raises DataError for a type that is not read, sizes that disagree with what is there, or a file elsewhere.
    """
    from onnx import TensorProto, numpy_helper

    kind = type_name(tensor.data_type)
    if kind not in FIELDS:
        raise DataError(f"the tensor {tensor.name!r:.80} has the type {kind}, which is not read")
    field, item = FIELDS[kind]
    count = math.prod(tensor.dims)
    if any(size < 0 for size in tensor.dims) or tensor.HasField("segment"):
        raise DataError(f"the tensor {tensor.name!r:.80} has no valid shape")
    if tensor.data_location == TensorProto.EXTERNAL:
        tensor = _with_bytes(tensor, _outside(tensor, folder, count * item))
    raw = tensor.HasField("raw_data")
    came, expected = (len(tensor.raw_data), count * item) if raw else (len(getattr(tensor, field)), count)
    if came != expected:
        unit = "bytes" if raw else "numbers"
        raise DataError(f"the tensor {tensor.name!r:.80} should have {expected} {unit}, but has {came}")
    array = numpy_helper.to_array(tensor)
    return array.astype(np.float32) if kind == "BFLOAT16" else array


def type_name(number: int) -> str:
    """Return the name of a type of ONNX's tensors."""
    from onnx import TensorProto

    known = number in TensorProto.DataType.values()
    return str(TensorProto.DataType.Name(TensorProto.DataType.ValueType(number))) if known else f"number {number}"


def text_of(value: str | bytes) -> str:
    """Return a text of a file; one that is not valid UTF-8 comes as bytes."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def _with_bytes(tensor: onnx.TensorProto, content: bytes) -> onnx.TensorProto:
    from onnx import TensorProto

    return TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, raw_data=content)


def _outside(tensor: onnx.TensorProto, folder: Path, size: int) -> bytes:
    """Return a tensor's bytes that lie in a file beside the model's."""
    facts = {text_of(entry.key): text_of(entry.value) for entry in tensor.external_data}
    title = f"the tensor {tensor.name!r:.80}"
    location = facts.get("location", "")
    try:
        offset, length = int(facts.get("offset") or 0), int(facts.get("length") or size)
    except ValueError:
        raise DataError(f"{title} says no place in its file") from None
    if length != size or offset < 0:
        raise DataError(f"{title} should have {size} bytes, but has {length}")
    path = _beside(folder, location)
    if path is None:
        raise DataError(f"{title} lies in {location!r:.80}, outside of the model's folder; such files are not opened")
    try:
        if offset + size > os.path.getsize(path):
            raise DataError(f"{title} lies in {location!r:.80}, which ends before it does")
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(size)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"{title} lies in {location!r:.80}, which cannot be read: {reason}") from None


def _beside(folder: Path, location: str) -> Path | None:
    """Return the file of that name if it lies in the folder or below it, links followed; None if not."""
    if not location or "\0" in location or os.path.isabs(location):
        return None
    inside, path = os.path.realpath(folder), os.path.realpath(folder / location)
    if os.path.exists(path) and not os.path.isfile(path):
        return None
    return Path(path) if os.path.commonpath([inside, path]) == inside else None
