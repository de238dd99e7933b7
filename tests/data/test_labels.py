"""Labels as texts, their counts, and the places of examples."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import strategies as st

from ostinato.data.labels import class_counts, described, label_text, labels_from, labels_given
from ostinato.data.places import counted, joined_places, places_in, whole_files
from ostinato.errors import ShapeError
from tests.data.labelled_files import fact, refusal
from tests.quick import examples


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a b ", "a b"),
        ("1.0", "1.0"),
        ("007", "007"),
        ("NA", "NA"),
        ("None", "None"),
        (7, "7"),
        (np.int8(-7), "-7"),
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (np.float32(0.1), "0.1"),
        (np.float64(3), "3"),
        (np.array(3), "3"),
        (torch.tensor(3), "3"),
        (torch.tensor(2.0), "2"),
        (1e300, "1e+300"),
        (True, "true"),
        (np.False_, "false"),
        (b"caf\xc3\xa9", "café"),
        (b"\xff", "\\xff"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (None, None),
        ("", None),
        ("  ", None),
        (float("nan"), None),
        (np.float32("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
    ],
)
def test_a_label_is_a_text(value, text):
    assert label_text(value) == text


class TestSeveral:
    def test_a_separator_and_lists(self):
        places = counted("text", 3)
        assert labels_from(["a; b;;a ", "", "c"], places, ";") == [["a", "b"], [], ["c"]]
        assert labels_from([["a", 2.0], {"z", "b"}, "a;b"], places) == [["a", "2"], ["b", "z"], ["a;b"]]
        assert labels_from([[], [], None], places) is None

    def test_zeros_and_ones(self):
        indicators = np.array([[0, 1, 1], [0, 0, 0]])
        assert labels_given(indicators, counted("text", 2)) == [["1", "2"], []]
        assert labels_given(indicators.astype(bool), counted("text", 2)) == [["1", "2"], []]
        assert labels_given(np.array([[4.0], [5.5]]), counted("text", 2)) == ["4", "5.5"]
        message = "expected labels [N], or zeros and ones [N, C], got int64 [2, 2]."
        assert fact(labels_given, np.array([[0, 2], [1, 1]]), counted("text", 2), error=ShapeError) == message


class TestGiven:
    @pytest.mark.parametrize("column", [list, tuple, np.array, pd.Series, pl.Series])
    def test_whatever_holds_them(self, column):
        assert labels_given(column(["a", "b"]), counted("text", 2)) == ["a", "b"]
        assert labels_given(column([0.0, 1.0]), counted("text", 2)) == ["0", "1"]

    def test_missing_ones(self):
        places = places_in("t.csv", "row", [2, 3, 9])
        message = "2 of 3 labels are missing, the first at t.csv, row 3."
        assert fact(labels_given, ["a", None, ""], places) == message
        assert labels_given([None, "", float("nan")], places) is None

    @pytest.mark.parametrize("labels", ["ab", {"a": 1, "b": 2}, 7, np.array(7)])
    def test_what_is_no_list(self, labels):
        assert fact(labels_given, labels, counted("text", 2), error=ShapeError).startswith("expected ")

    def test_another_number(self):
        message = "expected 2 labels, one for each text, got 3."
        assert refusal(labels_given, ["a", "b", "c"], counted("text", 2), error=ShapeError) == message


def test_counts_are_sorted_by_value_where_all_classes_are_numbers():
    assert list(class_counts(["10", "9", "-1", "9"]).items()) == [("-1", 1), ("9", 2), ("10", 1)]
    assert list(class_counts(["10", "9", "x"])) == ["10", "9", "x"]
    assert class_counts([["a", "b"], [], ["a"]]) == {"a": 2, "b": 1}
    assert described(class_counts(["b", "a", "b"])) == "2 classes: a (1), b (2)"


PLACES = st.lists(
    st.tuples(st.text(min_size=1, max_size=3), st.integers(0, 4), st.sampled_from(["row", ""])), min_size=1
)


@examples(60, 1000, PLACES, st.randoms(use_true_random=False))
def test_places_are_those_of_a_list_of_names(files, random):
    parts, names = [], []
    for title, count, unit in files:
        parts.append(places_in(title, unit, range(5, 5 + count)))
        names += [f"{title}, row {number}" if unit else title for number in range(5, 5 + count)]
    joined = joined_places(parts)
    assert [joined[number] for number in range(len(joined))] == names
    chosen = [random.randrange(len(names)) for _ in range(7)] if names else []
    selected = joined.select(chosen)
    assert [selected[number] for number in range(len(chosen))] == [names[number] for number in chosen]


def test_places_without_a_file_and_of_whole_files():
    assert counted("series", 3)[2] == "series 2 (from 0)"
    assert whole_files(["a/1", "a/2"])[1] == "a/2"
    assert str(places_in("t.ts", "line", [1234]).error(0, "no.", "yes.")) == "t.ts, line 1,234: no.\n  hint: yes."
