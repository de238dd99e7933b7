"""What scripts of other libraries share: the one model and training, the numbers of words, batches.

NumPy alone, since it runs where Ostinato need not be.

S texts, B of them in a batch, T words of the longest of them. The numbers of words are those of Ostinato, which the
tests check, so that everyone learns from the same.
"""

from __future__ import annotations

import lzma
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WHOLE = 1_000_000
"""Words of a text that are read where none is cut."""
BUCKETS = 1024
"""Numbers that all words out of the vocabulary share."""
POOL = 50
"""Batches whose reviews are sorted by length together."""
_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


@dataclass(frozen=True)
class Setting:
    """An embedding, one bidirectional layer, pooling over the words, dropout, two scores; AdamW, its rate falling to 0.

    kind: lstm or gru. words: of a longer text the first and the last half of so many are read. pooling: max and mean,
    or one of them. judged_size: texts that are predicted at a time. The other fields mean what they mean to
    `ostinato.Classifier`.
    """

    kind: str = "lstm"
    words: int = 400
    pooling: tuple[str, ...] = ("max", "mean")
    epochs: int = 2
    threads: int = 1
    seed: int = 1
    vocabulary: int = 20_000
    embedding_size: int = 100
    embedding_deviation: float = 0.1
    hidden_size: int = 64
    dropout: float = 0.5
    batch_size: int = 32
    judged_size: int = 256
    learning_rate: float = 0.002
    betas: tuple[float, float] = (0.9, 0.99)
    decay: float = 0.01
    clip_norm: float = 1.0


class Reviews(NamedTuple):
    """Texts, and the class of each: 0 or 1 [S]."""

    texts: list[str]
    labels: Array


def read(path: Path) -> Reviews:
    """Return the reviews of a table without a header, with tabs between its cells: the class first, the text last."""
    rows = [line.split("\t") for line in lines_of(path)]
    return Reviews([row[-1] for row in rows], np.array([int(row[0]) for row in rows]))


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file, which end in nothing else than a line feed."""
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n") for line in file]


class Encoded(NamedTuple):
    """Texts as numbers of words, and their classes [S]."""

    rows: list[Array]
    labels: Array

    @property
    def lengths(self) -> Array:
        """The words of each text [S]; an empty one counts as one."""
        return np.array([max(1, len(row)) for row in self.rows])


class Vocabulary:
    """Numbers of words: of the most frequent, that occur twice at least, their rank; all others share `BUCKETS` numbers
    by their hash. A text is a list of words.
    """

    def __init__(self, texts: Iterable[list[str]], most: int) -> None:
        counts: Counter[str] = Counter()
        for words in texts:
            counts.update(words)
        known = [word for word, count in counts.items() if count > 1]
        known.sort(key=lambda word: (-counts[word], word))
        self._numbers = _Numbers(known[:most])

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return self._numbers.known + BUCKETS

    def encode(self, texts: Iterable[list[str]], most: int) -> list[Array]:
        """Return the numbers of each text's words; of more than `most` words the first and the last half of that."""
        return [np.array([self._numbers[word] for word in _ends(words, most)], np.int32) for words in texts]


class _Numbers(dict[str, int]):
    """The number of each word; that of one out of the vocabulary is computed when it is first asked for."""

    def __init__(self, words: list[str]) -> None:
        super().__init__(zip(words, range(len(words)), strict=True))
        self.known = len(words)

    def __missing__(self, word: str) -> int:
        self[word] = number = self.known + crc32(word.encode("utf-8", "surrogatepass")) % BUCKETS
        return number


def words_of(text: str) -> list[str]:
    """Return the words and marks of a text in small letters; an apostrophe within a word belongs to it."""
    return _WORD.findall(text.lower())


def _ends(words: list[str], most: int) -> list[str]:
    return words if len(words) <= most else words[: most - most // 2] + words[len(words) - most // 2 :]


def padded(rows: list[Array], multiple: int = 1, first: int = 0) -> tuple[Array, Array]:
    """Return rows of numbers as one array [B, T] with 0 beyond each, and their lengths [B]; an empty row is one 0.

    multiple: of which T is one. first: what is added to each number, so that 0 can stand for nothing.
    """
    lengths = np.array([max(1, len(row)) for row in rows])
    found = np.zeros((len(rows), -(-int(lengths.max()) // multiple) * multiple), np.int32)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row + first
    return found, lengths


def drawn(lengths: Array, size: int, random: np.random.Generator) -> list[Array]:
    """Return the numbers of all reviews in random batches of about the same length, for one epoch."""
    order = random.permutation(len(lengths))
    pools = [order[begin : begin + size * POOL] for begin in range(0, len(order), size * POOL)]
    ordered = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
    batches = [ordered[begin : begin + size] for begin in range(0, len(ordered), size)]
    return [batches[place] for place in random.permutation(len(batches))]


def by_length(lengths: Array, size: int) -> list[Array]:
    """Return the numbers of all reviews in batches of about the same length, the longest first."""
    order = np.argsort(-lengths, kind="stable")
    return [order[begin : begin + size] for begin in range(0, len(order), size)]
