"""Embeddings of words from a text file of vectors, as GloVe, word2vec and fastText publish them.

A line is a word and its E numbers, with blanks or tabs between. A first line of two whole numbers is word2vec's header,
how many vectors there are and of what width, and is held to. The file is read line by line, so only the vectors of the
words that are asked for take memory; ``.gz`` and ``.xz`` are decompressed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .text import opened

LONGEST_LINE = 2**20
MOST_NUMBERS = 4096
"""The widest vectors that are read."""
MOST_BYTES = 8 * 2**30
"""What the vectors asked for may take in memory."""


class Vectors(NamedTuple):
    """The vectors of words: matrix [V, E] in the order of the words, zeros where the file has none; found [V]."""

    matrix: NDArray[np.float32]
    found: NDArray[np.bool_]


class _Header(NamedTuple):
    """What a file says of itself: how many vectors, if it says so, and their width E."""

    promised: int | None
    width: int


def read_vectors(path: str | os.PathLike[str], words: Sequence[str], *, lower: bool = False) -> Vectors:
    """Return the vectors that a file has for words [V], such as those of a `WordEncoder`.

    Of a word that stands there twice the first counts. lower: words are lower-cased, so a word that the file lacks as
    it is takes the first vector whose word is the same when lower-cased (Paris for paris).

    Raises DataError for a file that is missing, damaged or cut short, for a line that is no word with E finite numbers
    (with its number), and for vectors too wide or too many for memory.
    """
    name = os.fspath(path)
    rows = {word.encode("utf-8", "surrogatepass"): row for row, word in enumerate(words)}
    if len(rows) < len(words):
        raise DataError("vectors were asked for a word twice.", "give each word once.")
    with opened(name) as stream:
        return _read(name, _lines(name, stream), rows, lower)


def _read(name: str, lines: Iterator[tuple[int, bytes]], rows: dict[bytes, int], lower: bool) -> Vectors:
    first = next(lines, None)
    if first is None:
        raise DataError(f"{name} is empty.", "give a file of vectors: a line a word, the word and its numbers.")
    header, pending = _header(name, first)
    matrix = _room(name, len(rows), header.width)
    exact, alike = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    number, count = first[0], 0
    for number, line in _chained(pending, lines):
        count += 1
        word, numbers = _cut(name, number, line, header.width)
        row = rows.get(word)
        if row is not None and not exact[row]:
            matrix[row], exact[row] = _parsed(name, number, numbers), True
        elif row is None and lower:
            row = rows.get(_lowered(word))
            if row is not None and not exact[row] and not alike[row]:
                matrix[row], alike[row] = _parsed(name, number, numbers), True
    if header.promised not in (None, count):
        raise DataError(
            f"{name} says that it holds {header.promised} vectors, but ends at line {number} with {count}.",
            "it was cut short or put together of several; fetch it again, or delete its first line.",
        )
    return Vectors(matrix, exact | alike)


def _lines(name: str, stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank, with its number from 1; only blanks of ASCII are no part of a word."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise _misshapen(name, number, f"is longer than {LONGEST_LINE} bytes")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        line = line.replace(b"\t", b" ").rstrip(b" \r\n")
        if line:
            yield number, line


def _chained(pending: tuple[int, bytes] | None, lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    if pending is not None:
        yield pending
    yield from lines


def _header(name: str, first: tuple[int, bytes]) -> tuple[_Header, tuple[int, bytes] | None]:
    """Return what the first line tells, and that line where it is a vector already."""
    number, line = first
    fields = line.split(b" ")
    if len(fields) == 2 and all(field.isdigit() and len(field) < 16 for field in fields):
        header, pending = _Header(int(fields[0]), int(fields[1])), None
    else:
        header, pending = _Header(None, len(fields) - 1), first
    if not 1 <= header.width <= MOST_NUMBERS:
        raise _misshapen(name, number, f"asks for vectors of {header.width} numbers; there may be 1 to {MOST_NUMBERS}")
    return header, pending


def _room(name: str, count: int, width: int) -> NDArray[np.float32]:
    """Return the matrix to fill, unless it would be too large."""
    try:
        if 4 * count * width > MOST_BYTES:
            raise MemoryError
        return np.zeros((count, width), np.float32)
    except MemoryError:
        raise DataError(
            f"{count} vectors of {width} numbers, as {name} has them, do not fit in memory.", "ask for fewer words."
        ) from None


def _cut(name: str, number: int, line: bytes, width: int) -> tuple[bytes, list[bytes]]:
    """Return the word of a line, which may hold blanks itself, and its numbers as text."""
    word, *numbers = line.rsplit(b" ", width)
    if len(numbers) < width:
        raise _misshapen(name, number, f"holds {len(numbers)} numbers after its word, not {width}")
    return word, numbers


def _parsed(name: str, number: int, numbers: list[bytes]) -> NDArray[np.float32]:
    try:
        values = np.array([float(text) for text in numbers])
    except ValueError:
        odd = next(text for text in numbers if not _is_number(text))
        raise _misshapen(
            name, number, f"holds {odd.decode(errors='replace')!r:.40} where a number is expected"
        ) from None
    if not (np.abs(values) <= np.finfo(np.float32).max).all():
        raise _misshapen(name, number, "holds a number that is not finite in float32")
    return values.astype(np.float32)


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _lowered(word: bytes) -> bytes:
    return word.decode(errors="replace").lower().encode()


def _misshapen(name: str, number: int, what: str) -> DataError:
    return DataError(
        f"line {number} of {name} {what}.",
        "a line is a word and its numbers with blanks between, as many in every line: the 0.1 -0.2 0.3",
    )
