"""The figures in which decisions are compared: one of O classes for each of N examples, or for each word of a text.

With p the probabilities that a model gives the classes of a decision, y the true class and g the one it chose:

    accuracy            the share of decisions with g = y
    balanced_accuracy   the mean of the recall of every class that is true somewhere
    macro_f1            the mean of the F1 of every class that is true or chosen somewhere
    log_loss            the mean -log p_y, in nats
    calibration_error   Σ over bins (n / N) |share with g = y - mean p_g|, with the decisions put into 15 bins of equal
                        width by p_g, n in a bin: the expected calibration error of Guo et al. 2017, "On Calibration of
                        Modern Neural Networks"

and of anything that can be found or missed, a class or the entities of a type,

    precision   found / chosen        recall   found / true        F1   2 found / (chosen + true)

each 0 where nothing was chosen, or nothing true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.tag_schemes import entities
from ..errors import DataError
from ..shapes import expect

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
BINS = 15
"""Of the calibration error: as many as Guo et al. took, so that figures can be compared."""
LARGEST_LOSS = 709.0
"""The most nats that a decision counts, about what the least number above 0 has: so a mean stays a number where what
was impossible is true, such as a class that training never saw."""


_ROUNDING = 1e-2
"""By how much probabilities may miss 1: what half precision rounds."""


class Finding(NamedTuple):
    """How many there truly were, how many were chosen, and how many of those chosen were found, that is true."""

    true: int
    chosen: int
    found: int

    @property
    def precision(self) -> float:
        """The share of what was chosen that is true."""
        return self.found / self.chosen if self.chosen else 0.0

    @property
    def recall(self) -> float:
        """The share of what is true that was chosen."""
        return self.found / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.found / (self.true + self.chosen) if self.found else 0.0


class EntityFindings(NamedTuple):
    """Entities that were found: all of them, and those of each type, sorted by its name."""

    overall: Finding
    by_type: dict[str, Finding]


def classification_figures(truth: ArrayLike, log_p: ArrayLike, chosen: ArrayLike | None = None) -> dict[str, float]:
    """Return every figure of N decisions by its name.

    truth: classes [N], from 0 to O - 1. log_p: log-probabilities [N, O]. chosen: classes [N]; by default the likeliest,
    and of several the first.

    Raises DataError where there is no decision, for a class that there is not, or where probabilities do not add up to
    1; ShapeError.
    """
    scores, true = check_decisions("classification_figures", truth, log_p)
    totals = np.exp(scores).sum(axis=1)
    if np.abs(totals - 1).max() > _ROUNDING:
        raise DataError(
            f"the probabilities of a decision add up to {totals[np.abs(totals - 1).argmax()]:.3g}.",
            "give the logarithms of probabilities, such as log_softmax returns.",
        )
    guess = scores.argmax(axis=1) if chosen is None else _classes("chosen", chosen, *scores.shape)
    matrix = confusion(true, guess, scores.shape[1])
    classes = findings(matrix)
    return {
        "accuracy": float((true == guess).mean()),
        "balanced_accuracy": float(np.mean([one.recall for one in classes if one.true])),
        "macro_f1": float(np.mean([one.f1 for one in classes if one.true or one.chosen])),
        "log_loss": log_loss(true, scores),
        "calibration_error": calibration_error(true == guess, np.exp(scores[np.arange(len(guess)), guess])),
    }


def several_figures(truth: ArrayLike, log_p: ArrayLike) -> dict[str, float]:
    """Return the figures of N examples of which any of O classes may be true; those above ½ are chosen.

    truth: whether each class is true [N, O + U], where U classes were never known and so never chosen. log_p:
    log-probabilities of not and of being true [N, O, 2].

    accuracy is the share of examples of which all classes are right; macro_f1 and micro_f1 are over the classes that
    are true or chosen somewhere, and over all decisions; log_loss and calibration_error are of the decisions about
    known classes.

    Raises DataError, ShapeError as `classification_figures` does.
    """
    scores, true = np.asarray(log_p, np.float64), np.asarray(truth, bool)
    known = true[:, : scores.shape[1]]
    decisions, right = check_decisions("several_figures", known.astype(np.int64).ravel(), scores.reshape(-1, 2))
    chosen = np.zeros_like(true)
    chosen[:, : scores.shape[1]] = scores[..., 1] > scores[..., 0]
    classes = [Finding(*map(int, one)) for one in zip(true.sum(0), chosen.sum(0), (true & chosen).sum(0), strict=True)]
    of_all = Finding(*(sum(part) for part in zip(*classes, strict=True)))
    guess = decisions.argmax(axis=1)
    return {
        "accuracy": float((true == chosen).all(axis=1).mean()),
        "micro_f1": of_all.f1,
        "macro_f1": float(np.mean([one.f1 for one in classes if one.true or one.chosen] or [0.0])),
        "log_loss": log_loss(right, decisions),
        "calibration_error": calibration_error(right == guess, np.exp(decisions[np.arange(len(guess)), guess])),
    }


def confusion(truth: ArrayLike, chosen: ArrayLike, classes: int) -> Numbers:
    """Return how many decisions of each true class (rows) chose each class (columns) [O, O].

    Raises DataError for a class that there is not, ShapeError.
    """
    true = _classes("truth", truth, len(np.asarray(truth)), classes)
    guess = _classes("chosen", chosen, len(true), classes)
    return np.bincount(true * classes + guess, minlength=classes * classes).reshape(classes, classes)


def findings(matrix: Numbers) -> list[Finding]:
    """Return what was found of each class, from a matrix of `confusion`."""
    parts = (matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal())
    return [Finding(*one) for one in zip(*(part.tolist() for part in parts), strict=True)]


def log_loss(truth: Numbers, log_p: Floats) -> float:
    """Return the mean -log p of the true classes [N], from log-probabilities [N, O], each `LARGEST_LOSS` at most."""
    return float(np.minimum(-log_p[np.arange(len(truth)), truth], LARGEST_LOSS).mean())


def calibration_error(right: ArrayLike, confidence: ArrayLike, bins: int = BINS) -> float:
    """Return by how much confidence is off, on average, from how often decisions are right.

    right: whether each decision is [N]. confidence: the probability that it was given [N]. A confidence between two
    bins belongs to the lower one.
    """
    sure = np.asarray(confidence, np.float64)
    place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    off = np.bincount(place, np.asarray(right, np.float64) - sure, minlength=bins)
    return float(np.abs(off).sum() / len(sure))


def entity_findings(truth: Iterable[Sequence[str]], chosen: Iterable[Sequence[str]]) -> EntityFindings:
    """Return what was found of the entities of sentences, as conlleval counts: those of one type, begin and end.

    truth, chosen: the tags of each sentence. What is an entity is said at `data.tag_schemes.entities`.

    Raises DataError for tags that mark no entities, or where there are not as many of both.
    """
    true, guessed, found = Counter[str](), Counter[str](), Counter[str]()
    truths, guesses = list(truth), list(chosen)
    if len(truths) != len(guesses):
        raise DataError(f"{len(guesses)} tagged sentences cannot be compared with {len(truths)}.")
    for number, (ours, theirs) in enumerate(zip(guesses, truths, strict=True), 1):
        if len(ours) != len(theirs):
            raise DataError(f"sentence {number} has {len(theirs)} words, but {len(ours)} tags were chosen for it.")
        here, there = set(entities(ours)), set(entities(theirs))
        for counter, some in ((true, there), (guessed, here), (found, here & there)):
            counter.update(entity.type for entity in some)
    by_type = {name: Finding(true[name], guessed[name], found[name]) for name in sorted(true | guessed)}
    return EntityFindings(Finding(true.total(), guessed.total(), found.total()), by_type)


def check_decisions(owner: str, truth: ArrayLike, log_p: ArrayLike) -> tuple[Floats, Numbers]:
    """Return log-probabilities [N, O], float64, and the true classes [N], of at least one decision.

    Raises DataError, ShapeError for anything else.
    """
    scores = np.asarray(log_p, np.float64)
    expect(owner, "log_p", scores, "N O")
    if not scores.size:
        raise DataError("there is no decision to judge.", "give at least one example, and one class.")
    if np.isnan(scores).any() or (scores == np.inf).any() or (scores == -np.inf).all(axis=1).any():
        raise DataError(
            "a decision has log-probabilities that are none: not a number, infinite, or -inf for every class.",
            "the model's weights or its inputs may be out of range.",
        )
    return scores, _classes("truth", truth, *scores.shape)


def _classes(name: str, given: ArrayLike, count: int, classes: int) -> Numbers:
    """Return N classes, each from 0 to O - 1."""
    values: NDArray[Any] = np.asarray(given)
    expect("evaluate", name, values, "N", N=count)
    wrong = values[(values < 0) | (values >= classes) | (values != np.floor(values))]
    if len(wrong):
        raise DataError(f"{name} holds {wrong[0]}, which is no class; they go from 0 to {classes - 1}.")
    return values.astype(np.int64)
