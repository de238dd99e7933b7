"""What classifiers and taggers learn from: texts or series with labels, sentences with a tag for each word.

All three count the same way: S examples, of which `places` tells where they came from, and `summary` what they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from .columns import LARGEST
from .labels import Labels, class_counts, described
from .panel import starts_of
from .places import Places, counted
from .report import listed

Numbers = Sequence[int] | NDArray[np.int64]
_NUMBERS = "biuf"
"""Kinds of NumPy's that are numbers."""


@dataclass(frozen=True)
class TextExamples:
    """S texts, each with a label, a list of labels, or none.

    texts: as they were, line ends as one newline; one may be empty. labels: see `Labels`; None where there are none.
    remarks: what was inferred and what was odd, a line each, for a person.
    """

    texts: list[str]
    labels: Labels | None
    places: Places
    remarks: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def summary(self) -> list[str]:
        """How many texts there are and how long, and how many of each class, a line each."""
        lengths = np.array([len(text) for text in self.texts])
        lines = [f"{len(self):,} texts{_span(lengths, 'characters')}", *_classes(self.labels)]
        empty = int((lengths == 0).sum())
        return [*lines, f"texts that are empty: {empty:,}"] if empty else lines

    def select(self, examples: Numbers) -> TextExamples:
        """Return some of the texts, by number, in the order given."""
        return TextExamples(
            [self.texts[example] for example in examples],
            _selected(self.labels, examples),
            self.places.select(examples),
        )


@dataclass(frozen=True)
class SeriesExamples:
    """S series of numbers, one after the other, each with a label, a list of labels, or none.

    values: [N, D], N rows in all; not-a-number is missing. starts: where each series' rows begin, and where the last
    one's end, int64 [S + 1]. channels: the names of the D columns. ids: the names of the series, where they have some.
    """

    values: NDArray[np.float64]
    starts: NDArray[np.int64]
    labels: Labels | None
    channels: list[str]
    places: Places
    ids: list[str] | None = None
    remarks: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of rows of each series [S]."""
        return np.diff(self.starts)

    def series(self, example: int) -> NDArray[np.float64]:
        """Return the values of one series [T, D]."""
        return self.values[self.starts[example] : self.starts[example + 1]]

    @property
    def summary(self) -> list[str]:
        """How many series there are, how long and of what, what is missing, and how many of each class."""
        lines = [f"{len(self):,} series{_span(self.lengths, 'steps')}", f"channels: {listed(self.channels)}"]
        gone = np.isnan(self.values).sum(axis=0)
        if gone.any():
            shares = [
                f"{name} {count:,} ({100 * count / len(self.values):.2g} %)"
                for name, count in zip(self.channels, gone.tolist(), strict=True)
                if count
            ]
            lines.append(f"missing values: {listed(shares)}")
        return [*lines, *_classes(self.labels)]

    def select(self, examples: Numbers) -> SeriesExamples:
        """Return some of the series, by number, in the order given."""
        chosen = np.asarray(examples, np.int64)
        lengths = self.lengths[chosen]
        starts = starts_of(lengths)
        rows = np.arange(starts[-1]) + np.repeat(self.starts[chosen] - starts[:-1], lengths)
        return SeriesExamples(
            self.values[rows],
            starts,
            _selected(self.labels, chosen),
            self.channels,
            self.places.select(chosen),
            None if self.ids is None else [self.ids[example] for example in chosen],
        )


@dataclass(frozen=True)
class TaggedSentences:
    """S sentences, each a list of words, with a tag for each word or none at all.

    ids: the names of the sentences, where they have some. left_out: how many lines of each kind are no words.
    """

    words: list[list[str]]
    tags: list[list[str]] | None
    places: Places
    ids: list[str] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def summary(self) -> list[str]:
        """How many sentences and words there are, how many of each tag, and what was left out."""
        lengths = np.array([len(sentence) for sentence in self.words])
        lines = [f"{len(self):,} sentences{_span(lengths, 'words')}, {int(lengths.sum()):,} words"]
        if self.tags is not None:
            counts = class_counts(tag for sentence in self.tags for tag in sentence)
            lines.append(described(counts, "tags"))
        gone = [f"{count:,} {name}" for name, count in self.left_out.items() if count]
        return [*lines, f"left out: {listed(gone)}"] if gone else lines

    def select(self, examples: Numbers) -> TaggedSentences:
        """Return some of the sentences, by number, in the order given."""
        return TaggedSentences(
            [self.words[example] for example in examples],
            None if self.tags is None else [self.tags[example] for example in examples],
            self.places.select(examples),
            None if self.ids is None else [self.ids[example] for example in examples],
        )


def series_of_arrays(data: Any, places: Places | None = None) -> SeriesExamples:
    """Return arrays as series without labels: [S, T, D] or [S, T], or a list of arrays [T, D] or [T], one a series.

    Channels are called "1", "2", …. places: where the series came from, by default from no file.

    Raises ShapeError for other shapes or what is not made of numbers, and DataError for a value that is infinite or
    beyond 1e30.
    """
    if isinstance(data, np.ndarray) and data.ndim not in ((2, 3) if data.dtype != object else (1, 2, 3)):
        raise ShapeError(
            f"expected series [S, T, D] or [S, T], got {list(data.shape)}.", "give one series [T] or [T, D] in a list."
        )
    if isinstance(data, np.ndarray) and data.dtype.kind in _NUMBERS:
        block = data[:, :, None] if data.ndim == 2 else data
        arrays = [block.reshape(len(block) * block.shape[1], block.shape[2])]
        lengths, widths = [block.shape[1]] * len(block), {block.shape[2]}
    else:
        arrays = [_matrix(item, number) for number, item in enumerate(data)]
        lengths, widths = [len(array) for array in arrays], {array.shape[1] for array in arrays}
    if not lengths or len(widths) != 1 or 0 in widths:
        found = ", ".join(map(str, sorted(widths))) if lengths else "no series"
        raise ShapeError(
            f"expected series [T, D] of one width D from 1 on, got {found}.", "give all the same channels."
        )
    values = np.concatenate(arrays, dtype=np.float64)
    channels = [str(number) for number in range(1, values.shape[1] + 1)]
    places = counted("series", len(lengths)) if places is None else places
    return checked(SeriesExamples(values, starts_of(np.array(lengths)), None, channels, places))


def _matrix(item: Any, number: int) -> NDArray[Any]:
    try:
        array = np.asarray(item)
    except ValueError:
        array = np.empty(1, object)
    if array.dtype.kind not in _NUMBERS or array.ndim not in (1, 2):
        raise ShapeError(
            f"expected numbers [T] or [T, D] for series {number:,} (from 0), got {array.dtype} {list(array.shape)}.",
            "write missing values as nan; many series are an array [S, T, D] or a list of arrays.",
        )
    return array[:, None] if array.ndim == 1 else array


def checked(series: SeriesExamples) -> SeriesExamples:
    """Return the series; raise DataError where a value is infinite or beyond 1e30."""
    large = (series.values > LARGEST) | (series.values < -LARGEST)
    if large.any():
        row, channel = (int(axis[0]) for axis in np.nonzero(large))
        example = int(np.searchsorted(series.starts, row, side="right")) - 1
        step = row - int(series.starts[example]) + 1
        value = series.values[row, channel]
        fact = "an infinite value" if np.isinf(value) else f"{value:g} is too large; 1e30 is the limit"
        raise series.places.error(
            example,
            f"step {step:,}, channel {series.channels[channel]!r}: {fact}.",
            "correct it, leave it missing, or give the channel in a larger unit.",
        )
    return series


def _span(lengths: NDArray[Any], unit: str) -> str:
    if not len(lengths):
        return ""
    shortest, longest = int(lengths.min()), int(lengths.max())
    return f" of {shortest:,} to {longest:,} {unit}" if shortest < longest else f" of {longest:,} {unit}"


def _classes(labels: Labels | None) -> list[str]:
    if labels is None:
        return []
    lines = [described(class_counts(labels))]
    if labels and isinstance(labels[0], list):
        sizes = [len(several) for several in labels]
        lines.append(f"labels of one example: {min(sizes)} to {max(sizes)}, {sum(sizes) / len(sizes):.3g} on average")
    return lines


def _selected(labels: Labels | None, examples: Numbers) -> Labels | None:
    return None if labels is None else [labels[example] for example in examples]  # type: ignore[return-value]
