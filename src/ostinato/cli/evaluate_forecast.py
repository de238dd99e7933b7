"""A forecaster's figures and picture on files, and how the figures are printed, beside the baselines'."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import progress
from .target import check_folder

if TYPE_CHECKING:
    from ..tasks.forecast import Forecaster
    from ..tasks.forecast_evaluation import ForecastEvaluation

TITLES = {"mse": "MSE", "mae": "MAE", "smape": "sMAPE", "mase": "MASE", "owa": "OWA", "wql": "WQL"}
"""The figures of the table, in its order; of coverage there is a column for each central interval."""


def evaluate_forecaster(
    forecaster: Forecaster, files: list[str], plot: Path | None, quiet: bool, *, refit: int | None, **how: Any
) -> ForecastEvaluation:
    """Return a forecaster's figures on files, and draw its forecasts where a picture is asked for.

    how: the other arguments of `Forecaster.evaluate`. A refit shows its own progress, which is what takes long.
    """
    from ..tasks.forecast_plot import Shown, draw_evaluation
    from ..tasks.picture import check_picture

    shown = None
    if plot is not None:
        check_folder(plot)
        check_picture(plot)
        shown = Shown()
    with progress("evaluating", quiet or refit is not None) as move:
        found = forecaster.evaluate(files, refit=refit, quiet=quiet, watch=shown, progress=move, **how)
    if shown is not None and plot is not None:
        draw_evaluation(forecaster, shown, plot)
    return found


def print_evaluation(model: str, found: ForecastEvaluation, steps: bool = False) -> None:
    """Print a forecaster's figures beside the baselines', the best first, and say so if a baseline wins.

    steps: the figures of each step ahead, too.
    """
    rows = sorted([(model, found.metrics), *found.baselines.items()], key=lambda row: row[1][found.measure])
    columns = TITLES | {name: f"{name[9:]}% band" for name in found.metrics if name.startswith("coverage_")}
    shown = {name: title for name, title in columns.items() if any(name in figures for _, figures in rows)}
    width = max(len(name) for name, _ in rows) + 2
    refits = f", with {found.refits:,} refit{'s' if found.refits > 1 else ''} on the way" if found.refits else ""
    click.echo(f"{found.windows:,} window{'s' if found.windows > 1 else ''} of the {found.part} part{refits}")
    click.echo(f"{'':{width}}" + "".join(f"{title:>12}" for title in shown.values()))
    for name, figures in rows:
        click.echo(f"{name:{width}}" + "".join(_cell(figures, column) for column in shown))
    if found.winner is not None:
        click.echo(f"\nThe baseline {found.winner} beats the model here, by its {TITLES[found.measure]}.")
    if found.part == "validation" and not found.refits:
        click.echo("\nNothing was left for a test (--split TRAIN,VALID,TEST): these rows chose the weights.", err=True)
    if steps:
        _print_steps(found, shown)


def _print_steps(found: ForecastEvaluation, shown: Mapping[str, str]) -> None:
    names = [name for name in shown if name in found.by_step]
    click.echo("\n" + f"{'step':>8}" + "".join(f"{shown[name]:>12}" for name in names))
    for step in range(len(found.by_step["mse"])):
        figures = {name: found.by_step[name][step] for name in names}
        click.echo(f"{step + 1:8}" + "".join(_cell(figures, name) for name in names))


def _cell(figures: Mapping[str, float], name: str) -> str:
    value = figures.get(name, math.nan)
    if math.isnan(value):
        return f"{'-':>12}"
    if name.startswith("coverage_"):
        return f"{100 * value:11.1f}%"
    return f"{value:12.4f}" if abs(value) < 1e4 else f"{value:12.5g}"
