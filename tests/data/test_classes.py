"""What a classifier tells apart: classes and their numbers, how frequent they are, and what is held out of each."""

import msgspec
import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.data.classes import Classes, held_out, shares_of
from ostinato.data.places import counted, places_in
from ostinato.errors import DataError
from tests.data.labelled_files import refusal
from tests.quick import examples

# ---- classes


@pytest.mark.parametrize(
    ("labels", "names", "several"),
    [
        (["b", "a", "b"], ["a", "b"], False),
        (["10", "9", "-1"], ["-1", "9", "10"], False),
        (["10", "9", "x"], ["10", "9", "x"], False),
        ([["b"], [], ["a", "b"]], ["a", "b"], True),
        ([["a"], ["a"]], ["a"], True),
    ],
)
def test_classes_are_those_of_the_labels_in_order(labels, names, several):
    classes = Classes.of(labels)
    assert (classes.names, classes.several, len(classes)) == (names, several, len(names))
    assert msgspec.json.decode(msgspec.json.encode(classes), type=Classes) == classes


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "a"], "every example is labelled 'a'.\n  hint: a classifier needs examples of two classes"),
        ([[], []], "no example has a label."),
        ([], "no example has a label."),
    ],
)
def test_one_class_teaches_nothing(labels, message):
    assert refusal(Classes.of, labels).startswith(message)


def test_a_class_that_is_named_twice_is_refused():
    assert refusal(Classes, ["a", "b", "a"]) == "a class is named twice."
    for document in (b'{"names": ["a", "a"]}', b'{"names": []}', b'{"names": ["a", 1]}', b"{}"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(document, type=Classes)


def test_labels_become_numbers_and_unknown_ones_come_after():
    classes = Classes(["a", "b"])
    truth = classes.numbers(["b", "x", "a", "y", "x"])
    assert (truth.numbers.tolist(), truth.unseen) == ([1, 2, 0, 3, 2], ["x", "y"])
    several = Classes(["a", "b"], several=True).numbers([["b"], [], ["x", "a"]])
    assert several.numbers.tolist() == [[False, True, False], [False] * 3, [True, False, True]]
    assert several.unseen == ["x"]
    assert classes.numbers([]).numbers.shape == (0,)


def test_several_labels_are_not_one():
    expected = "one label for each example were expected, but several came."
    assert refusal(Classes(["a", "b"]).numbers, [["a"]]) == expected
    expected = "several labels for each example were expected, but one came."
    assert refusal(Classes(["a", "b"], several=True).numbers, ["a"]) == expected


@pytest.mark.parametrize("several", [False, True])
def test_where_labels_must_be_known_an_unknown_one_is_named_with_its_place(several):
    classes = Classes(["a", "b"], several)
    labels = ["a", "b", "x"]
    labels = [["a"], ["b", "a"], ["b", "x"]] if several else labels
    known = classes.known(labels[:2], counted("text", 2))
    assert known.tolist() == ([[True, False], [True, True]] if several else [0, 1])
    said = refusal(classes.known, labels, places_in("test.csv", "row", [2, 3, 9]))
    assert said.splitlines()[0] == "test.csv, row 9: the label 'x' is none of the 2 classes."
    assert said.endswith("hint: they are a, b.")


# ---- how frequent classes are


@examples(20, 300, st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_shares_are_nearly_those_of_the_classes_and_never_none_or_all(truth):
    shares = shares_of(np.array(truth), 5)
    counts = np.bincount(truth, minlength=5)
    assert ((shares > 0) & (shares < 1)).all()
    assert np.abs(shares - counts / len(truth)).max() <= 1 / len(truth)
    assert (np.argsort(shares, kind="stable") == np.argsort(counts, kind="stable")).all()
    assert np.array_equal(shares_of(np.eye(5, dtype=bool)[truth], 5), shares)


# ---- what is held out


@examples(40, 500, st.lists(st.integers(0, 6), min_size=2, max_size=300), st.floats(0.02, 0.6), st.integers(0, 5))
def test_held_out_are_so_many_of_each_class_and_never_all(truth, fraction, seed):
    truth = np.array(truth)
    classes, counts = np.unique(truth, return_counts=True)
    try:
        train, valid = held_out(truth, fraction, seed)
    except DataError:
        assert fraction * len(truth) < len(classes) or (counts == 1).all()
        return
    assert sorted([*train, *valid]) == list(range(len(truth)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(valid) > 0).all()
    assert set(truth[train]) == set(classes)
    for name, count in zip(classes, counts, strict=True):
        chosen = int((truth[valid] == name).sum())
        assert chosen <= count - 1
        # A class gives its fraction, and what those before it could not.
        assert chosen <= fraction * count + len(classes)
    assert len(valid) <= fraction * len(truth) + 1
    again = held_out(truth, fraction, seed)
    assert np.array_equal(again[0], train)
    assert np.array_equal(again[1], valid)


def test_of_large_classes_the_fraction_is_met():
    truth = np.repeat([0, 1, 2], [1000, 200, 50])
    for fraction in (0.1, 0.25):
        _, valid = held_out(truth, fraction, 0)
        assert np.abs(np.bincount(truth[valid]) - fraction * np.array([1000, 200, 50])).max() <= 1
    assert not np.array_equal(held_out(truth, 0.1, 1)[1], held_out(truth, 0.1, 0)[1])


def test_a_class_that_was_seen_once_is_learned_from():
    truth = np.array([0] * 20 + [1])
    train, valid = held_out(truth, 0.3, 0)
    assert 20 in train
    assert len(valid) == 6


def test_several_classes_at_once_are_drawn_whatever_they_are():
    truth = np.random.default_rng(0).random((100, 3)) < 0.5
    train, valid = held_out(truth, 0.2, 0)
    assert (len(train), len(valid)) == (80, 20)
    assert sorted([*train, *valid]) == list(range(100))


@pytest.mark.parametrize(
    "truth", [np.array([0, 1]), np.array([0, 1, 2]), np.array([0, 0, 1, 1]), np.ones((1, 2), bool)]
)
def test_where_nothing_is_left_to_judge_by_it_is_said(truth):
    said = refusal(held_out, truth, 0.1, 0)
    assert said.startswith(f"of {len(truth)} examples none is left to judge by.\n  hint: give more examples")
