"""Forecasts on public data: error, beside the baselines and other libraries, and what that takes in time, memory and
bytes.

    python -m benchmarks.forecast DATA [--only NAME] [--time 10m] [--peer NAME=PYTHON] [--output FILE]

DATA is a folder with the sets below; each line of the table is `ostinato fit forecast` and `ostinato evaluate` as a
user types them, in processes of their own. A peer is a model of `benchmarks.forecast_peers`, or a library for all of
its models, with the Python of an environment that holds it; it forecasts the same windows, and is judged in the same
way. Exit code 1: a target was missed, or a peer failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from .forecast_peers import MODELS, installed
from .forecast_problem import problem_of


class Protocol(NamedTuple):
    """How a set is read and judged.

    files: below DATA. fit, evaluate: options. figure: what counts. target: what it should be at most, or the names of
    the baselines that it should beat. further: files of the test part alone.
    """

    files: tuple[str, ...]
    fit: dict[str, Any]
    figure: str
    target: float | tuple[str, ...]
    evaluate: dict[str, Any] = {}  # noqa: RUF012
    further: tuple[str, ...] = ()


ETT = {"target": "all", "split": "8640,2880,2880"}
ETTM = {"target": "all", "split": "34560,11520,11520"}
STANDARDISED = {"standardised": True}
PROTOCOLS = {
    "ETTh1 96": Protocol(("ett/ETTh1.csv.gz",), ETT | {"horizon": 96}, "mse", 0.360, STANDARDISED),
    "ETTh1 720": Protocol(("ett/ETTh1.csv.gz",), ETT | {"horizon": 720}, "mse", 0.445, STANDARDISED),
    "ETTm1 96": Protocol(("ett/ETTm1.csv.xz",), ETTM | {"horizon": 96}, "mse", 0.285, STANDARDISED),
    "Weather 96": Protocol(
        ("weather/weather.csv.xz",),
        {"target": "all", "horizon": 96, "split": "0.7,0.1,0.2"},
        "mse",
        0.143,
        STANDARDISED,
    ),
    "M4 Hourly": Protocol(
        ("m4/Hourly-train.csv.xz",),
        {"rows_are_series": True, "horizon": 48, "season": 24},
        "owa",
        0.50,
        {"windows": 1},
        ("m4/Hourly-test.csv.gz",),
    ),
    "Beijing PM2.5, next hour": Protocol(
        ("beijing_pm25/pollution.csv.gz",),
        {"target": "pm2.5", "horizon": 1, "split": "2013-07-01,2014-01-01,2015-01-01"},
        "mse",
        ("persistence", "linear"),
    ),
    "traffic speeds": Protocol(
        ("traffic/los_speed.csv.gz",),
        {"target": "all", "horizon": 12, "split": "0.7,0.1,0.2"},
        "mse",
        ("seasonal naive", "linear"),
        {"season": 288},
    ),
    "air passengers": Protocol(
        ("univariate/airline-passengers.csv.gz",),
        {"horizon": 24, "split": "96,24,24", "time": "15s"},
        "mse",
        ("seasonal naive",),
    ),
}
FIGURES = ("mse", "mae", "smape", "mase", "wql", "owa")
ROOT = Path(__file__).parents[1]


class Took(NamedTuple):
    """What a process printed, and took: seconds, and its largest memory, in MB."""

    printed: Any
    seconds: float
    memory: float


class Peer(NamedTuple):
    """A model of `benchmarks.forecast_peers`, and the Python that runs it."""

    model: str
    python: str


def run(*command: str) -> Took:
    """Run a command that prints JSON and return what it took. Its messages are left to standard error.

    Raises CalledProcessError where it fails.
    """
    begin = time.monotonic()
    # Unlike the usage of all children, that of the one waited for knows nothing of those before it.
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    # ru_maxrss counts KiB on Linux.
    return Took(json.loads(printed), time.monotonic() - begin, usage.ru_maxrss / 1024)


def ostinato(*arguments: str) -> Took:
    """Run one command of Ostinato's."""
    return run(sys.executable, "-m", "ostinato", *arguments, "--json")


def flags(options: Mapping[str, Any]) -> list[str]:
    """Return options as flags; what is true is a flag alone."""
    named = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    return [part for flag, value in named.items() for part in ([flag] if value is True else [flag, str(value)])]


def measure(name: str, protocol: Protocol, data: Path, limit: str, peers: list[Peer]) -> tuple[str, bool]:
    """Return the rows of the table for one set, and whether its target was met and no peer failed."""
    files, further = ([str(data.resolve() / file) for file in part] for part in (protocol.files, protocol.further))
    options = {"time": limit} | protocol.fit
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model.safetensors")
        fitted = ostinato("fit", "forecast", *files, *flags(options), "-o", model)
        found = ostinato("evaluate", model, *files, *further, *flags(protocol.evaluate))
        size = Path(model).stat().st_size / 1e6
    metrics, beside = found.printed["metrics"], found.printed["baselines"]
    own = metrics[protocol.figure]
    if isinstance(protocol.target, float):
        met, target = own <= protocol.target, f"≤ {protocol.target:g}"
    else:
        met = all(own < beside[other][protocol.figure] for other in protocol.target)
        target = "< " + ", ".join(protocol.target)
    said = f"{protocol.figure.upper()} {target}: {'met' if met else '**not met**'}"
    rows = [
        f"| {name} | **Ostinato** | {_cells(metrics)} | {fitted.seconds:.0f} | {found.seconds:.0f} | "
        f"{max(fitted.memory, found.memory):.0f} | {installed():.0f} | {size:.1f} | {said} |"
    ]
    rows += [f"| | {other} | {_cells(figures)} | | | | | | |" for other, figures in beside.items()]
    if peers:
        beaten, answered = _peers(files, further, options, protocol.evaluate, peers, beside)
        rows += beaten
        met = met and answered
    return "\n".join(rows), met


def _peers(
    files: list[str],
    further: list[str],
    options: dict[str, Any],
    evaluate: dict[str, Any],
    peers: list[Peer],
    beside: dict[str, Any],
) -> tuple[list[str], bool]:
    """Return the rows of the peers for one set, and whether none of them failed."""
    from ostinato.tasks.options import parse_duration

    rows, all_answered = [], True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        problem_of(files, further, options, **evaluate).save(path)
        for peer in peers:
            limit = str(parse_duration(options["time"]))
            try:
                took = run(
                    peer.python, "-m", "benchmarks.forecast_peers", str(path), "--model", peer.model, "--time", limit
                )
            except (subprocess.CalledProcessError, OSError) as error:
                rows.append(f"| | {peer.model} | {' | '.join('-' * len(FIGURES))} | | | | | | failed: {error} |")
                all_answered = False
            else:
                rows.append(_peer_row(took, beside))
    return rows, all_answered


def _peer_row(took: Took, beside: dict[str, Any]) -> str:
    """Return a peer's row.

    Raises RuntimeError where persistence has other figures than `ostinato evaluate` found: then either did not judge
    the same windows in the same way.
    """
    from ostinato.evaluate.forecast_metrics import owa

    found = took.printed
    for figure, value in found["persistence"].items():
        ours = beside["persistence"][figure]
        if abs(value - ours) > 1e-6 * abs(ours):
            raise RuntimeError(f"persistence has {figure} {ours} in `evaluate` and {value} beside {found['model']}")
    metrics = found["metrics"]
    if "Naive2" in beside:
        metrics["owa"] = owa(metrics, beside["Naive2"])
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return (
        f"| | {found['model']} | {_cells(metrics)} | {found['fit_seconds']:.0f} | {found['predict_seconds']:.0f} | "
        f"{took.memory:.0f} | {found['installed']:.0f} | | {found['steps']:,} steps, lookback {found['lookback']}; "
        f"{versions} |"
    )


def _cells(figures: Mapping[str, float | None]) -> str:
    return " | ".join("-" if figures.get(name) is None else f"{figures[name]:.4g}" for name in FIGURES)


def peers_of(given: tuple[str, ...]) -> list[Peer]:
    """Return the peers that NAME=PYTHON stand for. Raises BadParameter for a name that none has."""
    peers = []
    for text in given:
        name, _, python = text.partition("=")
        models = [model for model in MODELS if model == name or model.startswith(f"{name}-")]
        if not models or not python:
            raise click.BadParameter(f"{text!r} is not NAME=PYTHON, with a NAME of {', '.join(MODELS)}, or a library.")
        # Not resolved: an environment's Python knows by its own path which it is.
        peers += [Peer(model, os.path.abspath(os.path.expanduser(python))) for model in models]
    return peers


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--only", multiple=True, help="Sets whose name holds this text; repeatable.")
@click.option("--time", "limit", default="10m", show_default=True, help="The time of each training.")
@click.option("--peer", multiple=True, help="NAME=PYTHON: another library's model or models, and where; repeatable.")
@click.option("--output", type=click.Path(path_type=Path), help="A file that the table is written to as well.")
def main(data: Path, only: tuple[str, ...], limit: str, peer: tuple[str, ...], output: Path | None) -> None:
    """Measure forecasts on the sets in DATA."""
    peers = peers_of(peer)
    columns = ["set", "", *map(_title, FIGURES), "fit, s", "predict, s", "memory, MB", "install, MB", "file, MB", ""]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    click.echo("\n".join(lines))
    all_met = True
    for name, protocol in PROTOCOLS.items():
        if only and not any(text in name for text in only):
            continue
        rows, met = measure(name, protocol, data, limit, peers)
        click.echo(rows)
        lines.append(rows)
        if output is not None:
            # After each set, since all of them take hours.
            output.write_text("\n".join(lines) + "\n")
        all_met = all_met and met
    sys.exit(0 if all_met else 1)


def _title(figure: str) -> str:
    return {"smape": "sMAPE"}.get(figure, figure.upper())


if __name__ == "__main__":
    main()
