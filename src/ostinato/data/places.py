"""Where examples came from, so that a message can name a file and a line of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError
from .panel import starts_of


@dataclass(frozen=True)
class Places:
    """The places of S examples, one file's after the other's.

    titles: the name of each file; "" for what is no file. units: what is counted in each of them, such as "row" or
    "line"; "" where the file is one example. begins: the number of each one's first example. numbers: the number of
    each example as its file counts them, int64 [S].
    """

    titles: tuple[str, ...]
    units: tuple[str, ...]
    begins: tuple[int, ...]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, example: int) -> str:
        """Return what to call an example's place: "train.tsv, row 17", or "text 3 (from 0)" where there is no file."""
        file = bisect_right(self.begins, example) - 1
        title, unit = self.titles[file], self.units[file]
        if not unit:
            return title
        number = f"{unit} {int(self.numbers[example]):,}"
        return f"{title}, {number}" if title else f"{number} (from 0)"

    def error(self, example: int, fact: str, hint: str) -> DataError:
        """Return the error that a fact about an example is."""
        return DataError(f"{self[example]}: {fact}", hint)

    def select(self, examples: Sequence[int] | NDArray[np.int64]) -> Places:
        """Return the places of some examples, by number, in the order given."""
        chosen = np.asarray(examples, np.int64)
        files = np.searchsorted(self.begins, chosen, side="right") - 1
        begins = np.flatnonzero(np.diff(files, prepend=-1))
        titles = tuple(self.titles[files[begin]] for begin in begins)
        units = tuple(self.units[files[begin]] for begin in begins)
        return Places(titles, units, tuple(map(int, begins)), self.numbers[chosen])


def places_in(title: str, unit: str, numbers: ArrayLike) -> Places:
    """Return the places of examples of one file, or of none where the title is empty."""
    return Places((title,), (unit,), (0,), np.asarray(numbers, np.int64))


def counted(unit: str, count: int) -> Places:
    """Return the places of so many examples that are no file's, counted from 0."""
    return places_in("", unit, np.arange(count))


def whole_files(titles: Sequence[str]) -> Places:
    """Return the places of examples that are a file each."""
    count = len(titles)
    return Places(tuple(titles), ("",) * count, tuple(range(count)), np.zeros(count, np.int64))


def joined_places(parts: Iterable[Places]) -> Places:
    """Return the places of several lots of examples, one after the other."""
    parts = list(parts)
    shifts = starts_of(np.array([len(part) for part in parts], np.int64)).tolist()
    return Places(
        tuple(title for part in parts for title in part.titles),
        tuple(unit for part in parts for unit in part.units),
        tuple(begin + shift for part, shift in zip(parts, shifts, strict=False) for begin in part.begins),
        np.concatenate([part.numbers for part in parts]),
    )
