"""Text to words with their characters: a word's number, and how it is spelled.

A word that training never showed has little of a number, but its ending or its capital still says what it is.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from .characters import CharacterEncoder
from .units import Ids, Numbers, Texts, Units
from .words import WordEncoder, split_texts


class SpelledUnits(NamedTuple):
    """Texts as words with their characters; each different word is spelled once, however often it occurs.

    words: the numbers of the words, N in all. spelling: for each of them its row below [N]. letters: the characters of
    U different words [U, M], those beyond a word's length being 0. lengths: how many each word has [U].

    ``letters[spelling]`` are the characters of each word [N, M].
    """

    words: Units
    spelling: Numbers
    letters: Ids
    lengths: Numbers


class SpellingEncoder(msgspec.Struct, frozen=True, tag="spellings", tag_field="kind"):
    """Words with their characters to numbers.

    words: gives the number of a word. characters: gives those of its characters, of the word as it is written even
    where words are lower-cased. longest: M, of a longer word the first half of them and the last are read.
    """

    words: WordEncoder
    characters: CharacterEncoder
    longest: Annotated[int, Meta(ge=1, le=256)] = 24

    @classmethod
    def fit(
        cls,
        texts: Texts,
        *,
        most: int = 30_000,
        least: int = 2,
        buckets: int = 1024,
        lower: bool = True,
        longest: int = 24,
    ) -> SpellingEncoder:
        """Return the encoder of training texts, each a text or a list of words; see `WordEncoder.fit`.

        Raises DataError where the texts hold no word, or for sizes out of range.
        """
        cut = list(split_texts(texts, lower=False))
        words = WordEncoder.fit(cut, most=most, least=least, buckets=buckets, lower=lower)
        return cls(words, CharacterEncoder.fit([word for words in cut for word in words]), longest)

    def encode(self, texts: Texts) -> SpelledUnits:
        """Return the words of texts, each a text or a list of words, and how they are spelled."""
        cut = list(split_texts(texts, lower=False))
        rows: dict[str, int] = {}
        spelling = [rows.setdefault(word, len(rows)) for words in cut for word in words]
        letters, lengths = self._spell(list(rows))
        return SpelledUnits(self.words.encode(cut), np.array(spelling, np.int64), letters, lengths)

    def _spell(self, words: list[str]) -> tuple[Ids, Numbers]:
        """Return the characters of words [U, M] and how many there are of each [U]."""
        last = self.longest // 2
        first = self.longest - last
        if self.characters.lower:  # before they are shortened: a lower-cased word may be longer
            words = [word.lower() for word in words]
        short = [word if len(word) <= self.longest else word[:first] + word[len(word) - last :] for word in words]
        units = self.characters.encode(short)
        lengths = units.lengths
        letters = np.zeros((len(words), self.longest), np.int32)
        letters[np.arange(self.longest) < lengths[:, None]] = units.ids
        return letters, lengths
