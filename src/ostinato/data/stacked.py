"""Tables put one below the other, as one source: files of the same columns, or a table and its known future."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import Kind
from .origin import joined
from .report import listed
from .source import Cells, Source


class Stacked:
    """A column of several tables; where one has no such column its values are missing."""

    def __init__(self, name: str, sources: Sequence[Source]) -> None:
        self.name = name
        self.sources = sources
        self.parts = [source.columns.get(name) for source in sources]

    @property
    def kind(self) -> Kind:
        """What the parts hold; text where one does and others hold numbers."""
        kinds = [part.kind for part in self.parts if part]
        order: tuple[Kind, ...] = ("other", "time", "text", "number")
        return next(kind for kind in order if kind in kinds)

    @property
    def looks_like_times(self) -> bool:
        """Whether the parts hold timestamps."""
        return all(part.looks_like_times for part in self.parts if part)

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The values [N]."""
        parts = zip(self.parts, self.sources, strict=True)
        return np.concatenate([part.numbers if part else np.full(source.length, np.nan) for part, source in parts])

    @property
    def categories(self) -> tuple[NDArray[np.float64], list[str]]:
        """Places among the texts of all parts, which are sorted."""
        parts = [part.categories if part else None for part in self.parts]
        names = sorted({name for part in parts if part for name in part[1]})
        lengths = [source.length for source in self.sources]
        return np.concatenate([_placed(part, names, n) for part, n in zip(parts, lengths, strict=True)]), names

    @property
    def ids(self) -> tuple[NDArray[np.int64], list[str]]:
        """The number of each row's series in order of first appearance, and the names."""
        parts = [part.ids for part in self._whole()]
        names = list(dict.fromkeys(name for _, part in parts for name in part))
        places = {name: place for place, name in enumerate(names)}
        recoded = [np.array([places[name] for name in part], np.int64)[codes] for codes, part in parts]
        return np.concatenate(recoded), names

    @property
    def times(self) -> tuple[NDArray[Any], str | None]:
        """The times [N]; raises DataError where parts have different kinds of them."""
        parts = [part.times for part in self._whole()]
        first, zone = parts[0]
        for (times, other), source in zip(parts, self.sources, strict=True):
            if other != zone or times.dtype != first.dtype:
                raise source.origin.error(
                    f"its times are not of the kind of those of {self.sources[0].origin.title}.",
                    "give all of them with offsets or none, all as timestamps or all as whole numbers.",
                    column=self.name,
                )
        return np.concatenate([times for times, _ in parts]), zone

    def _whole(self) -> list[Cells]:
        """Return the parts; raise DataError where a table lacks the column."""
        for part, source in zip(self.parts, self.sources, strict=True):
            if part is None:
                raise source.origin.error(f"there is no column {self.name!r}.", "every table needs it.")
        return [part for part in self.parts if part]


def stacked(sources: Sequence[Source]) -> Source:
    """Return tables as one; a column that a later one lacks is missing there, which a remark says.

    Raises DataError for a column that the first one lacks.
    """
    first = sources[0]
    remarks = [remark for source in sources for remark in source.remarks]
    for source in sources[1:]:
        new = [name for name in source.columns if name not in first.columns]
        if new:
            raise source.origin.error(
                f"{listed(new)}: no such column in {first.origin.title}.",
                f"its columns are {listed([*first.columns])}.",
            )
        lacking = [name for name in first.columns if name not in source.columns]
        if lacking:
            remarks.append(f"missing in {source.origin.title}: {listed(lacking)}")
    lengths = [source.length for source in sources]
    columns: dict[str, Cells] = {name: Stacked(name, sources) for name in first.columns}
    origin = joined([source.origin for source in sources], lengths)
    return Source(columns, sum(lengths), origin, list(dict.fromkeys(remarks)))


def _placed(part: tuple[NDArray[np.float64], list[str]] | None, names: list[str], length: int) -> NDArray[np.float64]:
    if part is None:
        return np.full(length, np.nan)
    codes, own = part
    places = np.array([*map(names.index, own), np.nan])
    return places[np.where(np.isnan(codes), len(own), codes).astype(np.int64)]
