"""``ostinato fit``: train a model from files."""

from __future__ import annotations

import shlex
from typing import Any

import click

from ..tasks.language_options import LanguageOptions
from . import flags
from .fitting import Asked, fit_and_save, fit_flags, tell_written
from .output import print_figures, print_json, say
from .sources import read_sources


@click.group()
def fit() -> None:
    """Train a model from files."""


@fit.command()
@fit_flags(LanguageOptions, flags.encoding_flag, valid="Held-out text of its own, instead of the text's end.")
def language(asked: Asked, options: dict[str, Any], encoding: str) -> None:
    """Train a language model on text.

    FILE… are text files (.gz and .xz too), folders of them, or - for standard input. The last tenth of the
    text is held out, and the weights that predict it best are kept.

    \b
    Example:
      ostinato fit language book.txt -o book.safetensors --time 10m
    """
    from ..tasks.language import LanguageModel

    model = LanguageModel(**options)
    target = asked.target()
    text = read_sources(asked.files, model.options.tokens, encoding)
    held_out = read_sources(asked.valid, model.options.tokens, encoding) if asked.valid else None
    _tell_left_out(text, asked.quiet)
    fit_and_save(model, asked, target, text, valid=held_out)
    if asked.as_json:
        print_json({"task": "language", "model": str(target), "metrics": model.metrics_, "baselines": model.baselines_})
        return
    print_figures(str(target), model.metrics_, model.baselines_)
    tell_written(asked, target, f"try:\n  {shlex.join(['ostinato', 'generate', str(target)])}")


def _tell_left_out(text: Any, quiet: bool) -> None:
    if text.left_out and not quiet:
        say(f"left out: {text.left_out} binary file{'s' if text.left_out > 1 else ''}")
