"""Reviews of films told apart: the same network in Ostinato, torch.nn and Keras, from text on disk to test accuracy.

    python -m benchmarks.classification DATA [--reviews 1000] [--only torch] [--peer NAME=PYTHON] [--output FOLDER]

DATA is a folder with imdb/train.tsv.xz and imdb/test.tsv.xz: a review a line, its class (0 or 1), two cells that are
not read, and its text, with tabs between them. Each run is a process of its own (`classification_peers`), one after
the other. Exit code 1: a run failed.
"""

from __future__ import annotations

import datetime
import json
import lzma
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from .classification_peers import CONTENDERS
from .classification_script import WHOLE, Setting, lines_of
from .forecast import Took, run
from .machine import Machine, Meter, describe
from .table import grid, told
from .worker import limit

OURS = "ostinato"
PEERS = {"torch.nn": "torch-", "Keras": "keras-"}
"""Whom Ostinato is compared with, and how the names of their contenders begin."""
RESULTS = Path(__file__).with_name("results")
EVERY = 10
"""Of so many runs of neighbours one is held out: neighbours are reviews of the same film."""
RUNS = 200


class Line(msgspec.Struct):
    """What one contender took: medians of its rounds.

    before: seconds to the first step of training. training, testing: reviews a second. whole: seconds of the process.
    memory: its largest, in MB. weights: how many the model has.
    """

    kind: str
    words: int
    contender: str
    rounds: int
    before: float
    training: float
    testing: float
    whole: float
    memory: float
    accuracy: float
    weights: int
    versions: dict[str, str]


class Report(msgspec.Struct):
    """A run. sizes: how many reviews are in each part. left_out: who could not be timed, and why."""

    date: str
    machine: Machine
    setting: dict[str, Any]
    sizes: dict[str, int]
    lines: list[Line]
    left_out: dict[str, str]


def write_parts(data: Path, folder: Path, count: int | None) -> dict[str, int]:
    """Write train.tsv.xz, valid.tsv.xz and test.tsv.xz, lines as they are in DATA, and return how many each has.

    count: so many lines of either file, evenly spaced; by default all. A tenth of the first file is held out.
    """
    learned, tested = (_some(lines_of(data / "imdb" / f"{part}.tsv.xz"), count) for part in ("train", "test"))
    length = max(1, len(learned) // RUNS)
    is_held_out = [place // length % EVERY == EVERY - 1 for place in range(len(learned))]
    parts = {
        "train": [line for line, is_out in zip(learned, is_held_out, strict=True) if not is_out],
        "valid": [line for line, is_out in zip(learned, is_held_out, strict=True) if is_out],
        "test": tested,
    }
    for name, lines in parts.items():
        with lzma.open(folder / f"{name}.tsv.xz", "wt", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
    return {name: len(lines) for name, lines in parts.items()}


def _some(lines: list[str], count: int | None) -> list[str]:
    if count is None or count >= len(lines):
        return lines
    return [lines[place * len(lines) // count] for place in range(count)]


def line_of(setting: Setting, contender: str, sizes: dict[str, int], rounds: list[Took]) -> Line:
    """Return what the runs of a contender come to."""

    def median(field: str) -> float:
        return statistics.median(each.printed[field] for each in rounds)

    return Line(
        setting.kind,
        setting.words,
        contender,
        len(rounds),
        median("before"),
        setting.epochs * sizes["train"] / median("training"),
        sizes["test"] / median("testing"),
        statistics.median(each.seconds for each in rounds),
        max(each.memory for each in rounds),
        median("accuracy"),
        rounds[0].printed["weights"],
        rounds[0].printed["versions"],
    )


def measure(
    folder: Path, settings: list[Setting], pythons: dict[str, str], rounds: int, report: Report
) -> Iterator[Report]:
    """Run everybody in turns, round by round; yield the report, which grows, after each run."""
    for setting in settings:
        taken: dict[str, list[Took]] = {name: [] for name in pythons}
        done = list(report.lines)
        for number in range(rounds):
            for name, python in pythons.items():
                if name in report.left_out:
                    continue
                _tell(f"{setting.kind}, {_extent(setting.words)}, round {number + 1}: {name}")
                command = (python, "-m", "benchmarks.classification_peers", str(folder), "--contender", name)
                try:
                    took = run(*command, "--setting", json.dumps(asdict(setting)))
                except (subprocess.CalledProcessError, OSError) as error:
                    report.left_out[f"{name}, {setting.kind}, {_extent(setting.words)}"] = f"failed: {error}"
                    continue
                if "missing" in took.printed:
                    report.left_out[name] = f"not installed: {took.printed['missing']}"
                    continue
                taken[name].append(took)
                lines = (line_of(setting, each, report.sizes, found) for each, found in taken.items() if found)
                report.lines = [*done, *lines]
                yield report
    yield report


def markdown(report: Report) -> str:
    """Return a report as a table for each setting, with what Ostinato's speed is to that of the fastest others."""
    sizes, setting = report.sizes, report.setting
    head = "\n".join(
        [
            *told(report.machine, setting["threads"]),
            *_other_versions(report),
            f"* {sizes['train']:,} reviews to learn from, {sizes['valid']:,} held out, {sizes['test']:,} to test by; "
            f"{' and '.join(setting['pooling'])} pooling; epochs: {setting['epochs']}; threads: {setting['threads']}",
        ]
    )
    parts = [f"# Reviews told apart, {report.date}", head]
    columns = ["", "before, s", "training, reviews/s", "test, reviews/s", "whole, s", "memory, MB", "accuracy"]
    for kind, words in dict.fromkeys((line.kind, line.words) for line in report.lines):
        lines = [line for line in report.lines if (line.kind, line.words) == (kind, words)]
        parts += [f"## {kind}, {_extent(words)}", grid(columns, map(_cells, lines))]
        parts += [said for name, prefix in PEERS.items() for said in _comparison(lines, name, prefix)]
    parts += [f"* {name}: {why}" for name, why in report.left_out.items()]
    return "\n\n".join(parts) + "\n"


def _other_versions(report: Report) -> list[str]:
    """Return what contenders had of other environments, a line for each that was different."""
    found: dict[str, list[str]] = {}
    for line in report.lines:
        others = line.versions.items() - report.machine.versions.items()
        if others:
            found.setdefault(", ".join(f"{name} {version}" for name, version in sorted(others)), []).append(
                line.contender
            )
    return [f"* {', '.join(dict.fromkeys(names))}: {versions}" for versions, names in found.items()]


def _cells(line: Line) -> list[str]:
    figures = (line.before, line.training, line.testing, line.whole, line.memory)
    told = (f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}" for figure in figures)
    return [line.contender, *told, f"{line.accuracy:.4f}"]


def _comparison(lines: Iterable[Line], name: str, prefix: str) -> Iterator[str]:
    """Yield a sentence on Ostinato and the fastest contender of a library, where both were timed."""
    own = next((line for line in lines if line.contender == OURS), None)
    others = [line for line in lines if line.contender.startswith(prefix)]
    if own is None or not others:
        return
    fastest = max(others, key=lambda line: line.training)
    whole = min(others, key=lambda line: line.whole)
    yield (
        f"Ostinato trains {own.training / fastest.training:.2f} times as fast as {name} ({fastest.contender}), and the "
        f"whole takes it {own.whole / whole.whole:.2f} of the time ({whole.contender})."
    )


def _extent(words: int) -> str:
    return "whole texts" if words >= WHOLE else f"{words} words"


def pythons_of(only: tuple[str, ...], peers: tuple[str, ...]) -> dict[str, str]:
    """Return the Python of each contender: this one, but for those that ``NAME=PYTHON`` names, by how they begin.

    Raises BadParameter for a name that none has.
    """
    chosen = {name: sys.executable for name in CONTENDERS if not only or any(text in name for text in only)}
    if not chosen:
        raise click.BadParameter(f"no contender's name holds {' or '.join(only)}; there are {', '.join(CONTENDERS)}.")
    for text in peers:
        prefix, _, python = text.partition("=")
        names = [name for name in CONTENDERS if name.startswith(prefix)]
        if not prefix or not names or not python:
            known = ", ".join(CONTENDERS)
            raise click.BadParameter(f"{text!r} is not NAME=PYTHON, with a NAME as one of these begins: {known}.")
        # Not resolved: an environment's Python knows by its own path which it is.
        path = str(Path(python).expanduser().absolute())
        chosen |= {name: path for name in names if name in chosen}
    return chosen


def write(report: Report, folder: Path, name: str) -> None:
    """Write a report as NAME.md and NAME.json into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(markdown(report), encoding="utf-8")
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reviews", type=click.IntRange(min=40), help="So many reviews of either file, to see that all runs.")
@click.option("--kinds", default="lstm,gru", show_default=True, help="The cells.")
@click.option("--words", default="400,0", show_default=True, help="Words of a review that are read; 0: all of them.")
@click.option("--pooling", default="max,mean", show_default=True, help="What a review's states come to.")
@click.option("--epochs", type=click.IntRange(min=1), default=2, show_default=True, help="Passes over the reviews.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Threads that all may use.")
@click.option("--rounds", type=click.IntRange(min=1), default=1, show_default=True, help="Runs of each, in turns.")
@click.option("--only", multiple=True, help="Contenders whose name holds this text; repeatable.")
@click.option("--peer", multiple=True, help="NAME=PYTHON: contenders of another environment; repeatable.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=RESULTS, help="Where files go.")
def main(
    data: Path,
    reviews: int | None,
    kinds: str,
    words: str,
    pooling: str,
    epochs: int,
    threads: int,
    rounds: int,
    only: tuple[str, ...],
    peer: tuple[str, ...],
    output: Path,
) -> None:
    """Time Ostinato, torch.nn and Keras on the reviews in DATA, from text on disk to test accuracy."""
    pythons = pythons_of(only, peer)
    lengths = [int(text) or WHOLE for text in words.split(",")]
    common = {"pooling": tuple(pooling.split(",")), "epochs": epochs, "threads": threads}
    settings = [Setting(kind, length, **common) for kind in kinds.split(",") for length in lengths]
    limit(threads)
    machine = describe(Meter(threads))
    today = str(datetime.date.today())
    name = f"classification-{today}" + "-part" * bool(only or reviews)
    with tempfile.TemporaryDirectory() as scratch:
        sizes = write_parts(data, Path(scratch), reviews)
        report = Report(today, machine, asdict(settings[0]), sizes, [], {})
        for _ in measure(Path(scratch), settings, pythons, rounds, report):
            # After each run, since all of them take hours.
            write(report, output, name)
    click.echo(markdown(report))
    _tell(f"written: {output / name}.md")
    sys.exit(1 if any(why.startswith("failed") for why in report.left_out.values()) else 0)


def _tell(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
