"""How well a tagger does, beside the most frequent tag of a word."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..data.classes import Classes
from ..data.examples import TaggedSentences
from ..data.tag_schemes import marks_entities
from ..errors import DataError
from ..evaluate.classification_metrics import (
    Finding,
    calibration_error,
    confusion,
    entity_findings,
    findings,
    log_loss,
)
from ..evaluate.tag_baselines import MostFrequentTag
from .label_file import Figures

Array = NDArray[Any]
BASELINE = "most_frequent_tag"
NEEDS_TRAIN = "--train FILE"


class Found(msgspec.Struct, frozen=True):
    """Of one tag, or of the entities of one type: how many there truly were, were chosen, and were both."""

    true: int
    chosen: int
    found: int
    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, finding: Finding) -> Found:
        """Return the same as figures."""
        return cls(*finding, finding.precision, finding.recall, finding.f1)


class TaggerEvaluation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Figures of a tagger beside those of the most frequent tag of a word, on the same sentences.

    metrics: accuracy, macro_f1, log_loss and calibration_error over all words, and where tags mark entities
    entity_precision, entity_recall and entity_f1, of entities found whole, as conlleval counts. measure: the figure by
    which the best is told. by_tag, by_type: what was found of each tag, and of the entities of each type. unseen: how
    many words have a tag that the model does not know, by tag; they count as wrong, and log loss and calibration error
    leave them out. winner: the baseline, where it is better. missing: baselines that could not be had, each with what
    would supply it. remarks: what was inferred of the sentences, and what was odd in them, a line each.
    """

    task: str
    sentences: int
    words: int
    measure: str
    metrics: Figures
    baselines: dict[str, Figures]
    by_tag: dict[str, Found]
    by_type: dict[str, Found] = {}
    unseen: dict[str, int] = {}
    winner: str | None = None
    missing: dict[str, str] = {}
    remarks: list[str] = []


def evaluated(
    tags: Classes, examples: TaggedSentences, log_p: Array, chosen: list[list[str]], train: TaggedSentences | None
) -> TaggerEvaluation:
    """Return the figures of chosen tags, and of the baseline where there are sentences that it learns from.

    log_p: of each tag of each word, one sentence after the other [N, O].

    Raises DataError where there is no word to judge by.
    """
    assert examples.tags is not None
    truth = tags.numbers(_flat(examples.tags))
    if not len(truth.numbers):
        raise DataError("the sentences hold no word to judge by.", "give some.")
    metrics = tag_figures(examples.tags, chosen) | probability_figures(tags, truth.numbers, log_p, chosen)
    measure = "entity_f1" if "entity_f1" in metrics else "accuracy"
    beside: dict[str, Figures] = {}
    if train is not None:
        assert train.tags is not None
        baseline = MostFrequentTag().fit(train.words, train.tags)
        beside[BASELINE] = tag_figures(examples.tags, baseline.predict(examples.words))
    best = max(beside, key=lambda name: beside[name][measure], default=None)
    by_type = {} if measure == "accuracy" else entity_findings(examples.tags, chosen).by_type
    return TaggerEvaluation(
        "tag",
        len(examples),
        len(truth.numbers),
        measure,
        metrics,
        beside,
        {name: Found.of(one) for name, one in _by_tag(examples.tags, chosen).items()},
        {name: Found.of(one) for name, one in by_type.items()},
        {name: int((truth.numbers == len(tags) + place).sum()) for place, name in enumerate(truth.unseen)},
        best if best is not None and beside[best][measure] > metrics[measure] else None,
        {} if train is not None else {BASELINE: NEEDS_TRAIN},
        examples.remarks,
    )


def tag_figures(truth: Sequence[Sequence[str]], chosen: Sequence[Sequence[str]]) -> Figures:
    """Return the figures that ask for no probabilities."""
    each = _by_tag(truth, chosen)
    words = sum(one.true for one in each.values())
    figures = {
        "accuracy": sum(one.found for one in each.values()) / words,
        "macro_f1": float(np.mean([one.f1 for one in each.values()])),
    }
    if marks_entities(each):
        overall = entity_findings(truth, chosen).overall
        figures |= {
            "entity_precision": overall.precision,
            "entity_recall": overall.recall,
            "entity_f1": overall.f1,
        }
    return figures


def probability_figures(tags: Classes, truth: Array, log_p: Array, chosen: list[list[str]]) -> Figures:
    """Return log loss and calibration error of the words whose tag is known; not-a-number where none is."""
    known = truth < len(tags)
    if not known.any():
        return {"log_loss": math.nan, "calibration_error": math.nan}
    guess = tags.numbers(_flat(chosen)).numbers[known]
    scores, true = log_p[known], truth[known]
    sure = np.exp(scores[np.arange(len(guess)), guess])
    return {"log_loss": log_loss(true, scores), "calibration_error": calibration_error(guess == true, sure)}


def _by_tag(truth: Sequence[Sequence[str]], chosen: Sequence[Sequence[str]]) -> dict[str, Finding]:
    """Return what was found of each tag that is true or chosen somewhere, sorted by its name."""
    true, guess = _flat(truth), _flat(chosen)
    names = sorted({*true, *guess})
    place = {name: number for number, name in enumerate(names)}
    matrix = confusion([place[tag] for tag in true], [place[tag] for tag in guess], len(names))
    return dict(zip(names, findings(matrix), strict=True))


def _flat(sentences: Sequence[Sequence[str]]) -> list[str]:
    return [tag for sentence in sentences for tag in sentence]
