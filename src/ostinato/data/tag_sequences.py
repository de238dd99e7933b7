"""Tagged sentences as a tagger's network reads them: words, their characters, and what stands out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .sequences import Array, Numbers, SequenceBatch, SpelledSequences, padded, rows_of
from .spellings import SpellingEncoder
from .units import Ids
from .word_features import WordFeatures


class WordsBatch(NamedTuple):
    """B sentences: words with their characters, and the features of each word [T, B, K]; None where none are read."""

    sequences: SequenceBatch
    features: Ids | None


@dataclass(frozen=True)
class WordSequences:
    """S sentences, with the features of all their words [N, K]."""

    words: SpelledSequences
    features: Ids | None

    @property
    def lengths(self) -> Numbers:
        """The words of each sentence [S]."""
        return self.words.lengths

    def take(self, sentences: Numbers) -> WordsBatch:
        """Return some sentences, by number, as a batch."""
        sequences = self.words.take(sentences)
        if self.features is None:
            return WordsBatch(sequences, None)
        begins, lengths = rows_of(self.words.spelled.words.starts, sentences)
        return WordsBatch(sequences, padded(self.features, begins, lengths))


class SentenceEncoder(NamedTuple):
    """What turns sentences into what the network reads."""

    spellings: SpellingEncoder
    features: WordFeatures | None

    def encode(self, sentences: Sequence[Sequence[str]]) -> WordSequences:
        """Return sentences, each a list of words, as the network reads them."""
        features = None if self.features is None else self.features.encode(sentences)
        return WordSequences(SpelledSequences(self.spellings.encode(sentences)), features)


class TagNumbers(NamedTuple):
    """The tags of sentences as numbers, one sentence after the other [N]; starts: where each begins [S + 1]."""

    tags: Numbers
    starts: Numbers

    def take(self, sentences: Numbers) -> Array:
        """Return the tags of some sentences [T, B], 0 beyond each length."""
        return padded(self.tags, *rows_of(self.starts, sentences))
