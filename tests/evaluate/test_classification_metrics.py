"""The figures of decisions against scikit-learn and plain loops; those of entities by cases made by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peer

from ostinato.errors import DataError, ShapeError
from ostinato.evaluate.classification_metrics import (
    LARGEST_LOSS,
    Finding,
    calibration_error,
    classification_figures,
    confusion,
    entity_findings,
    findings,
)
from tests.comparison import are_close, assert_close
from tests.oracles import tags as oracle

SEEDS = st.integers(0, 2**32 - 1)


class Case:
    """N decisions among O classes, some of which are never true or never chosen."""

    def __init__(self, seed):
        random = np.random.default_rng(seed)
        self.classes = int(random.integers(2, 7))
        count = int(random.integers(1, 40))
        self.truth = random.choice(random.choice(self.classes, int(random.integers(1, self.classes + 1))), count)
        p = random.dirichlet(np.full(self.classes, random.choice([0.2, 1.0, 5.0])), count)
        self.p = np.maximum(p, 1e-12) / np.maximum(p, 1e-12).sum(axis=1, keepdims=True)
        self.chosen = self.p.argmax(axis=1)


@given(SEEDS)
def test_figures_equal_those_of_scikit_learn(seed):
    case = Case(seed)
    every = np.arange(case.classes)
    found = classification_figures(case.truth, np.log(case.p))
    present = np.unique(case.truth)
    recall = peer.recall_score(case.truth, case.chosen, labels=present, average="macro", zero_division=0)
    expected = {
        "accuracy": peer.accuracy_score(case.truth, case.chosen),
        "balanced_accuracy": recall,
        "macro_f1": peer.f1_score(case.truth, case.chosen, average="macro", zero_division=0),
        "log_loss": peer.log_loss(case.truth, case.p, labels=every),
        "calibration_error": loops(case.truth == case.chosen, case.p.max(axis=1)),
    }
    assert_close(as_arrays(found), as_arrays(expected))
    matrix = confusion(case.truth, case.chosen, case.classes)
    assert np.array_equal(matrix, peer.confusion_matrix(case.truth, case.chosen, labels=every))
    parts = peer.precision_recall_fscore_support(case.truth, case.chosen, labels=every, zero_division=0)
    ours = np.array([(one.precision, one.recall, one.f1, one.true) for one in findings(matrix)])
    assert_close(ours, np.stack(parts, axis=1).astype(float))


@given(SEEDS)
def test_balanced_accuracy_is_that_of_scikit_learn_where_every_choice_is_true_somewhere(seed):
    """Elsewhere it warns."""
    case = Case(seed)
    if not set(case.chosen) <= set(case.truth) or len(set(case.truth)) < 2:
        return
    found = classification_figures(case.truth, np.log(case.p))["balanced_accuracy"]
    assert_close(found, peer.balanced_accuracy_score(case.truth, case.chosen))


def loops(right, confidence, bins=15):
    total = 0.0
    for low in range(bins):
        inside = [
            (hit, sure)
            for hit, sure in zip(right, confidence, strict=True)
            if low / bins < sure <= (low + 1) / bins or (sure == low == 0)
        ]
        if inside:
            accuracy = sum(float(hit) for hit, _ in inside) / len(inside)
            mean = math.fsum(sure for _, sure in inside) / len(inside)
            total += len(inside) / len(right) * abs(accuracy - mean)
    return total


def as_arrays(figures):
    return {name: np.float64(value) for name, value in figures.items()}


def test_the_comparison_can_fail():
    case = Case(4)
    one = as_arrays(classification_figures(case.truth, np.log(case.p)))
    other = as_arrays(classification_figures(case.truth, np.log(np.roll(case.p, 1, axis=1))))
    assert not are_close(one, other)


def test_known_calibration_errors():
    assert calibration_error([True, False], [1.0, 0.0]) == 0
    assert calibration_error([True, True, False, False], [0.5] * 4) == 0
    assert calibration_error([True, False], [0.9, 0.1]) == pytest.approx(0.1)
    # Two of one bin balance each other, two of different bins do not.
    assert calibration_error([True, False], [0.52, 0.53], bins=10) == pytest.approx(0.025)
    assert calibration_error([True, False], [0.52, 0.48], bins=2) == pytest.approx(0.48)
    # A bound belongs to the bin below it.
    assert calibration_error([True, False], [0.5, 0.4], bins=2) == pytest.approx(0.05)
    assert calibration_error([True, False], [0.5, 0.6], bins=2) == pytest.approx(0.55)


def test_a_choice_may_be_another_than_the_likeliest():
    """As the best path of a tagger; how sure it was is then the probability of what was chosen."""
    log_p = np.log([[0.7, 0.3], [0.6, 0.4]])
    found = classification_figures([1, 0], log_p, chosen=[1, 0])
    assert found["accuracy"] == found["macro_f1"] == 1
    assert found["calibration_error"] == pytest.approx((0.7 + 0.4) / 2)
    assert found["log_loss"] == pytest.approx(-(math.log(0.3) + math.log(0.6)) / 2)


def test_what_was_impossible_leaves_the_log_loss_a_number():
    found = classification_figures([2, 0], [[math.log(0.5), math.log(0.5), -math.inf]] * 2)
    assert found["log_loss"] == (LARGEST_LOSS - math.log(0.5)) / 2
    assert found["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (([], np.zeros((0, 2))), DataError, "no decision to judge"),
        (([0], np.zeros((1, 0))), DataError, "no decision to judge"),
        (([2], np.log([[0.5, 0.5]])), DataError, "truth holds 2, which is no class; they go from 0 to 1"),
        (([-1], np.log([[0.5, 0.5]])), DataError, "truth holds -1"),
        (([0.5], np.log([[0.5, 0.5]])), DataError, "truth holds 0.5"),
        (([0], np.log([[0.5, 0.5]]), [3]), DataError, "chosen holds 3"),
        (([0, 1], np.log([[0.5, 0.5]])), ShapeError, "N=1"),
        (([0], [0.5, 0.5]), ShapeError, r"log_p of shape \[N, O\]"),
        (([0], [[0.5, 0.5]]), DataError, "add up to 3.3"),
        (([0], [[math.nan, 0.5]]), DataError, "that are none"),
        (([0], [[-math.inf, -math.inf]]), DataError, "that are none"),
    ],
)
def test_what_cannot_be_judged_is_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        classification_figures(*arguments)


def sentences(*lines):
    return [line.split() for line in lines]


def test_entities_of_a_known_case():
    truth = sentences("B-x I-x O B-y", "O I-x", "B-y I-y I-y")
    chosen = sentences("B-x I-x O B-x", "O B-x", "B-y I-y O")
    found = entity_findings(truth, chosen)
    # Right are x at 0 to 2, and the x that was I after O; y is wrong by its type once and by its end once.
    assert found.overall == Finding(true=4, chosen=4, found=2)
    assert found.by_type == {"x": Finding(2, 3, 2), "y": Finding(2, 1, 0)}
    assert (found.by_type["x"].precision, found.by_type["x"].recall) == (2 / 3, 1.0)
    assert found.by_type["x"].f1 == pytest.approx(0.8)
    assert found.by_type["y"].f1 == 0


@pytest.mark.parametrize(
    ("truth", "chosen", "expected"),
    [
        ("B-x I-x", "I-x I-x", (1, 1, 1)),  # how it is written does not count
        ("B-x I-x", "B-x B-x", (1, 2, 0)),
        ("B-x I-x", "B-x I-y", (1, 2, 0)),
        ("B-x I-x", "O I-x", (1, 1, 0)),
        ("O O", "O O", (0, 0, 0)),
        ("O O", "B-x O", (0, 1, 0)),
        ("B-x E-x", "B-x I-x", (1, 1, 1)),
    ],
)
def test_known_entities(truth, chosen, expected):
    found = entity_findings(sentences(truth), sentences(chosen)).overall
    assert found == Finding(*expected)
    assert found.f1 == (1 if expected == (1, 1, 1) else 0)


TAGS = st.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in "xy")])


@given(st.lists(st.lists(st.tuples(TAGS, TAGS))))
def test_entities_equal_the_chunks_that_are_in_both(pairs):
    truth, chosen = ([[pair[side] for pair in sentence] for sentence in pairs] for side in (0, 1))
    found = entity_findings(truth, chosen)
    true, guessed = (
        {(n, *one) for n, tags in enumerate(side) for one in oracle.chunks(tags)} for side in (truth, chosen)
    )
    assert found.overall == Finding(len(true), len(guessed), len(true & guessed))
    assert [sum(column) for column in zip((0, 0, 0), *found.by_type.values(), strict=True)] == list(found.overall)
    assert list(found.by_type) == sorted({one[1] for one in true | guessed})


def test_sentences_of_other_lengths_are_refused():
    with pytest.raises(DataError, match="sentence 2 has 1 words, but 2 tags were chosen"):
        entity_findings(sentences("O", "O"), sentences("O", "O O"))
    with pytest.raises(DataError, match="1 tagged sentences cannot be compared with 2"):
        entity_findings(sentences("O", "O"), sentences("O"))
    with pytest.raises(DataError, match="'NOUN' marks no entity"):
        entity_findings(sentences("NOUN"), sentences("O"))
