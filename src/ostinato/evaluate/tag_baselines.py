"""The cheap baseline that stands beside a tagger: the most frequent tag of a word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from ..errors import DataError

Sentences = Sequence[Sequence[str]]


class MostFrequentTag:
    """The tag that a word most often had in training, whatever stands beside it.

    A word that training did not show has that of the words which are the same when lower-cased; where there is none,
    the most frequent tag of all. Of tags as frequent for a word, the one more frequent over all is taken, and of those
    the first in the order of code points.

    After `fit`: ``tags_`` and ``lower_tags_``, of words and of lower-cased words, and ``tag_``, of all.
    """

    tags_: dict[str, str]
    lower_tags_: dict[str, str]
    tag_: str

    def fit(self, words: Sentences, tags: Sentences) -> MostFrequentTag:
        """Learn from sentences, of words and of as many tags, and return self.

        Raises DataError where there are not as many tags as words (with the sentence's number), or none at all.
        """
        _check(words, tags)
        overall = Counter(tag for sentence in tags for tag in sentence)
        if not overall:
            raise DataError("the sentences hold no word to learn from.", "give sentences with words and tags.")
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        lower: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for sentence, given in zip(words, tags, strict=True):
            for word, tag in zip(sentence, given, strict=True):
                counts[word][tag] += 1
                lower[word.lower()][tag] += 1
        self.tag_ = _most(overall, overall)
        self.tags_ = {word: _most(own, overall) for word, own in counts.items()}
        self.lower_tags_ = {word: _most(own, overall) for word, own in lower.items()}
        return self

    def predict(self, words: Sentences) -> list[list[str]]:
        """Return a tag for each word of sentences."""
        return [[self._tag(word) for word in sentence] for sentence in words]

    def _tag(self, word: str) -> str:
        return self.tags_[word] if word in self.tags_ else self.lower_tags_.get(word.lower(), self.tag_)


def _most(counts: Counter[str], overall: Counter[str]) -> str:
    return min(counts, key=lambda tag: (-counts[tag], -overall[tag], tag))


def _check(words: Sentences, tags: Sentences) -> None:
    if len(words) != len(tags):
        raise DataError(f"{len(words)} sentences came with tags for {len(tags)}.", "give tags for each sentence.")
    for number, (sentence, given) in enumerate(zip(words, tags, strict=True), 1):
        if len(sentence) != len(given):
            raise DataError(
                f"sentence {number} has {len(sentence)} words, but {len(given)} tags.", "give a tag for each word."
            )
