"""What text becomes before a network reads it: the numbers of its units, whatever a unit is.

A unit is a word, a character, a word with its characters, or a piece of a word; each kind has an encoder, which is
fitted on training texts alone, kept in the model file, and gives `Units`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ..errors import DataError

Numbers = NDArray[np.int64]
Ids = NDArray[np.int32]
Texts = Sequence[str] | Sequence[Sequence[str]]
"""Texts, or for taggers and alike texts that are lists of words already."""
Buckets = Annotated[int, Meta(ge=1, le=2**20)]
MOST_IDS = 2**31 - 1


class Units(NamedTuple):
    """Texts as numbers, one text after the other.

    ids: of each unit [N]. starts: where the units of each text begin, and the last ones end [S + 1].
    """

    ids: Ids
    starts: Numbers

    @property
    def lengths(self) -> Numbers:
        """How many units each text has [S]; an empty text has none."""
        return np.diff(self.starts)


def units_of(parts: Iterable[Iterable[int]]) -> Units:
    """Return the units of texts whose ids are given text by text."""
    arrays = [np.fromiter(part, np.int32) for part in parts]
    starts = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
    return Units(np.concatenate([np.empty(0, np.int32), *arrays]), starts)


def check_texts(texts: Any) -> None:
    """Raise DataError for one text where several are expected: its characters would pass for texts."""
    if isinstance(texts, (str, bytes)):
        raise DataError("one text was given where a list of texts is expected.", "put it into a list: [text].")


def check_some(units: Any, what: str) -> None:
    """Raise DataError unless training texts hold a unit."""
    if not units:
        raise DataError(f"the texts hold no {what} to learn.", "give texts with something in them.")


def without_surrogates(text: str) -> str:
    """Return a text that UTF-8 can write: a half of a surrogate pair, which no file holds, becomes a question mark."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def is_writable(word: str) -> bool:
    """Whether UTF-8, hence a model file, can hold a word."""
    return without_surrogates(word) is word
