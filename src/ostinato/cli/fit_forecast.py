"""``ostinato fit forecast``: learn series, and what comes next."""

from __future__ import annotations

import shlex
from typing import Any

import click

from ..tasks.forecast_options import ForecastOptions
from .evaluate_forecast import print_evaluation
from .fitting import Asked, fit_and_save, fit_flags, tell_written
from .output import print_json, progress


@click.command()
@fit_flags(ForecastOptions)
def forecast(asked: Asked, options: dict[str, Any]) -> None:
    """Train a forecaster on a table of series.

    FILE… are tables: CSV, TSV (.gz and .xz too), Parquet, or Monash's .tsf; several are put one below the other.
    A table is wide, a column a variable, or long, with columns for series, time and value (unique_id, ds, y).

    \b
    Example:
      ostinato fit forecast load.csv --target load --horizon 24 -o load.safetensors
    """
    from ..tasks.forecast import Forecaster

    forecaster = Forecaster(**options)
    target = asked.target()
    fit_and_save(forecaster, asked, target, list(asked.files))
    with progress("evaluating", asked.quiet) as move:
        found = forecaster.evaluate(progress=move)
    if asked.as_json:
        print_json({"task": "forecast", "model": str(target), "metrics": found.metrics, "baselines": found.baselines})
        return
    print_evaluation(str(target), found)
    tell_written(asked, target, f"try:\n  {shlex.join(['ostinato', 'predict', str(target), *asked.files])}")
