"""``ostinato predict``: what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError, OptionError
from . import flags
from .fit import check_folder
from .output import print_json, say

if TYPE_CHECKING:
    from ..tasks.forecast import Forecaster


@click.command()
@click.argument("model")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--future", metavar="FILE", help="Rows ahead, of the columns whose future is known.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="A .csv, .parquet or .json file. [default: CSV, printed]"
)
@click.option("--paths", type=click.IntRange(min=1), help="Draw so many paths of each series, instead of quantiles.")
@click.option("--seed", type=click.IntRange(0, 2**53), help="The seed of the paths. [default: 0]")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the forecast and its bands: a .png or .svg file.")
@flags.quiet_flag
@flags.json_flag
def predict(
    model: str,
    files: tuple[str, ...],
    future: str | None,
    output: Path | None,
    paths: int | None,
    seed: int | None,
    plot: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Forecast what comes after the end of each series in FILE….

    The table needs the columns that the model was trained on; its series may be new ones.

    \b
    Example:
      ostinato predict load.safetensors load.csv -o next.csv
      ostinato predict load.safetensors load.csv --paths 100 -o paths.csv
    """
    from ..tasks.forecast_plot import check_picture, draw_forecast

    forecaster = open_forecaster(model)
    for path in filter(None, (output, plot)):
        check_folder(path)
    if output is not None and output.suffix.lower() not in WRITERS:
        raise OptionError(f"{output} names no kind of table.", f"end it in {', '.join(WRITERS)}.")
    if plot is not None:
        check_picture(plot)
    if seed is not None and paths is None:
        raise OptionError("--seed is the seed of sample paths.", "say how many: --paths 100")
    read = list(files)
    table = forecaster.predict(read, future) if paths is None else forecaster.sample(read, future, paths, seed or 0)
    if plot is not None:
        draw_forecast(forecaster, read, table if paths is None else forecaster.predict(read, future), plot)
    if as_json:
        print_json({"task": "forecast", "forecast" if paths is None else "paths": table.to_dicts()})
    elif output is None:
        click.echo(table.write_csv(), nl=False)
    else:
        _write(table, output)
        if not quiet:
            say(f"written: {output}, {len(table):,} rows")


def open_forecaster(path: str) -> Forecaster:
    """Open a forecaster. Raises DataError for a model of another kind, FileFormatError for what is no model."""
    from .. import load

    opened: Any = load(path)
    if opened.task != "forecast":
        raise DataError(f"{path} is a {opened.task} model, not a forecaster.", f"see: ostinato info {path}")
    forecaster: Forecaster = opened
    return forecaster


WRITERS = {".csv": "write_csv", ".parquet": "write_parquet", ".json": "write_json"}
"""polars' method for each kind of file."""


def _write(table: Any, path: Path) -> None:
    from io import BytesIO

    from ..files import write_atomically

    content = BytesIO()
    getattr(table, WRITERS[path.suffix.lower()])(content)
    write_atomically(path, content.getvalue())
