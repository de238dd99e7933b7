"""``ostinato fit tag``: learn a tag for each word of a sentence."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ..errors import Interrupted
from ..tasks.tagger_options import TaggerOptions
from . import flags
from .cell_argument import find_cell
from .evaluate_labels import TITLES
from .fit import check_target, checkpoint_of, default_output
from .output import print_json, say, this_command


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The model file. [default: the first FILE's name]"
)
@click.option("--valid", multiple=True, metavar="FILE", help="Sentences to choose the best point by, held out.")
@click.option("--resume", is_flag=True, help="Go on from OUTPUT.checkpoint, as if the run had never stopped.")
@click.option("--log", type=click.Path(path_type=Path), help="Append every evaluation to this file as JSON lines.")
@flags.quiet_flag
@flags.json_flag
@flags.task_flags(TaggerOptions)
def tag(
    files: tuple[str, ...],
    output: Path | None,
    valid: tuple[str, ...],
    resume: bool,
    log: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a tagger of words: parts of speech, named entities, or any other tags.

    FILE… have a word and its tag a line, in columns, and a blank line after each sentence (CoNLL), or are CoNLL-U; .gz
    and .xz too.

    \b
    Example:
      ostinato fit tag train.conllu --valid dev.conllu -o pos.safetensors --time 10m
      ostinato fit tag train.conll.gz --word 1 --tag 4 -o names.safetensors
    """
    from ..tasks.tagger import Tagger

    given = flags.given(TaggerOptions, options)
    if "cell" in given:
        given["cell"] = find_cell(given["cell"])
    tagger = Tagger(**given)
    target = output or default_output(files[0])
    checkpoint = checkpoint_of(target)
    check_target(target)
    held_out = [Path(file) for file in valid] or None
    try:
        tagger.fit(
            [Path(file) for file in files], valid=held_out, checkpoint=checkpoint, resume=resume, quiet=quiet, log=log
        )
    except Interrupted as error:
        error.hint = f"go on with: {this_command('--resume')}"
        raise
    tagger.save(target)
    checkpoint.unlink(missing_ok=True)
    if as_json:
        print_json({"task": "tag", "model": str(target), "metrics": tagger.metrics_})
        return
    told = [name for name in ("accuracy", "entity_f1", "log_loss") if name in tagger.metrics_]
    figures = ", ".join(f"{TITLES[name]} {tagger.metrics_[name]:.4f}" for name in told)
    click.echo(f"{target}: {figures} on the {tagger.data_.valid:,} sentences held out")
    if not quiet:
        size = target.stat().st_size / 1e6
        names = " ".join(map(shlex.quote, files))
        say(f"\nwritten: {target} ({size:.1f} MB); beside the baseline, on sentences it has not seen:")
        say(f"  ostinato evaluate {shlex.quote(str(target))} TEST --train {names}")
