"""Matrices in fewer bytes: floats cut in half, or whole numbers of one byte with a scale a row.

They stand where a float32 matrix [O, D] would, in a model file, among a model's weights and in the engine, which
computes with them as they are; `unpacked` is for whatever cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError, closest

Array = NDArray[Any]
Kind = Literal["bfloat16", "int8"]
Contract = Callable[[Array, Array], Array]
"""A product of rows v [..., D] with a matrix's elements [O, D]."""

MOST = 127
"""The largest whole number of a byte's that is used, so that every number's negative is one, too."""
LEAST_SCALED = 1e-35
"""A row of v of smaller values counts as zero, as in `core/bytes.h`."""


class StoredMatrix:
    """A matrix [O, D] of float32 values that lies in memory in another form.

    values [O, D]: its elements as they are stored. scales [O]: what each row is multiplied with, or None.
    """

    kind: ClassVar[Kind]
    code: ClassVar[int]
    """The number of this form in `core/run.h`."""
    dtype = np.dtype(np.float32)
    """What it stands for."""

    def __init__(self, values: Array, scales: Array | None = None) -> None:
        self.values, self.scales = values, scales

    @property
    def shape(self) -> tuple[int, int]:
        """[O, D]."""
        rows, columns = self.values.shape
        return rows, columns

    @property
    def size(self) -> int:
        """O · D."""
        return self.values.size

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""
        return self.values.nbytes + (0 if self.scales is None else self.scales.nbytes)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> Any:
        """Return some rows: of a slice as a matrix like this one."""
        return type(self)(self.values[rows], None if self.scales is None else self.scales[rows])

    def __array__(self, *given: Any, **how: Any) -> Array:
        raise TypeError("a matrix in fewer bytes is no array; unpacked() makes one of it.")

    def copy(self) -> Any:
        """Return one whose memory is its own."""
        return type(self)(self.values.copy(), None if self.scales is None else self.scales.copy())

    def tobytes(self) -> bytes:
        """Return what decides its values."""
        scales = b"" if self.scales is None else self.scales.tobytes()
        return self.kind.encode() + self.values.tobytes() + scales

    def is_finite(self) -> bool:
        """Whether all its values are numbers that a file of ours may hold."""
        raise NotImplementedError

    def take(self, rows: Array) -> Array:
        """Return rows [...] of it, as float32 [..., D]."""
        raise NotImplementedError

    def unpacked(self) -> Array:
        """Return it as a float32 array [O, D]."""
        return self.take(np.arange(len(self)))

    def times(self, contract: Contract, v: Array) -> Array:
        """Return the product of rows v with it, taken by `contract`."""
        raise NotImplementedError


class Bfloat16Matrix(StoredMatrix):
    """The upper halves of floats: eight bits of exponent, seven of fraction. Products are those of the floats."""

    kind = "bfloat16"
    code = 1

    @classmethod
    def of(cls, matrix: Array) -> Bfloat16Matrix:
        """Round a float32 matrix, to even where two are as near."""
        bits = np.ascontiguousarray(matrix, np.float32).view(np.uint32)
        return cls(((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16))

    def is_finite(self) -> bool:
        """Whether no value is infinite or not a number."""
        return not ((self.values & 0x7F80) == 0x7F80).any()

    def take(self, rows: Array) -> Array:
        """Return rows [...] of it, as float32 [..., D]."""
        return (self.values[rows].astype(np.uint32) << 16).view(np.float32)

    def times(self, contract: Contract, v: Array) -> Array:
        """Return the product of rows v with it."""
        return contract(v, self.unpacked())


class Int8Matrix(StoredMatrix):
    """Whole numbers from -127 to 127, and a scale a row. A product turns v into such numbers, too, each row by itself.

    With s = max |v| / 127 and q = v / s, rounded to even: Σ q · values, exactly, times s and the row's scale.
    """

    kind = "int8"
    code = 2

    @classmethod
    def of(cls, matrix: Array) -> Int8Matrix:
        """Round a float32 matrix, each row to the multiples of its own scale."""
        most = np.abs(matrix).max(axis=1, initial=0.0).astype(np.float32)
        scales = np.where(most < LEAST_SCALED, np.float32(0), most / np.float32(MOST))
        steps = np.divide(matrix, scales[:, None], out=np.zeros(matrix.shape, np.float32), where=scales[:, None] > 0)
        return cls(np.rint(steps).astype(np.int8), scales)

    def is_finite(self) -> bool:
        """Whether all scales are numbers, none of them negative, and no value is -128."""
        assert self.scales is not None
        return bool(np.isfinite(self.scales).all() and (self.scales >= 0).all() and (self.values >= -MOST).all())

    def take(self, rows: Array) -> Array:
        """Return rows [...] of it, as float32 [..., D]."""
        assert self.scales is not None
        result: Array = self.values[rows] * self.scales[rows][..., None]
        return result

    def times(self, contract: Contract, v: Array) -> Array:
        """Return the product of rows v with it: in float64, where sums of whole numbers are exact."""
        assert self.scales is not None
        whole, scales = _to_bytes(v)
        total = contract(whole, self.values.astype(np.float64)).astype(np.float32)
        result: Array = total * (self.scales * scales)
        return result


def _to_bytes(v: Array) -> tuple[Array, Array]:
    """Return rows v [..., D] as whole numbers, in float64, and the scale [..., 1] of each; as `core/bytes.h` does."""
    most = np.abs(v).max(axis=-1, keepdims=True, initial=0.0)
    is_number = np.isfinite(most)
    is_scaled = is_number & (most >= LEAST_SCALED)
    factor = np.divide(np.float32(MOST), most, out=np.zeros_like(most), where=is_scaled)
    scales = np.where(is_number, np.where(is_scaled, most / np.float32(MOST), np.float32(0)), np.float32(np.nan))
    return np.where(is_number, np.rint(v * factor), 0.0).astype(np.float64), scales


KINDS: dict[str, type[Bfloat16Matrix] | type[Int8Matrix]] = {"bfloat16": Bfloat16Matrix, "int8": Int8Matrix}
Weight = TypeVar("Weight")


def stored_as(kind: str, weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return weights with every matrix stored in fewer bytes; vectors stay as they are.

    Raises OptionError for an unknown kind, and where a matrix is stored so already.
    """
    if kind not in KINDS:
        raise OptionError(f"matrices cannot be stored as {kind!r:.40}.", closest(kind, KINDS))
    for weight in weights.values():
        if isinstance(weight, StoredMatrix):
            raise OptionError(f"this model's matrices are {weight.kind} already.", "begin with the model as trained.")
    return {name: KINDS[kind].of(weight) if weight.ndim == 2 else weight for name, weight in weights.items()}


def kind_of(weights: Mapping[str, Any]) -> str:
    """Return how a model's matrices are stored: ``"float32"``, ``"bfloat16"`` or ``"int8"``."""
    return next((weight.kind for weight in weights.values() if isinstance(weight, StoredMatrix)), "float32")


def unpacked(weights: Mapping[str, Any]) -> dict[str, Array]:
    """Return weights as float32 arrays."""
    return {n: weight.unpacked() if isinstance(weight, StoredMatrix) else weight for n, weight in weights.items()}


def take(matrix: Any, rows: Array) -> Array:
    """Return rows [...] of a matrix, however it is stored, as [..., D]."""
    result: Array = matrix.take(rows) if isinstance(matrix, StoredMatrix) else matrix[rows]
    return result


def times(contract: Contract, v: Array, matrix: Any) -> Array:
    """Return the product of rows v with a matrix, however it is stored."""
    return matrix.times(contract, v) if isinstance(matrix, StoredMatrix) else contract(v, matrix)


def split(matrix: Any, sizes: Sequence[int]) -> list[Any]:
    """Cut a matrix, or a vector, into pieces of so many rows."""
    ends = np.cumsum([0, *sizes])
    return [matrix[begin:end] for begin, end in pairwise(ends)]


def joined(parts: Sequence[Any]) -> Any:
    """Return matrices of one kind, or arrays, one under the other."""
    first = parts[0]
    if not isinstance(first, StoredMatrix):
        return np.concatenate(parts)
    scales = None if first.scales is None else np.concatenate([part.scales for part in parts])
    return type(first)(np.concatenate([part.values for part in parts]), scales)
