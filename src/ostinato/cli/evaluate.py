"""``ostinato evaluate``: a model's figures on a file, beside the baselines'."""

from __future__ import annotations

import click

from . import flags
from .opening import open_language_model
from .output import TITLES, print_figures, print_json, progress, say, this_command
from .sources import read_sources


@click.command()
@click.argument("model")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--train", multiple=True, metavar="FILE", help="The text that baselines learn from.")
@flags.encoding_flag
@flags.unknown_flag
@flags.quiet_flag
@flags.json_flag
def evaluate(
    model: str, files: tuple[str, ...], train: tuple[str, ...], encoding: str, unknown: str, quiet: bool, as_json: bool
) -> None:
    """Tell how well a model predicts a file, beside baselines on the same text.

    Where FILE is what the model was trained on, only the part that was held out counts.

    \b
    Example:
      ostinato evaluate book.safetensors book.txt
    """
    opened = open_language_model(model)
    tokens = opened.options.tokens
    text = read_sources(files, tokens, encoding)
    learned = read_sources(train, tokens, encoding) if train else None
    with progress("evaluating", quiet) as move:
        found = opened.evaluate(text, learned, unknown=unknown, progress=move)  # type: ignore[arg-type]
    if as_json:
        print_json(found)
        return
    print_figures(model, found.metrics, found.baselines)
    if found.missing and not quiet:
        names = ", ".join(TITLES[name] for name in found.missing)
        say(f"\nmissing: {names}, which learn from the training text; with them:\n  {this_command('--train', 'FILE')}")
