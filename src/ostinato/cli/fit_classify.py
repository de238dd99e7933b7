"""``ostinato fit classify``: learn what labelled sequences are."""

from __future__ import annotations

from typing import Any

import click

from ..tasks.classifier_options import ClassifierOptions
from .fitting import Asked, fit_flags, fit_labels


@click.command()
@fit_flags(ClassifierOptions, valid="Examples to choose the best point by, held out.")
def classify(asked: Asked, options: dict[str, Any]) -> None:
    """Train a classifier of texts, or of series of numbers.

    FILE… are tables with a text and a label a row (CSV, TSV, JSON lines, Parquet; .gz and .xz too), folders with a
    folder a class, or archives of such a folder (.tar, .tar.gz, .tar.xz); - is standard input. Series are .ts or .npz
    files, or long tables with columns for series, time, values and label.

    \b
    Example:
      ostinato fit classify reviews.csv -o reviews.safetensors --time 10m
      ostinato fit classify train.tsv.xz --no-header --text 4 --label 1 -o m.safetensors
    """
    from ..tasks.classifier import Classifier

    fit_labels(Classifier(**options), asked, "held out", "baselines, on examples")
