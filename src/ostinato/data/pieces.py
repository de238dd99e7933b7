"""Text to byte-pair pieces, by the library `tokenizers` (extra ``[pieces]``): nothing is unknown to them.

A text is its UTF-8 bytes. The pair of neighbouring pieces that is most frequent in the training texts becomes a piece,
and so again, until there are as many as asked for; no piece goes from one word into the next. Source: Sennrich, Haddow
and Birch 2016, "Neural Machine Translation of Rare Words with Subword Units", on bytes as in Radford et al. 2019
(GPT-2), whose rule says where words end.

What is kept are the pairs alone: the first 256 pieces are the bytes, every further one is two of those before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from ..errors import DataError
from ..extras import require
from .units import Units, check_some, check_texts, units_of, without_surrogates

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BYTES = 256
MOST_PIECES = 500_000
LONGEST_PIECE = 64
"""In bytes. Pieces could double with every pair, so that few of them would fill any memory."""
_AT_ONCE = 1000
"""Texts that are cut at a time."""
_LONGEST_WORD = 256
"""Characters. Longer words are learned from in parts: the library's time grows with the square of a word's length."""
_LONG_RUN = re.compile(
    "|".join(rf"{kind}{{{_LONGEST_WORD}}}" for kind in (r"[^\W\d_]", r"\d", r"(?:[^\w\s]|_)", r"\s"))
)

Pair = tuple[Annotated[int, Meta(ge=0, lt=MOST_PIECES)], Annotated[int, Meta(ge=0, lt=MOST_PIECES)]]


class PieceEncoder(msgspec.Struct, frozen=True, tag="pieces", tag_field="kind", dict=True):
    """Pieces of words to numbers: those of the bytes from 0 to 255, then that of each pair, in the order learned.

    pairs: the numbers of the two pieces that each further one is made of. lower: texts are lower-cased first.
    """

    pairs: Annotated[list[Pair], Meta(max_length=MOST_PIECES - BYTES)]
    lower: bool = False

    def __post_init__(self) -> None:
        pieces = [bytes([value]) for value in range(BYTES)]
        for pair in self.pairs:
            if max(pair) >= len(pieces):
                raise DataError("a piece is made of one that comes after it.")
            pieces.append(pieces[pair[0]] + pieces[pair[1]])
            if len(pieces[-1]) > LONGEST_PIECE:
                raise DataError(f"a piece has more than {LONGEST_PIECE} bytes.")
        if len(set(pieces)) < len(pieces):
            raise DataError("a piece is made twice.")

    @classmethod
    def fit(cls, texts: Any, *, most: int = 8000, least: int = 2, lower: bool = False) -> PieceEncoder:
        """Return the encoder of training texts, with up to `most` pieces (256 or more), of pairs seen `least` times.

        Raises DataError where the texts are empty, or for sizes out of range; MissingExtraError.
        """
        if not BYTES <= most <= MOST_PIECES or least < 1:
            raise DataError(
                f"{most} pieces of pairs seen {least} times or more are not possible.",
                f"take {BYTES} to {MOST_PIECES} pieces, of pairs seen at least once.",
            )
        blocks = list(_blocks(texts, lower))
        check_some(any(map(any, blocks)), "character")
        return cls(_learn(blocks, most, least), lower)

    @property
    def size(self) -> int:
        """How many pieces there are."""
        return BYTES + len(self.pairs)

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes that each piece stands for."""
        pieces = [bytes([value]) for value in range(BYTES)]
        for left, right in self.pairs:
            pieces.append(pieces[left] + pieces[right])
        return pieces

    def encode(self, texts: Any) -> Units:
        """Return the ids of the pieces of texts. Raises MissingExtraError."""
        tokenizer = self._tokenizer
        cut = (tokenizer.encode_batch_fast(block, add_special_tokens=False) for block in _blocks(texts, self.lower))
        return units_of(part.ids for part in chain.from_iterable(cut))

    def decode(self, ids: Any) -> str:
        """Return the text that ids [T] stand for; bytes that are not UTF-8 become U+FFFD."""
        return b"".join(self.pieces[number] for number in ids).decode("utf-8", "replace")

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        require("tokenizers", "pieces")
        from tokenizers import models

        names = ["".join(_LETTERS[value] for value in piece) for piece in self.pieces]
        merges = [(names[left], names[right]) for left, right in self.pairs]
        return _cutting(models.BPE(vocab=dict(zip(names, range(len(names)), strict=True)), merges=merges))


def _learn(blocks: list[list[str]], most: int, least: int) -> list[Pair]:
    """Return the pairs that the library learns, by the numbers of their pieces here."""
    require("tokenizers", "pieces")
    from tokenizers import models, trainers

    tokenizer = _cutting(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=most,
        min_frequency=least,
        show_progress=False,
        special_tokens=[],
        initial_alphabet=_LETTERS,
        max_token_length=LONGEST_PIECE,
    )
    tokenizer.train_from_iterator(([part for text in block for part in _parts(text)] for block in blocks), trainer)
    merges = msgspec.json.decode(tokenizer.to_str())["model"]["merges"]
    numbers = {letter: value for value, letter in enumerate(_LETTERS)}
    pairs: list[Pair] = []
    for left, right in merges:
        # Two pairs may make the same piece; the library knows it by the first of them.
        if left + right not in numbers:
            numbers[left + right] = len(numbers)
            pairs.append((numbers[left], numbers[right]))
    return pairs


def _parts(text: str) -> list[str]:
    """Return a text in parts that have no word longer than `_LONGEST_WORD`."""
    words = text.split()
    blanks = len(text) - sum(map(len, words))
    if max(map(len, words), default=0) < _LONGEST_WORD and blanks < len(words) + _LONGEST_WORD:
        return [text]
    ends = [found.end() for found in _LONG_RUN.finditer(text)]
    return [text[start:end] for start, end in pairwise([0, *ends, len(text)])]


def _cutting(model: Any) -> Tokenizer:
    """Return a tokenizer that cuts text as GPT-2's does, and gives back every byte of it."""
    from tokenizers import Tokenizer, pre_tokenizers

    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    return tokenizer


def _blocks(texts: Any, lower: bool) -> Iterator[list[str]]:
    """Yield texts, some at a time."""
    check_texts(texts)
    for start in range(0, len(texts), _AT_ONCE):
        block = texts[start : start + _AT_ONCE]
        yield [without_surrogates(text.lower() if lower else text) for text in block]


def _letters() -> list[str]:
    """Return the characters that the library writes bytes as: what Latin-1 shows as itself, the rest from 256 on."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = iter(range(BYTES, 2 * BYTES))
    return [chr(value if value in shown else next(hidden)) for value in range(BYTES)]


_LETTERS = _letters()
