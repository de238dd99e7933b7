"""What stands out of a word and of those beside it, as numbers: what the linear part of a tagger looks at.

Of each word: the word, how it is written, its shape and its first and last letters; of its neighbours some of that; and
some pairs. Each such feature is hashed to one of so many buckets (Weinberger et al. 2009, "Feature Hashing for Large
Scale Multitask Learning"), so that no list of them is kept, and a word that training never showed has features, too.
They are those of Ratnaparkhi 1996, "A Maximum Entropy Model for Part-Of-Speech Tagging", with shapes added.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from .units import Buckets, Ids, Numbers, Texts
from .words import split_texts

MOST_OF_SHAPE = 12
"""Characters of a shape; longer ones are cut."""
LETTERS = 4
"""The first and the last letters that are looked at, at most."""

_WORD, _WRITTEN, _SHAPE, _OUTLINE, _FIRST, _LAST = 0, 1, 2, 3, 4, 4 + LETTERS
_LOOKS = _LAST + LETTERS
"""What is looked at in one word: places in its codes. From _FIRST on its first one, two, … letters; so the last."""

Look = tuple[int, int]
"""A word by its distance from this one, and what is looked at in it."""
TEMPLATES: tuple[tuple[Look, ...], ...] = (
    *(((0, look),) for look in range(_LOOKS)),
    *(((beside, look),) for beside in (-1, 1) for look in (_WORD, _SHAPE, _FIRST + 2, _LAST + 1, _LAST + 2)),
    *(((beside, look),) for beside in (-2, 2) for look in (_WORD, _OUTLINE)),
    *(((left, _WORD), (right, _WORD)) for left, right in ((-2, -1), (-1, 0), (-1, 1), (0, 1), (1, 2))),
    *(((left, _OUTLINE), (right, _OUTLINE)) for left, right in ((-1, 0), (0, 1))),
    ((-1, _OUTLINE), (0, _OUTLINE), (1, _OUTLINE)),
    *(((0, _OUTLINE), (beside, _WORD)) for beside in (-1, 1)),
    *(((left, _LAST + 2), (right, _LAST + 2)) for left, right in ((-1, 0), (0, 1))),
)
"""The features of a word: each a look at one word, or at several together."""
_REACH = (-2, -1, 0, 1, 2)


class WordFeatures(msgspec.Struct, frozen=True, tag="word_features", tag_field="kind"):
    """The features of words as numbers from 0 to `buckets` - 1, as many for each word as there are `TEMPLATES`.

    They are the same on every machine and day. In letters both cases count as one; shapes tell them apart.
    """

    buckets: Buckets

    def encode(self, texts: Texts) -> Ids:
        """Return the features of the words of texts, each a text or a list of words, one after the other [N, K]."""
        cut = list(split_texts(texts, lower=False))
        rows: dict[str, int] = {}
        spelling = np.array([rows.setdefault(word, len(rows)) for words in cut for word in words], np.int64)
        # What lies beyond a sentence is a word of its own.
        codes = np.array([*map(_codes, rows), [1] * _LOOKS], np.uint64)
        near = {beside: _neighbours(spelling, cut, beside, len(rows)) for beside in _REACH}
        found = np.empty((len(spelling), len(TEMPLATES)), np.int32)
        for number, template in enumerate(TEMPLATES):
            code = np.full(len(spelling), number + 1, np.uint64)
            for beside, look in template:
                code = _mixed(code + codes[near[beside], look])
            found[:, number] = code % np.uint64(self.buckets)
        return found


def _neighbours(spelling: Numbers, cut: Sequence[Sequence[str]], beside: int, none: int) -> Numbers:
    """Return the spelling of the word so far beside each [N]; `none` beyond the sentence."""
    lengths = np.array([len(words) for words in cut], np.int64)
    begins = np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.arange(len(spelling)) + beside
    is_there = (place >= begins) & (place < begins + np.repeat(lengths, lengths))
    return np.where(is_there, spelling[np.where(is_there, place, 0)], none)


def _codes(word: str) -> list[int]:
    """Return a number for each thing that is looked at in a word; 0 for letters that it is too short for."""
    small = word.lower()
    shape = _shape(word)
    outline = "".join(mark for mark, _ in groupby(shape))
    ends = [small[:count] if count <= len(small) else "" for count in range(1, LETTERS + 1)]
    ends += [small[-count:] if count <= len(small) else "" for count in range(1, LETTERS + 1)]
    return [_code(text) for text in (small, word, shape, outline, *ends)]


def _code(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def _shape(word: str) -> str:
    """Return X, x, d and o for capitals, small letters, digits and other letters; a mark as it is; two of a run."""
    marks = groupby(map(_mark, word))
    return "".join(mark * min(2, sum(1 for _ in run)) for mark, run in marks)[:MOST_OF_SHAPE]


def _mark(character: str) -> str:
    if character.isupper():
        return "X"
    if character.islower():
        return "x"
    if character.isdigit():
        return "d"
    return "o" if character.isalnum() else character


def _mixed(code: NDArray[Any]) -> NDArray[Any]:
    """Return numbers whose 64 bits depend on all bits of those given each (SplitMix64, Steele et al. 2014)."""
    code = code + np.uint64(0x9E3779B97F4A7C15)
    code = (code ^ (code >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    code = (code ^ (code >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(code ^ (code >> np.uint64(31)))
