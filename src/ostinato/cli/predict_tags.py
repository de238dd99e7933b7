"""Tagged words: as CoNLL columns, as a table, or as JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import OptionError
from .output import print_json, progress, say
from .predict_labels import ENDINGS, write_rows

if TYPE_CHECKING:
    from ..tasks.tagger import Tagger

COLUMNS = ".conll"
"""The ending of a file with a word and its tag a line, and a blank line after each sentence."""
Sentence = dict[str, Any]
"""Where a sentence stands (``place``), its ``words``, their ``tags``, and how likely each of these is."""


def check_tags_output(output: Path | None) -> None:
    """Raise OptionError for a file that is no kind that tags are written as."""
    if output is not None and output.suffix.lower() not in (COLUMNS, *ENDINGS):
        known = ", ".join((COLUMNS, *ENDINGS))
        raise OptionError(f"{output} names no kind of file that tags are written as.", f"end it in {known}.")


def predict_tags(
    tagger: Tagger, files: Sequence[str], output: Path | None, lines: bool, quiet: bool, as_json: bool
) -> None:
    """Write the tags of the words in files: columns by default, or by the output's ending."""
    sentences = _tagged(tagger, files, quiet)
    if as_json:
        print_json({"task": "tag", "predictions": sentences})
    elif lines or (output is not None and output.suffix.lower() == ".jsonl"):
        write_rows(sentences, output, True, quiet)
    elif output is None:
        click.echo(_columns(sentences), nl=False)
    elif output.suffix.lower() == COLUMNS:
        _write(_columns(sentences), output, len(sentences), quiet)
    else:
        write_rows(list(_words(sentences)), output, False, quiet)


def _tagged(tagger: Tagger, files: Sequence[str], quiet: bool) -> list[Sentence]:
    examples = tagger.read([Path(file) for file in files])
    with progress("predicting", quiet) as move:
        found = tagger.tagged(examples.words, move)
    return [
        {"place": examples.places[number], "words": words, "tags": tags, "probabilities": p.tolist()}
        for number, (words, (tags, p)) in enumerate(zip(examples.words, found, strict=True))
    ]


def _columns(sentences: Iterable[Sentence]) -> str:
    blocks = (
        "".join(f"{word}\t{tag}\n" for word, tag in zip(one["words"], one["tags"], strict=True)) for one in sentences
    )
    return "\n".join(blocks)


def _words(sentences: Iterable[Sentence]) -> Iterable[dict[str, Any]]:
    """Yield a row a word."""
    for one in sentences:
        each = zip(one["words"], one["tags"], one["probabilities"], strict=True)
        for number, (word, tag, p) in enumerate(each, 1):
            yield {"place": one["place"], "number": number, "word": word, "tag": tag, "probability": p}


def _write(text: str, output: Path, count: int, quiet: bool) -> None:
    from ..files import write_atomically

    write_atomically(output, text.encode())
    if not quiet:
        say(f"written: {output}, {count:,} sentences")
