"""A stream's state as bytes: bound to its model, and refused when a bit of it has changed.

magic     16 bytes   "ostinato stream" and the format's version
model     32 bytes   the model's digest
steps      8 bytes   how many were taken, little-endian
values               the last output, then each state of each layer, little-endian, in the model's type
digest    32 bytes   SHA-256 over all that stands before it
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError

Array = NDArray[Any]
MAGIC = b"ostinato stream\x01"
_HEAD, _DIGEST = len(MAGIC) + 32 + 8, 32


class Snapshot(NamedTuple):
    """What a snapshot holds: the steps that were taken, the last output (None before the first), and the states."""

    steps: int
    output: Array | None
    states: list[Array]


def to_bytes(model: bytes, snapshot: Snapshot) -> bytes:
    """Return a snapshot's bytes. model: the digest of the model."""
    arrays = [*([] if snapshot.output is None else [snapshot.output]), *snapshot.states]
    values = b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays)
    content = MAGIC + model + snapshot.steps.to_bytes(8, "little") + values
    return content + hashlib.sha256(content).digest()


def from_bytes(content: bytes, model: bytes, like: Sequence[Array], output: Array) -> Snapshot:
    """Read a snapshot. like, output: states and an output whose shapes and type those of the snapshot are.

    Raises FileFormatError when it is no snapshot, damaged, of a newer version, or of another model.
    """
    if not content.startswith(MAGIC[:-1]):
        raise FileFormatError("this is no snapshot of a stream.")
    if content[: len(MAGIC)] != MAGIC:
        raise FileFormatError("this snapshot is of a newer version.", "install a newer Ostinato.")
    if len(content) < _HEAD + _DIGEST or hashlib.sha256(content[:-_DIGEST]).digest() != content[-_DIGEST:]:
        raise FileFormatError("this snapshot is damaged: its contents do not match their digest.", "begin anew.")
    if content[len(MAGIC) : len(MAGIC) + 32] != model:
        raise FileFormatError("this snapshot is of another model.", "restore it with the model that made it.")
    steps = int.from_bytes(content[_HEAD - 8 : _HEAD], "little")
    shapes = [part.shape for part in ([output, *like] if steps else like)]
    sizes = [math.prod(shape) for shape in shapes]
    if len(content) != _HEAD + sum(sizes) * output.itemsize + _DIGEST:
        raise FileFormatError("this snapshot is damaged: its sizes are not the model's.", "begin anew.")
    values = np.frombuffer(content[_HEAD:-_DIGEST], output.dtype.newbyteorder("<")).astype(output.dtype)
    pieces = np.split(values, np.cumsum(sizes)[:-1])
    arrays = [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)] if shapes else []
    return Snapshot(steps, arrays[0] if steps else None, arrays[1:] if steps else arrays)
