"""``ostinato fit forecast``: learn series, and what comes next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ..errors import Interrupted
from ..tasks.forecast_options import ForecastOptions
from . import flags
from .cell_argument import find_cell
from .evaluate_forecast import print_evaluation
from .fit import check_target, checkpoint_of, default_output
from .output import print_json, progress, say, this_command


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="The model file. [default: the first FILE's name]"
)
@click.option("--resume", is_flag=True, help="Go on from OUTPUT.checkpoint, as if the run had never stopped.")
@click.option("--log", type=click.Path(path_type=Path), help="Append every evaluation to this file as JSON lines.")
@flags.quiet_flag
@flags.json_flag
@flags.task_flags(ForecastOptions)
def forecast(
    files: tuple[str, ...],
    output: Path | None,
    resume: bool,
    log: Path | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a forecaster on a table of series.

    FILE… are tables: CSV, TSV (.gz and .xz too), Parquet, or Monash's .tsf; several are put one below the other.
    A table is wide, a column a variable, or long, with columns for series, time and value (unique_id, ds, y).

    \b
    Example:
      ostinato fit forecast load.csv --target load --horizon 24 -o load.safetensors
    """
    from ..tasks.forecast import Forecaster

    given = flags.given(ForecastOptions, options)
    if "cell" in given:
        given["cell"] = find_cell(given["cell"])
    forecaster = Forecaster(**given)
    target = output or default_output(files[0])
    checkpoint = checkpoint_of(target)
    check_target(target)
    try:
        forecaster.fit(list(files), checkpoint=checkpoint, resume=resume, quiet=quiet, log=log)
    except Interrupted as error:
        error.hint = f"go on with: {this_command('--resume')}"
        raise
    forecaster.save(target)
    checkpoint.unlink(missing_ok=True)
    with progress("evaluating", quiet) as move:
        found = forecaster.evaluate(progress=move)
    if as_json:
        print_json({"task": "forecast", "model": str(target), "metrics": found.metrics, "baselines": found.baselines})
        return
    print_evaluation(str(target), found)
    if not quiet:
        size = target.stat().st_size / 1e6
        names = " ".join(map(shlex.quote, (str(target), *files)))
        say(f"\nwritten: {target} ({size:.1f} MB); try:\n  ostinato predict {names}")
