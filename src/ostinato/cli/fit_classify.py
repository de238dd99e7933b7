"""``ostinato fit classify``: learn what labelled sequences are."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ..errors import Interrupted
from ..tasks.classifier_options import ClassifierOptions
from . import flags
from .cell_argument import find_cell
from .fit import check_target, checkpoint_of, default_output
from .output import print_json, say, this_command


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The model file. [default: the first FILE's name]"
)
@click.option("--valid", multiple=True, metavar="FILE", help="Examples to choose the best point by, held out.")
@click.option("--resume", is_flag=True, help="Go on from OUTPUT.checkpoint, as if the run had never stopped.")
@click.option("--log", type=click.Path(path_type=Path), help="Append every evaluation to this file as JSON lines.")
@flags.quiet_flag
@flags.json_flag
@flags.task_flags(ClassifierOptions)
def classify(
    files: tuple[str, ...],
    output: Path | None,
    valid: tuple[str, ...],
    resume: bool,
    log: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a classifier of texts, or of series of numbers.

    FILE… are tables with a text and a label a row (CSV, TSV, JSON lines, Parquet; .gz and .xz too), or folders with a
    folder a class. Series are .ts or .npz files, or long tables with columns for series, time, values and label.

    \b
    Example:
      ostinato fit classify reviews.csv -o reviews.safetensors --time 10m
      ostinato fit classify train.tsv.xz --no-header --text 4 --label 1 -o m.safetensors
    """
    from ..tasks.classifier import Classifier

    given = flags.given(ClassifierOptions, options)
    if "cell" in given:
        given["cell"] = find_cell(given["cell"])
    classifier = Classifier(**given)
    target = output or default_output(files[0])
    checkpoint = checkpoint_of(target)
    check_target(target)
    held_out = [Path(file) for file in valid] or None
    try:
        classifier.fit(
            [Path(file) for file in files], valid=held_out, checkpoint=checkpoint, resume=resume, quiet=quiet, log=log
        )
    except Interrupted as error:
        error.hint = f"go on with: {this_command('--resume')}"
        raise
    classifier.save(target)
    checkpoint.unlink(missing_ok=True)
    if as_json:
        print_json({"task": "classify", "model": str(target), "metrics": classifier.metrics_})
        return
    accuracy, loss = classifier.metrics_["accuracy"], classifier.metrics_["log_loss"]
    click.echo(f"{target}: accuracy {accuracy:.4f}, log loss {loss:.4f} on the {classifier.data_.valid:,} held out")
    if not quiet:
        size = target.stat().st_size / 1e6
        names = " ".join(map(shlex.quote, files))
        say(f"\nwritten: {target} ({size:.1f} MB); beside baselines, on examples it has not seen:")
        say(f"  ostinato evaluate {shlex.quote(str(target))} TEST --train {names}")
