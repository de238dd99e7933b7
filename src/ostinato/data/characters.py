"""Text to characters: the vocabulary of those in the training texts, and one number for all others."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from ..errors import DataError
from .units import Units, check_some, check_texts
from .vocabulary import Vocabulary

UNSEEN = "\ufffd"
"""Unicode's replacement character, which is in every vocabulary here and stands for what training never showed."""
MOST_CODE_POINTS = 2**16

CodePoint = Annotated[int, Meta(ge=0, lt=0x110000)]


class CharacterEncoder(msgspec.Struct, frozen=True, tag="characters", tag_field="kind", dict=True):
    """Characters to numbers: the id of each is its place among the code points, which rise.

    code_points: of every character known; U+FFFD is one of them and takes in all others. lower: texts are lower-cased
    first.
    """

    code_points: Annotated[list[CodePoint], Meta(min_length=1, max_length=MOST_CODE_POINTS)]
    lower: bool = False

    def __post_init__(self) -> None:
        if sorted(set(self.code_points)) != self.code_points or ord(UNSEEN) not in self.code_points:
            raise DataError("a vocabulary's code points do not rise, or lack U+FFFD.")

    @classmethod
    def fit(cls, texts: Any, *, most: int = 4096, least: int = 1, lower: bool = False) -> CharacterEncoder:
        """Return the encoder of training texts, with up to `most` characters that occur at least `least` times.

        Raises DataError where the texts hold no character.
        """
        if not 1 <= most < MOST_CODE_POINTS or least < 1:
            raise DataError(
                f"a vocabulary of {most} characters seen {least} times or more is not possible.",
                f"take 1 to {MOST_CODE_POINTS - 1} characters, seen at least once.",
            )
        counts: Counter[str] = Counter()
        for text in _texts(texts, lower):
            counts.update(text)
        check_some(counts, "character")
        frequent = [character for character, count in counts.items() if count >= least]
        frequent.sort(key=lambda character: (-counts[character], character))
        return cls(sorted({ord(UNSEEN), *map(ord, frequent[:most])}), lower)

    @property
    def size(self) -> int:
        """How many ids there are."""
        return len(self.code_points)

    @property
    def unseen(self) -> int:
        """The id of all characters that training did not show."""
        return self.code_points.index(ord(UNSEEN))

    def encode(self, texts: Any) -> Units:
        """Return the ids of the characters of texts."""
        known = [self._unknown.sub(UNSEEN, text) for text in _texts(texts, self.lower)]
        starts = np.cumsum([0, *map(len, known)], dtype=np.int64)
        return Units(self._vocabulary.encode("".join(known)), starts)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary("characters", tuple(self.code_points))

    @cached_property
    def _unknown(self) -> re.Pattern[str]:
        """The expression of a character that has no id of its own."""
        return re.compile(f"[^{re.escape(''.join(map(chr, self.code_points)))}]")


def _texts(texts: Any, lower: bool) -> list[str]:
    check_texts(texts)
    return [text.lower() for text in texts] if lower else list(texts)
