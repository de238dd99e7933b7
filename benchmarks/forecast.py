"""Forecasts on public data: error, beside the baselines, and what the command takes in time, memory and bytes.

    python -m benchmarks.forecast DATA [--only NAME] [--time 10m] [--output FILE]

DATA is a folder with the sets below; each line of the table is `ostinato fit forecast` and `ostinato evaluate` as a
user types them, in processes of their own. Exit code 1: a target was missed.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import click


class Protocol(NamedTuple):
    """How a set is read and judged.

    files: below DATA. fit, evaluate: flags. figure: what counts. target: what it should be at most, or the names of
    the baselines that it should beat. further: files of the test part alone.
    """

    files: tuple[str, ...]
    fit: str
    figure: str
    target: float | tuple[str, ...]
    evaluate: str = ""
    further: tuple[str, ...] = ()


ETT = "--target all --split 8640,2880,2880"
ETTM = "--target all --split 34560,11520,11520"
PROTOCOLS = {
    "ETTh1 96": Protocol(("ett/ETTh1.csv.gz",), f"{ETT} --horizon 96", "mse", 0.360, "--standardised"),
    "ETTh1 720": Protocol(("ett/ETTh1.csv.gz",), f"{ETT} --horizon 720", "mse", 0.445, "--standardised"),
    "ETTm1 96": Protocol(("ett/ETTm1.csv.xz",), f"{ETTM} --horizon 96", "mse", 0.285, "--standardised"),
    "Weather 96": Protocol(
        ("weather/weather.csv.xz",),
        "--target all --horizon 96 --split 0.7,0.1,0.2",
        "mse",
        0.143,
        "--standardised",
    ),
    "M4 Hourly": Protocol(
        ("m4/Hourly-train.csv.xz",),
        "--rows-are-series --horizon 48 --season 24",
        "owa",
        0.50,
        "--windows 1",
        ("m4/Hourly-test.csv.gz",),
    ),
    "Beijing PM2.5, next hour": Protocol(
        ("beijing_pm25/pollution.csv.gz",),
        "--target pm2.5 --horizon 1 --split 2013-07-01,2014-01-01,2015-01-01",
        "mse",
        ("persistence", "linear"),
    ),
    "traffic speeds": Protocol(
        ("traffic/los_speed.csv.gz",),
        "--target all --horizon 12 --split 0.7,0.1,0.2",
        "mse",
        ("seasonal naive", "linear"),
        "--season 288",
    ),
    "air passengers": Protocol(
        ("univariate/airline-passengers.csv.gz",),
        "--horizon 24 --split 96,24,24 --time 15s",
        "mse",
        ("seasonal naive",),
    ),
}
FIGURES = ("mse", "mae", "smape", "mase", "wql")


class Took(NamedTuple):
    """What a command printed, and took: seconds, and the largest memory of any so far, in MB."""

    printed: Any
    seconds: float
    memory: float


def run(*arguments: str) -> Took:
    """Run one command of Ostinato's and return what it took. Its messages are left to standard error."""
    begin = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "ostinato", *arguments, "--json"], stdout=subprocess.PIPE, check=True)
    # ru_maxrss counts KiB on Linux.
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Took(json.loads(done.stdout), time.monotonic() - begin, memory)


def measure(name: str, protocol: Protocol, data: Path, time_flag: str) -> tuple[str, bool]:
    """Return the rows of the table for one set, and whether its target was met."""
    files = [str(data / file) for file in protocol.files]
    limit = [] if "--time" in protocol.fit else ["--time", time_flag]
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model.safetensors")
        fitted = run("fit", "forecast", *files, *protocol.fit.split(), *limit, "-o", model)
        further = [str(data / file) for file in protocol.further]
        found = run("evaluate", model, *files, *further, *protocol.evaluate.split())
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
        f"{fitted.memory:.0f} | {size:.1f} | {said} |"
    ]
    rows += [f"| | {other} | {_cells(figures)} | | | | | |" for other, figures in beside.items()]
    return "\n".join(rows), met


def _cells(figures: dict[str, float | None]) -> str:
    return " | ".join("-" if figures[name] is None else f"{figures[name]:.4g}" for name in FIGURES)


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--only", multiple=True, help="Sets whose name holds this text; repeatable.")
@click.option("--time", "time_flag", default="10m", show_default=True, help="The time of each training.")
@click.option("--output", type=click.Path(path_type=Path), help="A file that the table is written to as well.")
def main(data: Path, only: tuple[str, ...], time_flag: str, output: Path | None) -> None:
    """Measure forecasts on the sets in DATA."""
    head = ["| set | | MSE | MAE | sMAPE | MASE | WQL | fit, s | evaluate, s | memory, MB | file, MB | target |"]
    lines = [*head, "|---" * 12 + "|"]
    click.echo("\n".join(lines))
    all_met = True
    for name, protocol in PROTOCOLS.items():
        if only and not any(text in name for text in only):
            continue
        rows, met = measure(name, protocol, data, time_flag)
        click.echo(rows)
        lines.append(rows)
        all_met = all_met and met
    if output is not None:
        output.write_text("\n".join(lines) + "\n")
    sys.exit(0 if all_met else 1)


if __name__ == "__main__":
    main()
