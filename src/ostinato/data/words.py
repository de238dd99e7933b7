"""Text to words: a vocabulary of the most frequent ones, and a hashed tail for all others.

A text is cut into words and marks. A word is a run of letters, digits and underscores with the marks that combine with
them; an apostrophe within it belongs to it (don't, l'été). Every other character that is not blank stands by itself,
and so does every Chinese, Japanese or Thai one, since those languages write no blanks between words.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Annotated
from zlib import crc32

import msgspec
from msgspec import Meta

from ..errors import DataError
from .units import Buckets, Texts, Units, check_some, check_texts, is_writable, units_of

MOST_WORDS = 1_000_000
MOST_CHARACTERS = 100
"""Longer words are left to the tail."""
MOST_BYTES = 16 * 2**20
"""Of all words of a vocabulary together: the header of a model file has room for it."""

Word = Annotated[str, Meta(max_length=MOST_CHARACTERS)]

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts without blanks between words: Thai, Lao, Burmese, Khmer, kana and ideographs."""
_JOINERS = "\u200c\u200d"
"""Marks without a shape that choose those of their neighbours, within words of Persian and of India."""


def split_words(text: str) -> list[str]:
    """Return the words and marks of a text, in order."""
    return _pattern().findall(text)


class WordEncoder(msgspec.Struct, frozen=True, tag="words", tag_field="kind"):
    """Words to numbers: those of the vocabulary have one each, all others share `buckets` by their hash.

        id = rank of the word, from 0            where the vocabulary has it
        id = V + CRC-32(word in UTF-8) mod buckets   elsewhere, for V words in the vocabulary

    so the ids go from 0 to `size` - 1, and a word has the same one on every machine and day.

    words: the vocabulary, the most frequent first. lower: words are lower-cased before they are looked up.
    """

    words: Annotated[list[Word], Meta(max_length=MOST_WORDS)]
    buckets: Buckets = 1
    lower: bool = True

    def __post_init__(self) -> None:
        if len(set(self.words)) < len(self.words):
            raise DataError("a vocabulary holds a word twice.")

    @classmethod
    def fit(
        cls, texts: Texts, *, most: int = 30_000, least: int = 2, buckets: int = 1024, lower: bool = True
    ) -> WordEncoder:
        """Return the encoder of training texts, each a text or a list of words.

        The vocabulary is up to `most` words that occur at least `least` times; of words as frequent as each other,
        those that come first in the order of code points. Words of more than 100 characters are left to the tail, and
        so is what goes beyond 16 MiB in all.

        Raises DataError where the texts hold no word, or for sizes out of range.
        """
        if not 0 <= most <= MOST_WORDS or not 1 <= buckets <= 2**20 or least < 1:
            raise DataError(
                f"a vocabulary of {most} words seen {least} times or more, and {buckets} buckets, is not possible.",
                f"take 0 to {MOST_WORDS} words, seen at least once, and 1 to {2**20} buckets.",
            )
        counts: Counter[str] = Counter()
        for words in split_texts(texts, lower):
            counts.update(words)
        check_some(counts, "word")
        frequent = [word for word, count in counts.items() if count >= least and len(word) <= MOST_CHARACTERS]
        frequent.sort(key=lambda word: (-counts[word], word))
        return cls(list(_fitting(filter(is_writable, frequent[:most]))), buckets, lower)

    @property
    def size(self) -> int:
        """How many ids there are: of words and of buckets."""
        return len(self.words) + self.buckets

    def encode(self, texts: Texts) -> Units:
        """Return the ids of texts, each a text or a list of words."""
        look_up = _Table(self).__getitem__
        return units_of(map(look_up, words) for words in split_texts(texts, self.lower))

    def count_unseen(self, units: Units) -> int:
        """Return how many units the vocabulary does not have."""
        return int((units.ids >= len(self.words)).sum())


class _Table(dict[str, int]):
    """The id of each word; that of one out of the vocabulary is computed when it is asked for."""

    def __init__(self, encoder: WordEncoder) -> None:
        super().__init__(zip(encoder.words, range(len(encoder.words)), strict=True))
        self._first, self._buckets = len(encoder.words), encoder.buckets

    def __missing__(self, word: str) -> int:
        return self._first + crc32(word.encode("utf-8", "surrogatepass")) % self._buckets


def split_texts(texts: Texts, lower: bool) -> Iterator[Sequence[str]]:
    """Yield the words of each text; a list of words stays as it is cut. Raises DataError for one text by itself."""
    check_texts(texts)
    split = _pattern().findall
    for text in texts:
        if isinstance(text, str):
            yield split(text.lower() if lower else text)
        else:
            yield [word.lower() for word in text] if lower else text


def _fitting(words: Iterable[str]) -> Iterator[str]:
    """Yield the first words, as many as a model file has room for."""
    room = MOST_BYTES
    for word in words:
        room -= len(word.encode())
        if room < 0:
            return
        yield word


@cache
def _pattern() -> re.Pattern[str]:
    """The expression of a word or mark. What may follow begins differently in each case, so it never goes back.

    Looking ahead for what is not ASCII (or an apostrophe) saves most of the time: the set of combining marks is large.
    """
    letter, marks = rf"[^\W{_UNSPACED}]", f"[{_marks()}]"
    more = rf"(?:(?=['\x80-\U0010ffff])(?:{marks}+{letter}*|['’]{letter}+)+)?"
    return re.compile(rf"{letter}+{more}|\S(?:(?=[\x80-\U0010ffff]){marks}+)?")


def _marks() -> str:
    """What combines with the character before, which Python takes for no part of a word; as ranges of a set."""
    points = [point for point in range(0x300, 0x20000) if unicodedata.category(chr(point)).startswith("M")]
    runs = (list(run) for _, run in groupby(enumerate(points), lambda pair: pair[1] - pair[0]))
    return "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs) + "\U000e0100-\U000e01ef" + _JOINERS
