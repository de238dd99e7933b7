"""The figures of a model that labels, printed beside the baselines'."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import print_json, progress, say, shown, this_command
from .target import check_folder

if TYPE_CHECKING:
    from ..tasks.classifier import Classifier

TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "entity_f1": "entity F1",
    "log_loss": "log loss",
    "calibration_error": "calibration",
}
"""The figures of the table, in its order."""
MOST_UNSEEN, LONGEST_NAME = 5, 40
"""Labels that the model does not know, of which more are only counted; and the characters of each."""
MOST_CLASSES = 25
"""Of more classes no matrix is printed."""


def evaluate_classifier(
    model: str,
    classifier: Classifier,
    files: Sequence[str],
    train: Any,
    plot: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print a classifier's figures on files, and draw what it takes for what.

    train: what the baselines learn from, as `Classifier.evaluate` takes it.
    """
    from ..tasks.label_plot import draw_confusion
    from ..tasks.picture import check_picture

    if plot is not None:
        check_folder(plot)
        check_picture(plot)
    with progress("evaluating", quiet) as move:
        found = classifier.evaluate([Path(file) for file in files], train=train, progress=move)
    tell_remarks(found.remarks, quiet)
    if plot is not None:
        draw_confusion(found.classes, found.confusion, plot)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found.examples:,} examples")
    print_table(model, found.metrics, found.baselines, found.measure)
    if found.winner is not None:
        by = found.measure.replace("_", " ")
        click.echo(f"\nThe baseline {found.winner} beats the model here, by its {by}.")
    print_unseen(found.unseen, found.examples if found.confusion else None, "label")
    if found.confusion and len(found.classes) <= MOST_CLASSES:
        print_matrix(found.classes, found.confusion)
    tell_missing(found.missing, quiet)


def training_data(classifier: Classifier, train: Sequence[str], part: str | None) -> Any:
    """Return what the baselines learn from, as `Classifier.evaluate` takes it; None where there is none.

    part: that of the examples to judge. A folder's part to learn from is the one that the model was trained on.
    """
    from ..tasks.classifier_data import examples_of

    paths = [Path(file) for file in train] or None
    if paths is None or part is None:
        return paths
    learned: Any = examples_of(paths, classifier.options_, labelled=True)
    return learned.texts, learned.labels


def tell_same(files: Sequence[str], train: Sequence[str], part: str | None, quiet: bool) -> None:
    """Say where files to judge by are among those that were learned from."""
    known = {os.path.realpath(file) for file in train if file != "-"}
    same = [file for file in files if os.path.realpath(file) in known]
    if same and part is None and not quiet:
        say(f"{', '.join(same)} is --train, too: figures on what was learned from tell little of other examples")


def tell_remarks(remarks: Sequence[str], quiet: bool) -> None:
    """Say what was inferred of files, and what was odd in them."""
    for remark in () if quiet else remarks:
        say(remark)


def print_table(model: str, metrics: Mapping[str, float], baselines: Mapping[str, Any], measure: str) -> None:
    """Print a model's figures beside its baselines', the best by one of them first."""
    rows = sorted([(model, metrics), *baselines.items()], key=lambda row: -row[1][measure])
    columns = [name for name in TITLES if any(name in figures for _, figures in rows)]
    width = max(len(name) for name, _ in rows) + 2
    click.echo(f"{'':{width}}" + "".join(f"{TITLES[name]:>13}" for name in columns))
    for name, figures in rows:
        known = {column: value for column, value in figures.items() if not isnan(value)}
        cells = (f"{known[column]:13.4f}" if column in known else f"{'-':>13}" for column in columns)
        click.echo(f"{name:{width}}" + "".join(cells))


def print_unseen(unseen: Mapping[str, int], examples: int | None, what: str) -> None:
    """Print the labels that the model does not know, the most frequent first, and how many examples have each.

    examples: how many there are; None where they may have several labels. what: a label is called so, and so is the
    flag that names its column.
    """
    if not unseen:
        return
    often = sorted(unseen.items(), key=lambda item: (-item[1], item[0]))
    names = [f"{shown(repr(name)[:LONGEST_NAME])} ({count:,})" for name, count in often[:MOST_UNSEEN]]
    others = [f"{len(often) - MOST_UNSEEN:,} more"] if len(often) > MOST_UNSEEN else []
    click.echo(f"\n{what}s that the model does not know, so that they count as wrong: {', '.join([*names, *others])}")
    if sum(unseen.values()) == examples:
        click.echo(f"It knows none of them: check the column, and name it with --{what}.")


def print_matrix(classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    """Print how often each true class (rows) was taken for each (columns), and the recall of each."""
    names = [shown(name)[:16] for name in classes]
    width = max(map(len, names)) + 2
    cells = [max(len(name), *(len(f"{row[place]:,}") for row in matrix)) + 2 for place, name in enumerate(names)]
    click.echo("\ntrue class, and what it was taken for:")
    head = "".join(f"{name:>{size}}" for name, size in zip(names, cells, strict=True))
    click.echo(f"{'':{width}}{head}   recall")
    for place, (name, row) in enumerate(zip(names, matrix, strict=True)):
        counts = "".join(f"{count:>{size},}" for count, size in zip(row, cells, strict=True))
        recall = f"{row[place] / sum(row):9.3f}" if sum(row) else f"{'-':>9}"
        click.echo(f"{name:{width}}{counts}{recall}")


def tell_missing(missing: Mapping[str, str], quiet: bool) -> None:
    """Say which baselines could not be had, and what would supply them."""
    if not missing or quiet:
        return
    hints = sorted(set(missing.values()))
    command = this_command("--train", "FILE") if hints == ["--train FILE"] else "; ".join(hints)
    learn = "learn" if len(missing) > 1 else "learns"
    say(f"\nmissing: {', '.join(missing)}, which {learn} from the training examples; with them:\n  {command}")
