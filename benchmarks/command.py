"""The command ``python -m benchmarks``."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from ostinato.errors import OptionError, OstinatoError, closest

from . import grid
from .contenders import CONTENDERS, REFERENCE, Entry, is_ours
from .machine import Meter, describe
from .plot import draw
from .problem import cells_with_full_matrices
from .report import Report, Row, Settings
from .run import field_of, run_point
from .table import markdown

RESULTS = Path(__file__).with_name("results")
ROUNDS, STRETCH, PAUSE = 9, 0.1, 0.1
"""How often each contender is timed at a point, for at least how many seconds, and how long the rest before is. ONNX
Runtime's threads were seen to spin for up to 50 ms after the last call, everybody else's for 10 at most."""
QUICK_ROUNDS, QUICK_STRETCH, QUICK_PAUSE = 3, 0.005, 0.005


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--quick", is_flag=True, help="One small point a cell and group, few rounds: see that everything runs.")
@click.option(
    "--only",
    multiple=True,
    metavar="TEXT",
    help="Points whose name holds TEXT, or matches it as a pattern; repeatable.",
)
@click.option("--kinds", default="", metavar="A,B", help="Only these cells: elman, gru, lstm, …")
@click.option(
    "--contenders",
    default="",
    metavar="A,B",
    help=f"Only these: {', '.join(dict.fromkeys(e.name for e in CONTENDERS))}.",
)
@click.option(
    "--threads", type=click.IntRange(1, 256), default=2, show_default=True, help="Threads that everybody uses."
)
@click.option("--repeat", type=click.IntRange(1), help=f"Rounds at each point.  [default: {ROUNDS}]")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON instead of Markdown.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    help="The folder for the table, the JSON and the plot.  [default: benchmarks/results]",
)
@click.option("--list", "as_list", is_flag=True, help="Print the names of the points, and time nothing.")
def cli(
    quick: bool,
    only: Sequence[str],
    kinds: str,
    contenders: str,
    threads: int,
    repeat: int | None,
    as_json: bool,
    output: Path,
    as_list: bool,
) -> int:
    """Time Ostinato beside torch.nn, JAX, Keras, ONNX Runtime and OpenVINO on this machine.

    At each point every contender is first compared with a float64 reference, outputs and gradients; who is wrong is
    not timed. The others are timed in turns, each in a process of its own. A table (Markdown and JSON) and a plot
    (SVG) are written, named by the date. Exit code 1: Ostinato was wrong or failed somewhere.

    \b
    Examples:
      python -m benchmarks
      python -m benchmarks --only training --kinds lstm,gru --contenders ostinato,torch
      python -m benchmarks --only 'step/*-H128'
    """  # noqa: D301 - \b is click's mark of lines that stay as they are
    chosen = grid.chosen(grid.points(cells_with_full_matrices(), quick), only, _names(kinds))
    if not chosen:
        raise OptionError("no point of the grid is chosen.", "see python -m benchmarks --list for their names.")
    if as_list:
        click.echo("\n".join(point.name for point in chosen))
        return 0
    entries = _entries(_names(contenders))
    settings = _settings(quick, threads, repeat)
    report = measure(chosen, entries, settings)
    name = report.date + "-quick" * quick + "-part" * bool(only or kinds or contenders)
    write(report, output, name)
    click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode() if as_json else markdown(report))
    return 1 if any(is_ours(name) for row in report.rows for name in row.left_out) else 0


def measure(points: Sequence[grid.Point], entries: Sequence[Entry], settings: Settings) -> Report:
    """Measure the machine, then every point; an interrupt ends the run with the points so far.

    Raises OptionError where the reference, or more threads than there are cores, is wanted in vain.
    """
    if REFERENCE.missing:
        raise OptionError("the reference needs torch, which is not installed.", "pip install -e '.[train,bench]'")
    if settings.threads > (os.cpu_count() or 1):
        raise OptionError(f"there are no {settings.threads} cores here.", f"give --threads {os.cpu_count()}.")
    missing = {entry.name: entry.missing for entry in entries if entry.missing}
    for name, libraries in missing.items():
        _tell(f"{name} is missing: {', '.join(libraries)} not installed")
    _tell("measuring the machine")
    meter = Meter(settings.threads)
    report = Report(str(datetime.date.today()), describe(meter), settings, missing, [])
    try:
        with field_of(settings.threads) as field:
            for count, point in enumerate(points, 1):
                _tell(f"[{count}/{len(points)}] {point.name}")
                report.rows.append(run_point(field, point, entries, settings, meter, _tell))
                _tell(f"  {_spell(report.rows[-1])}")
    except KeyboardInterrupt:
        _tell("interrupted: what is measured so far is written.")
    return report


def write(report: Report, folder: Path, name: str) -> None:
    """Write a report as NAME.md, NAME.json and, with matplotlib, NAME.svg into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(markdown(report), encoding="utf-8")
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    if find_spec("matplotlib") is None:
        _tell("no plot: matplotlib is not installed")
    else:
        draw(report, folder / f"{name}.svg")
    _tell(f"written: {folder / name}.md")


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        code = cli.main(prog_name="python -m benchmarks", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except OstinatoError as error:
        _tell(f"error: {error}")
        sys.exit(error.exit_code)


def _settings(quick: bool, threads: int, repeat: int | None) -> Settings:
    rounds, seconds, pause = (QUICK_ROUNDS, QUICK_STRETCH, QUICK_PAUSE) if quick else (ROUNDS, STRETCH, PAUSE)
    return Settings(threads, repeat or rounds, seconds, pause, quick)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _entries(names: Sequence[str]) -> list[Entry]:
    known = [entry.name for entry in CONTENDERS]
    for name in names:
        if name not in known:
            raise OptionError(f"there is no contender {name!r}.", closest(name, known))
    return [entry for entry in CONTENDERS if not names or entry.name in names]


def _spell(row: Row) -> str:
    return ", ".join(f"{name} {timing.median:.3g} ms" for name, timing in row.timings.items()) or "nobody was timed"


def _tell(line: str) -> None:
    click.echo(line, err=True)
