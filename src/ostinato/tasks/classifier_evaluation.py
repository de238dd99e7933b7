"""How well a classifier does, beside baselines."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..data.classes import Classes
from ..data.examples import SeriesExamples
from ..data.labels import class_counts
from ..errors import DataError, MissingExtraError
from ..evaluate.classification_metrics import classification_figures, confusion, several_figures
from ..evaluate.series_baselines import series_baselines
from ..evaluate.text_baselines import text_baselines
from ..evaluate.windows import Rows
from .classifier_data import Examples
from .label_file import Figures

Array = NDArray[Any]


class ClassifierEvaluation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Figures of a classifier beside those of the baselines on the same examples.

    measure: the figure by which models are told apart: balanced accuracy where all classes are to count alike.
    confusion: how many examples of each true class (rows) were given each class (columns); empty where several classes
    may apply. unseen: how many examples have a label that the model does not know, by label; they count as wrong, and
    log loss and calibration error leave them out. winner: the baseline that beats the model by the measure, if any.
    missing: baselines that could not be had, each with what would supply it. remarks: what was inferred of the
    examples, and what was odd in them, a line each.
    """

    task: str
    examples: int
    metrics: Figures
    baselines: dict[str, Figures]
    classes: list[str]
    measure: str
    confusion: list[list[int]] = []
    unseen: dict[str, int] = {}
    winner: str | None = None
    missing: dict[str, str] = {}
    remarks: list[str] = []


def evaluated(
    classes: Classes, examples: Examples, log_p: Array, train: Examples | None, class_weights: str
) -> ClassifierEvaluation:
    """Return the figures of log-probabilities, and of baselines that learn from training examples.

    log_p: [S, K], or [S, K, 2] where several classes may apply.
    """
    assert examples.labels is not None
    truth = classes.numbers(examples.labels)
    counts = class_counts(examples.labels)
    metrics = figures_of(truth.numbers, log_p, classes.several)
    matrix: list[list[int]] = []
    names = [*classes.names, *truth.unseen]
    if not classes.several:
        matrix = confusion(truth.numbers, log_p.argmax(axis=1), len(names)).tolist()
    beside: dict[str, Figures] = {}
    missing = {} if train is not None else dict.fromkeys(_names(examples), "--train FILE")
    if train is not None:
        try:
            beside = _baselines(classes, train, examples, truth.numbers, class_weights)
        except MissingExtraError as error:
            missing = dict.fromkeys(_names(examples), error.hint or error.message)
    measure = "balanced_accuracy" if class_weights == "balanced" and not classes.several else "accuracy"
    best = max(beside, key=lambda name: beside[name][measure], default=None)
    return ClassifierEvaluation(
        "classify",
        len(examples),
        metrics,
        beside,
        names,
        measure,
        matrix,
        {name: counts[name] for name in truth.unseen},
        best if best is not None and beside[best][measure] > metrics[measure] else None,
        missing,
        examples.remarks,
    )


def figures_of(truth: Array, log_p: Array, several: bool) -> Figures:
    """Return the figures of log-probabilities [S, K] or [S, K, 2]; classes from K on were never known."""
    if several:
        return several_figures(truth, log_p)
    known, classes = truth < log_p.shape[1], log_p.shape[1]
    if not len(truth):
        raise DataError("there is no example to judge by.", "give some.")
    extra = max(int(truth.max()) + 1 - classes, 0)
    wide = np.concatenate([log_p, np.full((len(log_p), extra), -np.inf)], axis=1)
    found = classification_figures(truth, wide)
    if extra:
        told = classification_figures(truth[known], log_p[known]) if known.any() else {}
        found |= {name: told.get(name, float("nan")) for name in ("log_loss", "calibration_error")}
    return found


def _baselines(
    classes: Classes, train: Examples, examples: Examples, truth: Array, class_weights: str
) -> dict[str, Figures]:
    """Return the figures of every baseline by its name."""
    assert train.labels is not None
    learned = classes.known(train.labels, train.places)
    weights = None if class_weights == "none" else class_weights
    if isinstance(train, SeriesExamples) and isinstance(examples, SeriesExamples):
        found = series_baselines(_rows(train), learned, _rows(examples), len(classes), class_weights=weights)
    elif not isinstance(train, SeriesExamples) and not isinstance(examples, SeriesExamples):
        found = text_baselines(train.texts, learned, examples.texts, len(classes), class_weights=weights)
    else:
        raise DataError("the training examples are of another kind than those to judge.", "give the same kind.")
    with np.errstate(divide="ignore"):
        return {name: figures_of(truth, _log(p, classes.several), classes.several) for name, p in found.items()}


def _log(p: Array, several: bool) -> Array:
    return np.asarray(np.log(np.stack([1 - p, p], axis=-1) if several else p))


def _rows(series: SeriesExamples) -> Rows:
    return Rows(series.values, series.starts)


def _names(examples: Examples) -> tuple[str, ...]:
    return ("majority", "summaries", "neighbour") if isinstance(examples, SeriesExamples) else ("majority", "words")
