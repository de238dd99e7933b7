"""The vocabulary: the encoder between text and ids, fitted on training data only.

There are two kinds. A vocabulary of characters has one id for each character of the training
text, in the order of their code points. A vocabulary of bytes has all 256, so nothing is unknown to
it; characters are their UTF-8 bytes there.

Either way an id stands for one code unit of some encoding, UTF-32 or UTF-8, and all below is a
look-up between the two.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FileFormatError, OptionError

Ids = NDArray[np.int32]
Kind = Literal["characters", "bytes"]
Unknown = Literal["error", "skip"]

_BLOCK = 1024 * 1024


class _Form(NamedTuple):
    """How a kind of vocabulary writes text: the encoding, a unit's dtype, and what decoding does with errors."""

    encoding: str
    unit: str
    errors: str


_FORMS = {"characters": _Form("utf-32-le", "<u4", "surrogatepass"), "bytes": _Form("utf-8", "u1", "replace")}


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """The symbols that a model knows; the id of each is its place.

    kind: what a symbol is. code_points: the symbols as numbers, distinct and sorted.
    """

    kind: Kind
    code_points: tuple[int, ...]

    @classmethod
    def of_characters(cls, text: str) -> Vocabulary:
        """Return the vocabulary of every character in a text.

        Raises DataError for an empty text.
        """
        if not text:
            raise DataError("an empty text has no characters to learn.", "give a text with something in it.")
        return cls("characters", tuple(sorted(map(ord, set(text)))))

    @classmethod
    def of_bytes(cls) -> Vocabulary:
        """Return the vocabulary of all 256 bytes."""
        return cls("bytes", tuple(range(256)))

    @property
    def size(self) -> int:
        """V, the number of symbols."""
        return len(self.code_points)

    def encode(self, text: str | bytes, unknown: Unknown = "error") -> Ids:
        """Return the ids of a text [T]; ``unknown="skip"`` leaves out the characters that have none.

        Raises DataError that names the first unknown character and its place, counted from 1.
        """
        if unknown not in get_args(Unknown):
            raise OptionError(f"unknown must be error or skip, not {unknown!r}.")
        ids = self._look_up(text)
        known = ids >= 0
        if known.all():
            return ids
        if unknown == "error":
            place = int(known.argmin())
            character = text[place : place + 1]
            raise DataError(
                f"the model does not know {character!r} (U+{ord(character):04X}), at character {place + 1}.",
                "--unknown skip leaves such characters out.",
            )
        return ids[known]

    def count_unknown(self, text: str | bytes) -> int:
        """Return how many characters of a text have no id."""
        return int((self._look_up(text) < 0).sum())

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """Return the text that ids [T] stand for; bytes that are not UTF-8 become U+FFFD.

        Raises DataError for an id that no symbol has.
        """
        return self._units_of(ids).tobytes().decode(self._form.encoding, self._form.errors)

    def decode_bytes(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        """Return the same text as bytes: UTF-8 of the characters, or the bytes themselves."""
        if self.kind == "bytes":
            return self._units_of(ids).tobytes()
        return self.decode(ids).encode("utf-8", "surrogatepass")

    def decoder(self) -> Decoder:
        """Return a decoder for ids that come bit by bit."""
        return Decoder(self)

    def count_characters(self, ids: NDArray[Any]) -> int:
        """Return how many characters begin in ids [T]: of bytes, those that do not go on with one in UTF-8."""
        if self.kind == "characters":
            return len(ids)
        return int(((ids & 0b1100_0000) != 0b1000_0000).sum())

    def to_data(self) -> dict[str, Any]:
        """Return the vocabulary as plain data; characters are code points, since JSON cannot hold every one."""
        if self.kind == "bytes":
            return {"kind": "bytes"}
        return {"kind": "characters", "code_points": list(self.code_points)}

    @classmethod
    def from_data(cls, data: Any) -> Vocabulary:
        """Build a vocabulary from what `to_data` returned, checking everything.

        Raises FileFormatError, whatever the data.
        """
        match data:
            case {"kind": "bytes", **rest} if not rest:
                return cls.of_bytes()
            case {"kind": "characters", "code_points": list(points), **rest} if not rest and _is_sorted(points):
                return cls("characters", tuple(points))
        raise FileFormatError(
            "the vocabulary is neither one of bytes nor a sorted list of distinct code points.",
            "the file is damaged, or was not written by ostinato.",
        )

    def __repr__(self) -> str:
        return f"<Vocabulary of {self.size} {self.kind}>"

    @property
    def _form(self) -> _Form:
        return _FORMS[self.kind]

    @cached_property
    def _units(self) -> NDArray[Any]:
        """The code unit of each id [V]."""
        return np.array(self.code_points, dtype=self._form.unit)

    @cached_property
    def _table(self) -> Ids:
        """The id of each code unit, -1 for none; the last entry stands for all units above."""
        table = np.full(self.code_points[-1] + 2, -1, dtype=np.int32)
        table[self._units] = np.arange(self.size)
        return table

    def _look_up(self, text: str | bytes) -> Ids:
        """Return the ids of a text, -1 for what has none."""
        if isinstance(text, bytes) and self.kind == "characters":
            raise DataError("a vocabulary of characters was given bytes.", "decode them first, or use one of bytes.")
        blocks = [self._table.take(units, mode="clip") for units in self._blocks(text)]
        return np.concatenate([np.empty(0, np.int32), *blocks])

    def _blocks(self, text: str | bytes) -> Iterator[NDArray[Any]]:
        """Yield the code units of a text, a block at a time."""
        for start in range(0, len(text), _BLOCK):
            block = text[start : start + _BLOCK]
            raw = block.encode(self._form.encoding, "surrogatepass") if isinstance(block, str) else block
            yield np.frombuffer(raw, self._form.unit)

    def _units_of(self, ids: Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        places = np.asarray(ids, dtype=np.int64)
        if places.size and not 0 <= places.min() <= places.max() < self.size:
            wrong = places[(places < 0) | (places >= self.size)][0]
            raise DataError(f"{wrong} is no id of this vocabulary; they go from 0 to {self.size - 1}.")
        return self._units[places]


class Decoder:
    """Turns ids into text as they come, holding back the bytes of an unfinished character."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        form = _FORMS[vocabulary.kind]
        self._decoder = codecs.getincrementaldecoder(form.encoding)(form.errors)

    def feed(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """Return the text that is complete once these ids have come; it may be empty."""
        return self._decoder.decode(self._vocabulary._units_of(ids).tobytes())

    def finish(self) -> str:
        """Return what is left: U+FFFD for a character that was never finished."""
        return self._decoder.decode(b"", final=True)


def _is_sorted(points: list[Any]) -> bool:
    """Whether these are code points, at least one, each above the one before."""
    if not points or not all(type(point) is int for point in points):
        return False
    rises = all(low < high for low, high in pairwise(points))
    return rises and points[0] >= 0 and points[-1] < 0x110000
