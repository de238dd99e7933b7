"""Examples as a network reads them: some sequences at a time, padded to the longest of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .spellings import SpelledUnits
from .units import Units

Array = NDArray[Any]
Numbers = NDArray[np.int64]


class Spelled(NamedTuple):
    """How the words of a batch are spelled, each different one once: letters [M, U], lengths [U], and for each place of
    the batch the word there, below U [T, B].
    """

    letters: Array
    lengths: Numbers
    words: Numbers


class SequenceBatch(NamedTuple):
    """B sequences: x, numbers [T, B, D] float32 or units [T, B] int32, 0 beyond each of the lengths [B]."""

    x: Array
    lengths: Numbers
    spelled: Spelled | None = None


class Sequences(Protocol):
    """Examples that can be had some at a time, by number."""

    @property
    def lengths(self) -> Numbers:
        """The steps of each of S examples [S]."""
        ...

    @property
    def content(self) -> Array:
        """What the examples hold, one after the other; for a digest."""
        ...

    def take(self, examples: Numbers) -> SequenceBatch:
        """Return some examples as a batch."""
        ...


@dataclass(frozen=True)
class UnitSequences:
    """Texts as units: each an embedding's number."""

    units: Units

    @property
    def lengths(self) -> Numbers:
        """The units of each text [S]."""
        return self.units.lengths

    @property
    def content(self) -> Array:
        """The units of all texts [N]."""
        return self.units.ids

    def take(self, examples: Numbers) -> SequenceBatch:
        """Return some texts as a batch."""
        rows, lengths = rows_of(self.units.starts, examples)
        return SequenceBatch(padded(self.units.ids, rows, lengths), lengths)


@dataclass(frozen=True)
class SpelledSequences:
    """Texts as words with their characters."""

    spelled: SpelledUnits

    @property
    def lengths(self) -> Numbers:
        """The words of each text [S]."""
        return self.spelled.words.lengths

    @property
    def content(self) -> Array:
        """The number and the spelling of all words [N, 2]."""
        return np.stack([self.spelled.words.ids, self.spelled.spelling], axis=1)

    def take(self, examples: Numbers) -> SequenceBatch:
        """Return some texts as a batch; it holds the letters of its own words only."""
        words = self.spelled.words
        rows, lengths = rows_of(words.starts, examples)
        spellings = padded(self.spelled.spelling, rows, lengths)
        distinct, places = np.unique(spellings, return_inverse=True)
        every, spelled_letters = self.spelled.lengths, self.spelled.letters
        if not len(every):
            # No text has a word: one without letters stands where all are padded.
            every, spelled_letters = np.zeros(1, np.int64), np.zeros((1, 1), np.int32)
        known = every[distinct]
        # One letter at least: a layer that reads none has nothing to say.
        letters = spelled_letters[distinct, : max(1, int(known.max(initial=1)))].T
        spelled = Spelled(np.ascontiguousarray(letters), known, places.reshape(spellings.shape))
        return SequenceBatch(padded(words.ids, rows, lengths), lengths, spelled)


@dataclass(frozen=True)
class SeriesSequences:
    """Series as numbers: values [N, D] float32, one series after the other, starts [S + 1]."""

    values: Array
    starts: Numbers

    @property
    def lengths(self) -> Numbers:
        """The steps of each series [S]."""
        return np.diff(self.starts)

    @property
    def content(self) -> Array:
        """The numbers of all series [N, D]."""
        return self.values

    def take(self, examples: Numbers) -> SequenceBatch:
        """Return some series as a batch."""
        rows, lengths = rows_of(self.starts, examples)
        return SequenceBatch(padded(self.values, rows, lengths), lengths)


def shortened(sequences: Sequences, most: int) -> Sequences:
    """Return texts of at most so many units: of a longer one the first half of them and the last. Series stay whole."""
    if isinstance(sequences, SpelledSequences):
        spelled = sequences.spelled
        kept, starts = _ends(spelled.words.starts, most)
        words = Units(spelled.words.ids[kept], starts)
        return SpelledSequences(spelled._replace(words=words, spelling=spelled.spelling[kept]))
    if isinstance(sequences, UnitSequences):
        kept, starts = _ends(sequences.units.starts, most)
        return UnitSequences(Units(sequences.units.ids[kept], starts))
    return sequences


def _ends(starts: Numbers, most: int) -> tuple[Any, Numbers]:
    """Return which units are kept, and where those of each text begin then [S + 1]."""
    lengths = np.diff(starts)
    if not len(lengths) or lengths.max() <= most:
        return slice(None), starts
    place = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    left = np.repeat(lengths, lengths) - place
    is_long = np.repeat(lengths > most, lengths)
    kept = ~is_long | (place < most - most // 2) | (left <= most // 2)
    return kept, np.concatenate([[0], np.cumsum(np.minimum(lengths, most))])


def rows_of(starts: Numbers, examples: Numbers) -> tuple[Numbers, Numbers]:
    """Return where each of some examples begins [B], and its length [B]."""
    begins = starts[:-1][examples]
    return begins, starts[1:][examples] - begins


def padded(values: Array, begins: Numbers, lengths: Numbers) -> Array:
    """Return the values [T, B, …] of sequences that begin at some rows of all values [N, …], 0 beyond each length."""
    # One step at least, so that a batch of empty sequences is a batch.
    steps = np.arange(max(1, int(lengths.max(initial=1))))[:, None]
    is_there = steps < lengths
    if not len(values):
        return np.zeros((*is_there.shape, *values.shape[1:]), values.dtype)
    found = values[np.where(is_there, begins + steps, 0)]
    found[~is_there] = 0
    return found


class ByLength:
    """Batches of sequences of about the same length, so that little is padded; each epoch other ones.

    In each epoch the sequences are shuffled, sorted by length within runs of `POOL` batches, cut into batches, and
    these shuffled. Which examples a step sees depends on the seed and the step alone.

    lengths: of each example that is learned from. examples: their numbers. size: B.
    """

    POOL = 50

    def __init__(self, lengths: Numbers, examples: Numbers, size: int, seed: int) -> None:
        self.lengths, self.examples, self.seed = lengths, examples, seed
        self.size = min(size, len(examples))
        self.steps_per_epoch = -(-len(examples) // self.size)
        self._epoch, self._batches = -1, [examples]

    def batch(self, step: int) -> Numbers:
        """Return the numbers of a step's examples."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._drawn(epoch)
        return self._batches[place]

    def _drawn(self, epoch: int) -> list[Numbers]:
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.examples))
        run = self.size * self.POOL
        pools = [order[begin : begin + run] for begin in range(0, len(order), run)]
        ordered = np.concatenate([pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools])
        cut = [self.examples[ordered[begin : begin + self.size]] for begin in range(0, len(ordered), self.size)]
        return [cut[place] for place in random.permutation(len(cut))]


def sorted_batches(lengths: Numbers, most_examples: int, most_steps: int) -> list[Numbers]:
    """Return all examples, by number, in batches of about the same length, the longest first.

    A batch has at most so many examples and, padded, so many steps; one example is a batch however long it is.
    """
    order = np.argsort(-lengths, kind="stable")
    batches, begin = [], 0
    while begin < len(order):
        longest = max(1, int(lengths[order[begin]]))
        end = begin + max(1, min(most_examples, most_steps // longest))
        batches.append(order[begin:end])
        begin = end
    return batches
