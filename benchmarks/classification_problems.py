"""Labelled texts, series and words of public sets: figures, beside the baselines, and what that takes in time.

    python -m benchmarks.classification_problems DATA [--only NAME] [--time 10m] [--output FILE]

DATA is a folder with the sets below; each line of the table is `ostinato fit classify` or `ostinato fit tag`, and
`ostinato evaluate`, as a user types them, in processes of their own. What `classification_data` turns into files of our
formats is turned first, in a folder that is removed. Exit code 1: a target was missed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import click

from .classification_data import make
from .forecast import Took, flags, ostinato


class Protocol(NamedTuple):
    """How a set is learned from and judged.

    train, test, valid, pretrain: files below DATA; where `made` names a set of `classification_data`, what follows that
    name in those of its files. train is several where the published parts for training and for development are both
    learned from. target: what the figure should be at least. above_baselines: whether it should also be above the best
    baseline's. fit: options.
    """

    train: tuple[str, ...]
    test: str
    target: float
    valid: str | None = None
    task: str = "classify"
    figure: str = "accuracy"
    above_baselines: bool = True
    fit: dict[str, Any] = {}  # noqa: RUF012
    made: str | None = None
    pretrain: str | None = None


def _archive(name: str, target: float) -> Protocol:
    """Return how a set of the UCR and UEA archives is judged, on some of which a neighbour errs nowhere."""
    train, test = (f"ucr_uea/{name}_{part}.ts.gz" for part in ("TRAIN", "TEST"))
    return Protocol((train,), test, target, above_baselines=False)


IMDB = {"no_header": True, "text": 4, "label": 1}
MNIST = {
    "time": "20m",
    "cell": "lru_block",
    "hidden_size": 64,
    "num_layers": 2,
    "no_bidirectional": True,
    "pooling": "mean",
    "batch_size": 50,
    "learning_rate": 0.004,
    "dropout": 0,
    "warmup_steps": 300,
    "valid_fraction": 0.05,
}
PROTOCOLS = {
    "IMDB, from labels alone": Protocol(("imdb/train.tsv.xz",), "imdb/test.tsv.xz", 0.89, fit=IMDB),
    "IMDB, pretrained": Protocol(
        ("imdb/train.tsv.xz",), "imdb/test.tsv.xz", 0.91, fit=IMDB | {"time": "30m"}, pretrain="imdb/train.tsv.xz"
    ),
    "SST-2": Protocol(
        ("sst2/train.tsv.gz",),
        "sst2/test.tsv.gz",
        0.82,
        "sst2/dev.tsv.gz",
        fit={"no_header": True, "text": 1, "label": 2},
    ),
    "names": Protocol(
        ("-train.tsv",), "-test.tsv", 0.61, figure="balanced_accuracy", fit={"class_weights": "balanced"}, made="names"
    ),
    "JapaneseVowels": _archive("JapaneseVowels", 0.97),
    "BasicMotions": _archive("BasicMotions", 1.0),
    "ItalyPowerDemand": _archive("ItalyPowerDemand", 0.96),
    "MSRAction3D": Protocol(("-train.npz",), "-test.npz", 0.80, made="msr_action3d"),
    "MNIST, sequential": Protocol(("-train.npz",), "-test.npz", 0.97, fit=MNIST, made="mnist-sequential"),
    # A neighbour does not mind the order, and errs less than any network that reads a pixel a step was asked to.
    "MNIST, permuted": Protocol(
        ("-train.npz",), "-test.npz", 0.90, fit=MNIST, above_baselines=False, made="mnist-permuted"
    ),
    "UD English EWT": Protocol(
        ("ud_english_ewt/en_ewt-ud-train.conllu.xz",),
        "ud_english_ewt/en_ewt-ud-test.conllu.xz",
        0.935,
        "ud_english_ewt/en_ewt-ud-dev.conllu.xz",
        "tag",
    ),
    "WNUT-17": Protocol(
        ("wnut17/wnut17train.conll.gz", "wnut17/emerging.dev.conll.gz"),
        "wnut17/emerging.test.annotated.gz",
        0.25,
        task="tag",
        figure="entity_f1",
    ),
    # Words of another year and other sites than those of the part for training alone: nothing but the rest is asked.
    "WNUT-17, without the dev part": Protocol(
        ("wnut17/wnut17train.conll.gz",),
        "wnut17/emerging.test.annotated.gz",
        0.0,
        "wnut17/emerging.dev.conll.gz",
        "tag",
        "entity_f1",
    ),
}
COLUMNS = (
    *("set", "figure", "**Ostinato**", "target", "baselines"),
    *("fit, s", "evaluate, s", "memory, MB", "file, MB", ""),
)


class Commands(NamedTuple):
    """What is typed after `ostinato` for a set."""

    fit: list[str]
    evaluate: list[str]


def commands_of(protocol: Protocol, data: Path, made: Path, model: Path, limit: str) -> Commands:
    """Return the commands of a set. made: the folder that `classification_data` wrote to. limit: the usual time."""

    def path(name: str) -> str:
        found = data / name if protocol.made is None else made / f"{protocol.made}{name}"
        return str(found.resolve())

    further = {"valid": protocol.valid, "pretrain": protocol.pretrain}
    files = {option: path(name) for option, name in further.items() if name is not None}
    options = flags(files | {"time": limit} | protocol.fit)
    train = [path(name) for name in protocol.train]
    learned = [part for file in train for part in ("--train", file)]
    return Commands(
        ["fit", protocol.task, *train, *options, "-o", str(model)],
        ["evaluate", str(model), path(protocol.test), *learned],
    )


def measure(name: str, protocol: Protocol, data: Path, limit: str) -> tuple[str, bool]:
    """Return the row of the table for one set, and whether its target was met."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = folder / "model.safetensors"
        if protocol.made is not None:
            make(protocol.made, data, folder)
        commands = commands_of(protocol, data, folder, model, limit)
        fitted = ostinato(*commands.fit)
        found = ostinato(*commands.evaluate)
        size = model.stat().st_size / 1e6
    return row_of(name, protocol, fitted, found, size)


def row_of(name: str, protocol: Protocol, fitted: Took, found: Took, size: float) -> tuple[str, bool]:
    """Return the row of the table for what the two commands took, and whether the target was met. size: MB."""
    figure, beside = protocol.figure, found.printed["baselines"]
    own, best = found.printed["metrics"][figure], max(figures[figure] for figures in beside.values())
    met = own >= protocol.target and (own > best or not protocol.above_baselines)
    cells = [
        name,
        figure.replace("_", " "),
        f"**{own:.4f}**",
        f"≥ {protocol.target:g}" + ", > baselines" * protocol.above_baselines,
        ", ".join(f"{title.replace('_', ' ')} {figures[figure]:.4f}" for title, figures in beside.items()),
        f"{fitted.seconds:.0f}",
        f"{found.seconds:.0f}",
        f"{max(fitted.memory, found.memory):.0f}",
        f"{size:.1f}",
        "met" if met else "**not met**",
    ]
    return f"| {' | '.join(cells)} |", met


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--only", multiple=True, help="Sets whose name holds this text; repeatable.")
@click.option("--time", "limit", help="The time of each training. [default: 10m, of some sets 20m or 30m]")
@click.option("--output", type=click.Path(path_type=Path), help="A file that the table is written to as well.")
def main(data: Path, only: tuple[str, ...], limit: str | None, output: Path | None) -> None:
    """Measure classifiers and taggers on the sets in DATA."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    click.echo("\n".join(lines))
    all_met = True
    for name, protocol in PROTOCOLS.items():
        if only and not any(text in name for text in only):
            continue
        given = protocol if limit is None else protocol._replace(fit=protocol.fit | {"time": limit})
        row, met = measure(name, given, data, "10m")
        click.echo(row)
        lines.append(row)
        if output is not None:
            # After each set, since all of them take hours.
            output.write_text("\n".join(lines) + "\n")
        all_met = all_met and met
    sys.exit(0 if all_met else 1)


if __name__ == "__main__":
    main()
