"""``ostinato fit tag``: learn a tag for each word of a sentence."""

from __future__ import annotations

from typing import Any

import click

from ..tasks.tagger_options import TaggerOptions
from .fitting import Asked, fit_flags, fit_labels


@click.command()
@fit_flags(TaggerOptions, valid="Sentences to choose the best point by, held out.")
def tag(asked: Asked, options: dict[str, Any]) -> None:
    """Train a tagger of words: parts of speech, named entities, or any other tags.

    FILE… have a word and its tag a line, in columns, and a blank line after each sentence (CoNLL), or are CoNLL-U; .gz
    and .xz too; - is standard input.

    \b
    Example:
      ostinato fit tag train.conllu --valid dev.conllu -o pos.safetensors --time 10m
      ostinato fit tag train.conll.gz --word 1 --tag 4 -o names.safetensors
    """
    from ..tasks.tagger import Tagger

    fit_labels(Tagger(**options), asked, "sentences held out", "the baseline, on sentences")
