"""Plain arrays as a source of series: [T] or [T, C], or a list of them, one a series. Neither polars nor narwhals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .columns import Kind, checked_numbers
from .origin import Origin
from .panel import starts_of
from .source import Cells, Source


class Numbers:
    """A column of an array."""

    kind: Kind = "number"
    looks_like_times = False

    def __init__(self, name: str, values: NDArray[np.float64], origin: Origin) -> None:
        self.name = name
        self.origin = origin
        self.numbers = checked_numbers(values, origin, name)

    @property
    def categories(self) -> tuple[NDArray[np.float64], list[str]]:
        """Never asked for: numbers are no categories."""
        raise AssertionError("a column of numbers has no categories")

    @property
    def ids(self) -> tuple[NDArray[np.int64], list[str]]:
        """The number of each row's series, in order of first appearance, and their names."""
        values, firsts, places = np.unique(self._whole("the series"), return_index=True, return_inverse=True)
        order = np.argsort(firsts)
        return np.argsort(order)[places].astype(np.int64), [str(value) for value in values[order]]

    @property
    def times(self) -> tuple[NDArray[Any], str | None]:
        """The column as whole-number times."""
        return self._whole("the time"), None

    def _whole(self, what: str) -> NDArray[np.int64]:
        broken = ~(np.abs(self.numbers) < 2**53) | (self.numbers != np.floor(self.numbers))
        if broken.any():
            row = int(np.argmax(broken))
            fact = f"{self.numbers[row]:g} cannot be {what}."
            raise self.origin.error(fact, "in an array it is a whole number.", row, self.name)
        return self.numbers.astype(np.int64)


def is_arrays(data: Any) -> bool:
    """Return whether data is an array, or a list of numbers or arrays, rather than a table or paths."""
    if isinstance(data, (list, tuple)):
        return all(isinstance(item, (np.ndarray, np.generic, int, float, list, tuple)) for item in data)
    return isinstance(data, np.ndarray)


def source_of_arrays(data: Any) -> Source:
    """Return arrays as columns: "y" for one, "1", "2", … for more; the series of a list are called "1", "2", … too.

    Raises ShapeError for other numbers of dimensions, arrays of different widths or what is not made of numbers.
    """
    many = isinstance(data, (list, tuple)) and any(np.ndim(item) for item in data)
    arrays = [_matrix(item) for item in data] if many else [_matrix(data)]
    widths = sorted({array.shape[1] for array in arrays})
    if len(widths) > 1:
        raise ShapeError(
            f"expected arrays [T, C] of one width C, got widths {', '.join(map(str, widths))}.",
            "every series has the same columns.",
        )
    values = np.concatenate(arrays)
    names = ["y"] if widths == [1] else [str(number) for number in range(1, widths[0] + 1)]
    origin = Origin()
    columns: dict[str, Cells] = {
        name: Numbers(name, np.ascontiguousarray(values[:, place]), origin) for place, name in enumerate(names)
    }
    return Source(columns, len(values), origin, series=_series(arrays) if many else None)


def _matrix(data: Any) -> NDArray[np.float64]:
    try:
        array = np.asarray(data)
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2):
        raise ShapeError(
            f"expected numbers [T] or [T, C], got {array.dtype} {list(array.shape)}.",
            "many series are a list of such arrays; names and times need a frame or a file.",
        )
    return array.astype(np.float64).reshape(len(array), -1) if array.size else np.empty((len(array), 1))


def _series(arrays: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.int64], list[str]]:
    lengths = np.array([len(array) for array in arrays])
    if not lengths.all():
        raise ShapeError(f"series {int(np.argmin(lengths)) + 1} has no values.", "leave it out of the list.")
    return np.repeat(np.arange(len(arrays)), lengths), [str(n) for n in range(1, len(starts_of(lengths)))]
