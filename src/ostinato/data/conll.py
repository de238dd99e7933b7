"""Sentences with a tag for each word: a word a line, and a blank line after each sentence.

CoNLL columns    columns parted by a tab or, where a line has none, by blanks; the word is the first and the tag the
                 last. A line -DOCSTART- opens a document and is no word. Source: Tjong Kim Sang and De Meulder 2003.
CoNLL-U          `.conllu`: ten columns parted by tabs; the word is FORM and the tag UPOS, columns 2 and 4. Lines that
                 begin with # are comments. Ranges of words written as one (1-2) and empty nodes (1.1) are no words:
                 they are left out and counted. Source: universaldependencies.org/format.html.

Both may have `.gz` or `.xz` after them. Columns count from 1; those of CoNLL-U have names, too.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from ..errors import DataError, OptionError
from .decoded import read_decoded, suffix_of, title_of
from .examples import TaggedSentences
from .picking import Column, pick
from .places import Places, places_in
from .report import listed

_COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_MAY_BE_NONE = ("FEATS", "DEPS", "MISC")
"""Columns of CoNLL-U in which _ says that there is nothing; in others that it is not known."""
_UNKNOWN = "_"
_SUFFIXES = (".conllu", ".conllup")
_START = "-DOCSTART-"
_COLUMNS_COMMENT = re.compile(r"#\s*global\.columns\s*=\s*(.+)")
_ID_COMMENT = re.compile(r"#\s*sent_id\s*=\s*(.*)")
_RANGE, _EMPTY_NODE = re.compile(r"\d+-\d+"), re.compile(r"\d+\.\d+")
RANGES, EMPTY_NODES, STARTS = "ranges of words written as one", "empty nodes", f"{_START} lines"
"""The kinds of lines that are no words, as `TaggedSentences.left_out` calls them."""


class TagLayout(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller says about a file of tagged words; None: by the rules of this module.

    word, tag: the columns, by number from 1, in CoNLL-U by name, too. format: by default CoNLL-U for `.conllu`, else
    CoNLL columns. encoding: by default UTF-8, or what a byte-order mark says.
    """

    word: Column | None = None
    tag: Column | None = None
    format: Literal["columns", "conllu"] | None = None
    encoding: str | None = None


@dataclass
class _Sentences:
    """What was read so far. ids: "" for a sentence without one."""

    words: list[list[str]] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)


def read_conll(path: str | os.PathLike[str], layout: TagLayout, labelled: bool | None = None) -> TaggedSentences:
    """Return the sentences of a file; where `labelled` is False, without their tags.

    A file of one column has words without tags, and so has CoNLL-U whose tags are all _. Raises DataError, with the
    line, for a line with too few columns, an empty word or tag, or words of CoNLL-U that are not numbered 1, 2, ….
    """
    name = os.fspath(path)
    title = title_of(name)
    is_conllu = suffix_of(name) in _SUFFIXES if layout.format is None else layout.format == "conllu"
    text = read_decoded(name, layout.encoding)
    read = _read_conllu if is_conllu else _read_columns
    sentences = read(text, title, layout, labelled is not False)
    if not sentences.words:
        raise DataError(f"{title} holds no words.", "give a word a line, and a blank line after each sentence.")
    tags = sentences.tags if any(sentences.tags) else None
    named = sentences.ids if any(sentences.ids) else None
    places = places_in(title, "line", sentences.lines)
    remarks = sentences.remarks + _names_twice(sentences.ids, places)
    return TaggedSentences(sentences.words, tags, places, named, sentences.left_out, remarks)


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """Yield the lines, with their numbers, between lines that are blank."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip(" \t"):
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


# ---- CoNLL columns


def _read_columns(text: str, title: str, layout: TagLayout, wants_tags: bool) -> _Sentences:
    found = _Sentences()
    names: list[str] = []
    word_at, tag_at = 0, None
    for block in _sentences(text, found):
        rows: list[list[str]] = []
        for number, line in block:
            cells = _cells(line)
            if not names:
                names = [str(column) for column in range(1, len(cells) + 1)]
                word_at, tag_at = _places(names, layout, title, wants_tags)
                unread = [name for place, name in enumerate(names) if place not in (word_at, tag_at)]
                found.remarks += [f"columns not read: {listed(unread)}"] if unread else []
            _check(cells, len(names), word_at, tag_at, title, number)
            rows.append(cells)
        found.lines.append(block[0][0])
        found.words.append([row[word_at] for row in rows])
        found.tags.append([] if tag_at is None else [row[tag_at].strip() for row in rows])
        found.ids.append("")
    if not wants_tags and layout.word is None and len(names) > 1 and "\t" not in text:
        _refuse_sentences_in_a_line(found, len(names), title)
    return found


def _refuse_sentences_in_a_line(found: _Sentences, width: int, title: str) -> None:
    """Raise DataError where each sentence is a line of its own: its other words would be lost without a word."""
    if all(len(sentence) == 1 for sentence in found.words):
        fact = f"the sentence is a line of {width:,} words, or a word in {width:,} columns."
        raise _wrong(title, found.lines[0], fact, "give a word a line; where it is a column say which: --word 1.")


def _sentences(text: str, found: _Sentences) -> Iterator[list[tuple[int, str]]]:
    """Yield the lines of each sentence; lines that open a document end one, too, and are counted."""
    for block in _blocks(text):
        sentence: list[tuple[int, str]] = []
        for number, line in block:
            if _cells(line)[0] != _START:
                sentence.append((number, line))
                continue
            found.left_out[STARTS] += 1
            if sentence:
                yield sentence
            sentence = []
        if sentence:
            yield sentence


def _cells(line: str) -> list[str]:
    """Return the columns of a line. Blanks that are none of ASCII may be words."""
    return line.split("\t") if "\t" in line else [cell for cell in line.split(" ") if cell]


def _places(names: Sequence[str], layout: TagLayout, title: str, wants_tags: bool) -> tuple[int, int | None]:
    """Return the places of word and tag, of which the latter is the last column unless the caller says another.

    Where tags do not matter a lone column is the word, whatever the caller says of files that have others.
    """
    if not wants_tags and len(names) == 1:
        return 0, None
    word_at = 0 if layout.word is None else pick(names, layout.word, title)
    if not wants_tags:
        return word_at, None
    if layout.tag is not None:
        return word_at, _other(pick(names, layout.tag, title), word_at)
    return word_at, len(names) - 1 if len(names) - 1 != word_at else None


def _other(tag_at: int, word_at: int) -> int:
    if tag_at == word_at:
        raise OptionError(f"column {tag_at + 1} cannot be word and tag.", "name two columns: --word 1 --tag 2.")
    return tag_at


def _wrong(title: str, number: int, fact: str, hint: str) -> DataError:
    """Return the error that a fact about a line is."""
    return DataError(f"{title}, line {number:,}: {fact}", hint)


def _check(cells: list[str], width: int, word_at: int, tag_at: int | None, title: str, number: int) -> None:
    if len(cells) != width:
        raise _wrong(
            title,
            number,
            f"it has {len(cells):,} columns, and the first word has {width:,}.",
            "give a word a line, all with the same columns, parted by tabs, or by blanks where there is no tab.",
        )
    for what, at in (("word", word_at), ("tag", tag_at)):
        if at is not None and not cells[at].strip(" "):
            raise _wrong(title, number, f"the {what} is missing.", "every line has a word and its tag, or is blank.")


# ---- CoNLL-U


def _read_conllu(text: str, title: str, layout: TagLayout, wants_tags: bool) -> _Sentences:
    found = _Sentences()
    names: Sequence[str] = _COLUMNS
    for block in _blocks(text):
        comments = [line for _, line in block if line.startswith("#")]
        names = next((match[1].split() for match in map(_COLUMNS_COMMENT.match, comments) if match), names)
        word_at, tag_at = _columns(names, layout, title, wants_tags)
        rows = list(_words(block, names, found, title))
        for number, cells in rows:
            _check(cells, len(names), word_at, tag_at, title, number)
        if rows:
            found.lines.append(rows[0][0])
            found.words.append([cells[word_at] for _, cells in rows])
            found.tags.append([] if tag_at is None else [_tag(cells[tag_at], names[tag_at]) for _, cells in rows])
            found.ids.append(next((match[1].strip() for match in map(_ID_COMMENT.match, comments) if match), ""))
    _refuse_some_unknown(found, title)
    return found


def _words(
    block: Sequence[tuple[int, str]], names: Sequence[str], found: _Sentences, title: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of a sentence that are words, cut into columns; count the others."""
    words = 0
    for number, line in block:
        if line.startswith("#"):
            continue
        cells = _cut(line, names, title, number)
        if cells[0] == str(words + 1):
            words += 1
            yield number, cells
            continue
        kind = _no_word(cells[0])
        if kind is None:
            raise _wrong(
                title,
                number,
                f"the word is numbered {cells[0][:40]!r} and not {words + 1}.",
                "words of a sentence count from 1, and a blank line stands between two sentences.",
            )
        found.left_out[kind] += 1


def _columns(names: Sequence[str], layout: TagLayout, title: str, wants_tags: bool) -> tuple[int, int | None]:
    word_at = pick(names, "FORM" if layout.word is None else layout.word, title)
    if not wants_tags:
        return word_at, None
    return word_at, _other(pick(names, "UPOS" if layout.tag is None else layout.tag, title), word_at)


def _cut(line: str, names: Sequence[str], title: str, number: int) -> list[str]:
    cells = line.split("\t")
    if len(cells) != len(names):
        raise _wrong(
            title,
            number,
            f"it has {len(cells):,} columns and not {len(names):,}, parted by tabs.",
            "CoNLL-U has ten; for other files leave --format out or say --format columns.",
        )
    return cells


def _tag(cell: str, column: str) -> str:
    """Return a tag; "" for one that is not known."""
    return "" if cell == _UNKNOWN and column not in _MAY_BE_NONE else cell.strip()


def _no_word(number: str) -> str | None:
    """Return what a line is that is no word: a range such as 1-2, or an empty node such as 1.1."""
    if _RANGE.fullmatch(number):
        return RANGES
    return EMPTY_NODES if _EMPTY_NODE.fullmatch(number) else None


def _refuse_some_unknown(found: _Sentences, title: str) -> None:
    """Take tags that are all unknown for none; raise DataError where some are and others are not."""
    unknown = [sentence for sentence, tags in enumerate(found.tags) if "" in tags]
    if not unknown:
        return
    if any(any(tags) for tags in found.tags):
        first = unknown[0]
        fact = f"line {found.lines[first]:,}: word {found.tags[first].index('') + 1:,} has the tag _, which is unknown"
        raise DataError(f"{title}, {fact}, and others have known ones.", "tag all words, or none.")
    found.tags = [[] for _ in found.tags]


def _names_twice(ids: Sequence[str], places: Places) -> list[str]:
    counts = Counter(name for name in ids if name)
    twice = [name for name, count in counts.items() if count > 1]
    if not twice:
        return []
    second = [number for number, name in enumerate(ids) if name == twice[0]][1]
    return [f"names of sentences that occur more than once: {len(twice):,}, such as {twice[0]!r} at {places[second]}"]
