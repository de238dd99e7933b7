"""``ostinato predict``: what comes next, or what something is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError, OptionError
from . import flags
from .opening import refuse_flags_of_others
from .output import print_json, say
from .predict_labels import check_lines, check_output, predict_classes, write_rows
from .predict_tags import check_tags_output, predict_tags
from .target import check_folder

if TYPE_CHECKING:
    from ..tasks.forecast import Forecaster


@click.command()
@click.argument("model")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--future", metavar="FILE", help="Rows ahead, of the columns whose future is known.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="A table, by its ending. [default: printed]")
@click.option("--lines", is_flag=True, help="Of a model that labels: print JSON lines, with every class.")
@flags.reading_flags
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
    lines: bool,
    paths: int | None,
    seed: int | None,
    plot: Path | None,
    quiet: bool,
    as_json: bool,
    **reading: Any,
) -> None:
    """Forecast what comes after each series in FILE…, or tell what each sequence in FILE… is, and how sure that is.

    A forecaster's table needs the columns that the model was trained on; its series may be new ones. A classifier's
    files are read as its training files were, but need no labels; - is standard input, with a text a line. A tagger
    reads a word a line, with a blank line after each sentence.

    \b
    Example:
      ostinato predict load.safetensors load.csv -o next.csv
      ostinato predict load.safetensors load.csv --paths 100 -o paths.csv
      echo "what a film" | ostinato predict reviews.safetensors -
      ostinato predict pos.safetensors words.txt -o tagged.conll
    """
    from .. import load

    opened: Any = load(model)
    for path in filter(None, (output, plot)):
        check_folder(path)
    check_lines(output, lines)
    if opened.task == "classify":
        refuse_flags_of_others("classify", FLAGS)
        check_output(output)
        rows = predict_classes(flags.read_as(opened, reading), files, lines or as_json, quiet)
        print_json({"task": "classify", "predictions": rows}) if as_json else write_rows(rows, output, lines, quiet)
        return
    if opened.task == "tag":
        refuse_flags_of_others("tag", FLAGS)
        check_tags_output(output)
        predict_tags(flags.read_as(opened, reading), files, output, lines, quiet, as_json)
        return
    refuse_flags_of_others("forecast", FLAGS)
    _forecast(as_forecaster(model, opened), files, future, output, paths, seed, plot, quiet, as_json)


FLAGS = {
    "forecast": ("future", "paths", "seed", "plot"),
    "classify": ("lines", *flags.READING),
    "tag": ("lines", *flags.TAG_READING),
}
"""Flags that are for one kind of model, by its task."""


def _forecast(
    forecaster: Forecaster,
    files: tuple[str, ...],
    future: str | None,
    output: Path | None,
    paths: int | None,
    seed: int | None,
    plot: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    from ..tasks.forecast_plot import draw_forecast
    from ..tasks.picture import check_picture

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


def as_forecaster(path: str, opened: Any) -> Forecaster:
    """Return a model that was opened from a path. Raises DataError for one that does not forecast."""
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
