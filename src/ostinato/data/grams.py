"""Text to counts of its grams, told apart by a hash, so that no table of them is kept.

A gram is a run of neighbouring units of the lower-cased text:

    words        1 or 2 words or marks (see `words`)
    characters   1 to 4 characters within a word with a blank before and after it; words end at blanks

The hash of a gram grows by a unit at a time, from the unit's code c, the CRC-32 of a word or the code point of a
character:

    h() = seed,   h(u_1 … u_n) = mix(h(u_1 … u_{n-1}) + c(u_n))

where mix is the last step of SplitMix64 (Steele et al. 2014, "Fast splittable pseudorandom number generators"), a
one-to-one map of 64 bits of which every bit depends on every other. A gram's bucket is the first 22 bits of its hash:
the same on every machine and day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from .units import check_texts
from .words import split_texts

GramKind = Literal["words", "characters"]
Numbers = NDArray[np.int64]
Codes = NDArray[np.uint64]

BUCKET_BITS = 22
BUCKETS = 2**BUCKET_BITS
LONGEST: dict[GramKind, int] = {"words": 2, "characters": 4}
"""Of how many units a gram is at most."""
BLOCK_CHARACTERS = 2_000_000
"""Characters of texts counted at once: about 100 MB."""

_SEED = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))


class Grams(NamedTuple):
    """How often the grams of S texts occur, one text after the other.

    buckets: of each gram, rising within a text [N]. counts: how often the text has it [N]. starts: where the grams of
    each text begin, and the last ones end [S + 1].
    """

    buckets: NDArray[np.int32]
    counts: NDArray[np.int32]
    starts: Numbers


def count_grams(texts: Sequence[str], kind: GramKind) -> Iterator[Grams]:
    """Yield how often each gram is in each text, some texts at a time. Raises DataError for one text by itself."""
    check_texts(texts)
    first = size = 0
    for place, text in enumerate(texts):
        if size and size + len(text) > BLOCK_CHARACTERS:
            yield _count(texts[first:place], kind)
            first, size = place, 0
        size += len(text)
    yield _count(texts[first:], kind)


def joined(parts: Iterable[Grams]) -> Grams:
    """Return the grams of several lists of texts as those of one."""
    buckets, counts, starts = zip(*parts, strict=True)
    lengths = np.concatenate([np.zeros(1, np.int64), *map(np.diff, starts)])
    return Grams(np.concatenate(buckets), np.concatenate(counts), np.cumsum(lengths))


def _count(texts: Sequence[str], kind: GramKind) -> Grams:
    if kind == "words":
        codes, begins, lengths = _word_codes(texts)
    else:
        codes, begins, lengths = _character_codes(texts)
    numbers = np.repeat(np.arange(len(texts)), lengths) << BUCKET_BITS
    runs = _runs(codes, begins, LONGEST[kind])
    keys = np.concatenate(
        [numbers[at] | (hashes >> np.uint64(64 - BUCKET_BITS)).astype(np.int64) for hashes, at in runs]
    )
    found, counts = np.unique(keys, return_counts=True)
    starts = np.searchsorted(found, np.arange(len(texts) + 1) << BUCKET_BITS)
    return Grams((found & (BUCKETS - 1)).astype(np.int32), counts.astype(np.int32), starts)


def _word_codes(texts: Sequence[str]) -> tuple[Codes, NDArray[np.bool_], Numbers]:
    """Return the code of each unit [N], where grams must begin anew [N + 1], and how many units each text has [S]."""
    words = list(split_texts(texts, lower=True))
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    codes = np.fromiter(map(_WordCodes().__getitem__, chain.from_iterable(words)), np.uint64, int(lengths.sum()))
    begins = np.zeros(len(codes) + 1, bool)
    begins[np.cumsum(lengths) - lengths] = begins[-1] = True
    return codes, begins, lengths


def _character_codes(texts: Sequence[str]) -> tuple[Codes, NDArray[np.bool_], Numbers]:
    """Return the same of characters: a gram begins and ends between the two blanks that part words."""
    words = [text.lower().split() for text in texts]
    padded = ["".join(f" {word} " for word in of_text) for of_text in words]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    blank = codes == ord(" ")
    begins = np.ones(len(codes) + 1, bool)
    begins[1:-1] = blank[1:] & blank[:-1]
    return codes, begins, np.fromiter(map(len, padded), np.int64, len(padded))


class _WordCodes(dict[str, int]):
    """The code of each word, computed when it is first asked for."""

    def __missing__(self, word: str) -> int:
        self[word] = code = crc32(word.encode("utf-8", "surrogatepass"))
        return code


def _runs(codes: Codes, begins: NDArray[np.bool_], longest: int) -> Iterator[tuple[Codes, Numbers]]:
    """Yield the hashes of the grams of 1, 2, … units, and where they begin; none goes on where a new one must begin."""
    at = np.arange(len(codes))
    hashes = _mix(codes + _SEED)
    yield hashes, at
    for size in range(2, longest + 1):
        goes_on = ~begins[at + size - 1]
        at = at[goes_on]
        hashes = _mix(hashes[goes_on] + codes[at + size - 1])
        yield hashes, at


def _mix(values: Codes) -> Codes:
    """Mix values in place, and return them."""
    for shift, factor in _MIX:
        values ^= values >> np.uint64(shift)
        values *= factor
    values ^= values >> np.uint64(31)
    return values
