"""``ostinato fit``: train a model from files."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ..errors import DataError, Interrupted
from ..tasks.language_options import LanguageOptions
from . import flags
from .cell_argument import find_cell
from .output import print_figures, print_json, say, this_command
from .sources import read_sources


@click.group()
def fit() -> None:
    """Train a model from files."""


@fit.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The model file. [default: the first FILE's name]"
)
@click.option("--valid", multiple=True, metavar="FILE", help="Held-out text of its own, instead of the text's end.")
@click.option("--resume", is_flag=True, help="Go on from OUTPUT.checkpoint, as if the run had never stopped.")
@click.option("--log", type=click.Path(path_type=Path), help="Append every evaluation to this file as JSON lines.")
@flags.encoding_flag
@flags.quiet_flag
@flags.json_flag
@flags.task_flags(LanguageOptions)
def language(
    files: tuple[str, ...],
    output: Path | None,
    valid: tuple[str, ...],
    resume: bool,
    log: Path | None,
    encoding: str,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a language model on text.

    FILE… are text files (.gz and .xz too), folders of them, or - for standard input. The last tenth of the
    text is held out, and the weights that predict it best are kept.

    \b
    Example:
      ostinato fit language book.txt -o book.safetensors --time 10m
    """
    from ..tasks.language import LanguageModel

    given = flags.given(LanguageOptions, options)
    cell = find_cell(given.pop("cell", "lstm"))
    model = LanguageModel(cell, **given)
    target = output or default_output(files[0])
    checkpoint = checkpoint_of(target)
    check_target(target)
    text = read_sources(files, model.options.tokens, encoding)
    held_out = read_sources(valid, model.options.tokens, encoding) if valid else None
    _tell_left_out(text, quiet)
    try:
        model.fit(text, held_out, checkpoint=checkpoint, resume=resume, quiet=quiet, log=log)
    except Interrupted as error:
        error.hint = f"go on with: {this_command('--resume')}"
        raise
    model.save(target)
    checkpoint.unlink(missing_ok=True)
    if as_json:
        print_json({"task": "language", "model": str(target), "metrics": model.metrics_, "baselines": model.baselines_})
        return
    print_figures(str(target), model.metrics_, model.baselines_)
    if not quiet:
        size = target.stat().st_size / 1e6
        say(f"\nwritten: {target} ({size:.1f} MB); try:\n  ostinato generate {shlex.quote(str(target))}")


def default_output(first: str) -> Path:
    """Return the model file's name for a source's: ``input.txt.gz`` gives ``input.safetensors``, here."""
    stem = "model" if first == "-" else Path(first).resolve().name.split(".")[0]
    return Path(f"{stem or 'model'}.safetensors")


def checkpoint_of(target: Path) -> Path:
    """Return where a run to `target` keeps its checkpoint."""
    return target.with_name(f"{target.name}.checkpoint")


def check_target(target: Path) -> None:
    """Refuse, before any work, an output that cannot be written or would take something with it.

    Raises DataError.
    """
    from ..model_file import kind_of

    check_folder(target)
    if target.exists() and kind_of(target) in (None, "checkpoint"):
        raise DataError(f"{target} exists and is no model file, so it is not overwritten.", "choose another --output.")


def check_folder(target: Path) -> None:
    """Refuse an output that is a folder, or in none. Raises DataError."""
    if not target.parent.is_dir():
        folder = shlex.quote(str(target.parent))
        raise DataError(f"there is no folder {target.parent} for the output.", f"make it: mkdir -p {folder}")
    if target.is_dir():
        raise DataError(f"the output {target} is a folder.", "name a file: -o model.safetensors")


def _tell_left_out(text: Any, quiet: bool) -> None:
    if text.left_out and not quiet:
        say(f"left out: {text.left_out} binary file{'s' if text.left_out > 1 else ''}")
