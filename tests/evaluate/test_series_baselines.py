"""Baselines of numeric sequences: statistics and neighbours against plain loops, scikit-learn and published figures."""

import functools
import math
import statistics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from ostinato.errors import DataError, FileFormatError, ShapeError
from ostinato.evaluate import series_baselines as module
from ostinato.evaluate.series_baselines import (
    QUANTILES,
    STATISTICS,
    NearestNeighbour,
    SummaryLogistic,
    series_baselines,
    summaries,
)
from ostinato.evaluate.windows import Rows, rows_of
from tests import real_data
from tests.comparison import assert_close
from tests.quick import examples


def by_hand(values):
    """The statistics of one channel, from a list."""
    known = [(step, value) for step, value in enumerate(values) if not math.isnan(value)]
    if not known:
        return [0.0] + [math.nan] * (len(STATISTICS) - 1)
    steps, numbers = zip(*known, strict=True)
    slope = statistics.linear_regression(steps, numbers).slope if len(known) > 1 else 0.0
    changes = [b - a for a, b in pairwise(values) if not math.isnan(a - b)]
    return [
        len(known) / len(values),
        statistics.fmean(numbers),
        statistics.pstdev(numbers),
        slope,
        statistics.fmean(map(abs, changes)) if changes else math.nan,
        numbers[0],
        numbers[-1],
        *np.quantile(numbers, QUANTILES),
        statistics.pstdev(changes) if changes else math.nan,
        *(np.quantile(changes, QUANTILES) if changes else [math.nan] * len(QUANTILES)),
    ]


NUMBER = st.floats(-100, 100, width=32) | st.just(math.nan)
SERIES = st.lists(st.tuples(NUMBER, NUMBER), max_size=12)


@examples(40, 400, st.lists(SERIES, min_size=1, max_size=4))
def test_summaries_by_hand(several):
    found = summaries(rows_of([np.array(one).reshape(-1, 2) for one in several]))
    expected = [
        [math.log(1 + len(one)), *(number for channel in range(2) for number in by_hand([row[channel] for row in one]))]
        for one in several
    ]
    assert_close(found, np.array(expected))


def test_the_comparison_can_fail():
    found = summaries(rows_of([[1.0, 2.0, 4.0]]))
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(found, np.array([[math.log(4), *by_hand([1.0, 2.0, 5.0])]]))


def noise(count, length, channels=2, seed=0):
    return list(np.random.default_rng(seed).normal(size=(count, length, channels)))


def two_kinds(count=40, seed=0):
    """Series of several lengths, those of the second class rising."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    lengths = random.integers(5, 30, count)
    series = [
        np.c_[np.linspace(0, 2 * label, length), np.zeros(length)] + random.normal(0, 0.3, (length, 2))
        for label, length in zip(labels, lengths, strict=True)
    ]
    return rows_of(series), labels


def accuracy_of(baseline):
    rows, labels = two_kinds()
    others, truth = two_kinds(seed=1)
    return real_data.accuracy(baseline.fit(rows, labels).probabilities(others), truth)


def test_both_tell_rising_series():
    assert accuracy_of(SummaryLogistic(2)) > 0.9
    assert accuracy_of(NearestNeighbour(2)) > 0.9


def test_all_of_them_by_name():
    rows, labels = two_kinds()
    others, _ = two_kinds(10, seed=1)
    found = series_baselines(rows, labels, others, 3)
    assert list(found) == ["majority", "summaries", "neighbour"]
    for one in found.values():
        assert one.shape == (10, 3)
        assert_close(one.sum(axis=1), np.ones(10))
    weighted = series_baselines(rows, labels, others, 2, class_weights=[1, 9])["summaries"]
    assert (weighted[:, 1] > found["summaries"][:, 1]).all()


def test_what_is_missing_or_odd_moves_nothing_else():
    rows, labels = two_kinds()
    values = np.c_[
        rows.values, np.full(len(rows.values), math.nan), np.full(len(rows.values), 0.1), rows.values * 1e200
    ]
    odd = Rows(values, rows.starts)
    empty = Rows(np.concatenate([values, values[:3] * math.nan]), np.r_[odd.starts, odd.starts[-1], odd.starts[-1] + 3])
    for baseline in (SummaryLogistic(2), NearestNeighbour(2)):
        found = baseline.fit(odd, labels).probabilities(empty)
        assert np.isfinite(found).all()
        assert real_data.accuracy(found[:-2], labels) > 0.9
        assert baseline.probabilities(Rows(values[:0], np.zeros(1, np.int64))).shape == (0, 2)


class TestTensors:
    @pytest.mark.parametrize(("classes", "several"), [(2, False), (3, False), (3, True)])
    def test_they_predict_the_same(self, classes, several):
        rows, labels = two_kinds()
        part = SummaryLogistic(classes).fit(rows, np.eye(classes)[labels] if several else labels)
        same = SummaryLogistic.from_tensors("m", part.tensors(), classes, 2, several=several)
        assert same.probabilities(rows).tobytes() == part.probabilities(rows).tobytes()

    @pytest.mark.parametrize(
        ("change", "channels", "message"),
        [
            (lambda tensors: None, 3, r"'means' of its linear part should be float64 \[67\], but is float64 \[45\]"),
            (lambda tensors: tensors.update(means=tensors["means"].astype(np.float32)), 2, "but is float32"),
            (
                lambda tensors: tensors.update(scales=tensors["scales"] * 0),
                2,
                "scales of its linear part are impossible",
            ),
            (lambda tensors: tensors.update(scales=-tensors["scales"]), 2, "impossible"),
            (lambda tensors: tensors.update(means=tensors["means"] + np.inf), 2, "not finite"),
            (lambda tensors: tensors.pop("scales"), 2, "lacks a tensor: 'scales'"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, change, channels, message):
        tensors = SummaryLogistic(2).fit(*two_kinds()).tensors()
        change(tensors)
        with pytest.raises(FileFormatError, match=message):
            SummaryLogistic.from_tensors("m.safetensors", tensors, 2, channels)

    def test_scales_of_a_file_that_are_tiny_overflow_nothing(self):
        rows, labels = two_kinds()
        tensors = SummaryLogistic(2).fit(rows, labels).tensors()
        tensors |= {"scales": np.full_like(tensors["scales"], 1e-320), "means": tensors["means"] - 1e308}
        assert np.isfinite(SummaryLogistic.from_tensors("m", tensors, 2, 2).probabilities(rows)).all()


@functools.cache
def fitted():
    return SummaryLogistic(2).fit(*two_kinds())


@examples(20, 200, st.lists(SERIES, min_size=1, max_size=4))
def test_any_company_gives_the_same_bits(several):
    part = fitted()
    series = [np.array(one).reshape(-1, 2) for one in several]
    found = part.probabilities(rows_of(series))
    for one, row in zip(series, found, strict=True):
        assert part.probabilities(rows_of([one]))[0].tobytes() == row.tobytes()


class TestNeighbour:
    @pytest.mark.parametrize("block", [1, 7, 4_000_000])
    @pytest.mark.parametrize("by_shape", [False, True])
    def test_equals_scikit_learn(self, monkeypatch, block, by_shape):
        monkeypatch.setattr(module, "BLOCK_VALUES", block)
        series, others = noise(30, 9), noise(17, 9, seed=1)
        labels = np.random.default_rng(2).integers(0, 4, 30)
        # One of the two ways is made to tell all: the level or the shape of a channel.
        for label, one in zip(labels, series, strict=True):
            one[:, 0] += 9 * label * (np.arange(9) if by_shape else 1)
            one[:, 1] += 100 * np.random.default_rng(label).normal() if by_shape else 0
        baseline = NearestNeighbour(4).fit(rows_of(series), labels)
        found = baseline.probabilities(rows_of(others))
        stacked = np.array(series).reshape(-1, 2)
        points = [self.standard(np.array(part), stacked, baseline.by_shape_) for part in (series, others)]
        peer = KNeighborsClassifier(1).fit(points[0], labels)
        assert found.argmax(axis=1).tolist() == peer.predict(points[1]).tolist()
        assert set(np.round(found.ravel(), 12)) == set(np.round([baseline.rate_, (1 - baseline.rate_) / 3], 12))

    @staticmethod
    def standard(series, stacked, by_shape):
        if by_shape:
            return ((series - series.mean(axis=1, keepdims=True)) / series.std(axis=1, keepdims=True)).reshape(
                len(series), -1
            )
        return ((series - stacked.mean(axis=0)) / stacked.std(axis=0)).reshape(len(series), -1)

    def test_levels_or_shape_whichever_tells_more(self):
        random = np.random.default_rng(0)
        labels = np.arange(30) % 2
        steps = np.arange(20)
        levels = [label + random.normal(0, 0.1, 20) for label in labels]
        shapes = [np.sin(steps * (1 + label)) * 10 ** random.uniform(-2, 2) + 50 * random.normal() for label in labels]
        assert not NearestNeighbour(2).fit(rows_of(levels), labels).by_shape_
        assert NearestNeighbour(2).fit(rows_of(shapes), labels).by_shape_

    def test_the_rate_is_that_of_the_nearest_other_series(self):
        series, labels = noise(25, 6, channels=1), np.arange(25) % 3
        baseline = NearestNeighbour(3).fit(rows_of(series), labels)
        rates = []
        for by_shape in (False, True):
            points = self.standard(np.array(series), np.array(series).reshape(-1, 1), by_shape)
            distances = ((points[:, None] - points) ** 2).sum(axis=2) + np.diag([np.inf] * 25)
            rates.append((1 + (labels[distances.argmin(axis=1)] == labels).sum()) / 27)
        assert baseline.rate_ == pytest.approx(max(*rates, 1.01 / 3))

    def test_the_neighbour_stays_likeliest_however_often_it_was_wrong(self):
        # Each series' nearest is of the other class.
        series = [np.array([0.0, 1.0, 2 + place + 0.1 * label]) for place in range(6) for label in (0, 1)]
        found = NearestNeighbour(2).fit(rows_of(series), [0, 1] * 6).probabilities(rows_of(series))
        assert found.argmax(axis=1).tolist() == [0, 1] * 6

    def test_series_are_read_off_along_lines(self):
        rows = rows_of([[0.0, 1.0, 2.0, 3.0, 4.0], [math.nan, 1.0, math.nan, 3.0, math.nan], [7.0], [0.0, 4.0]])
        baseline = NearestNeighbour(4).fit(rows, range(4))
        found = [baseline._points(rows, at, at + 1, by_shape=False)[0] for at in range(4)]
        mean, scale = np.nanmean(rows.values), np.nanstd(rows.values)
        expected = [[0, 1, 2, 3, 4], [1, 1, 2, 3, 3], [7] * 5, [0, 1, 2, 3, 4]]
        assert_close(np.array(found), (np.array(expected, float) - mean) / scale)

    def test_long_or_many_series_are_read_off_at_fewer_steps(self, monkeypatch):
        monkeypatch.setattr(module, "MOST_VALUES", 40 * 2 * 7)
        rows, labels = two_kinds()
        baseline = NearestNeighbour(2).fit(rows, labels)
        assert baseline._kept.shape == (40, 2 * 7)
        assert real_data.accuracy(baseline.probabilities(rows), labels) == 1

    def test_few_series(self):
        found = NearestNeighbour(3).fit(rows_of([[1.0, 2.0]]), [1]).probabilities(rows_of([[5.0], [2.0]]))
        assert found.tolist() == [[0.25, 0.5, 0.25]] * 2
        assert NearestNeighbour(1).fit(rows_of([[1.0]]), [0]).probabilities(rows_of([[5.0]])).tolist() == [[1]]
        nothing = Rows(np.empty((0, 1)), np.zeros(3, np.int64))
        assert NearestNeighbour(2).fit(nothing, [1, 0]).probabilities(nothing).argmax(axis=1).tolist() == [1, 1]

    def test_several_classes_at_once(self):
        rows = rows_of([[0.0, 0.1], [0.1, 0.0], [5.0, 5.1], [5.1, 5.0]])
        several = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [0, 1, 1]])
        baseline = NearestNeighbour(3).fit(rows, several)
        assert baseline.rate_ == pytest.approx(5 / 6)
        assert_close(baseline.probabilities(rows_of([[4.9, 5.0]])), np.array([[1 / 6, 5 / 6, 5 / 6]]))


@pytest.mark.parametrize("baseline", [SummaryLogistic(2), NearestNeighbour(2)])
def test_what_is_refused(baseline):
    rows = rows_of([[1.0, 2.0], [3.0]])
    with pytest.raises(ShapeError, match=r"labels are expected in shape \[S=2\]"):
        baseline.fit(rows, [0])
    with pytest.raises(DataError, match="whole numbers from 0 to 1"):
        baseline.fit(rows, [0, 2])
    with pytest.raises(DataError, match="no example"):
        baseline.fit(Rows(np.empty((0, 1)), np.zeros(1, np.int64)), [])
    with pytest.raises(ShapeError, match="series of 2 channels came"):
        baseline.fit(rows, [0, 1]).probabilities(rows_of([[[1.0, 2.0]]]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "error"), [("GunPoint", 0.0867), ("ArrowHead", 0.2), ("ItalyPowerDemand", 0.0447), ("ACSF1", 0.46)]
)
def test_by_shape_it_is_the_published_neighbour(name, error):
    """The error of "ED (w=0)" in the UCR archive's own table, whose series have equal lengths and no levels."""
    rows, labels, others, truth, classes = flat(real_data.series(name))
    baseline = NearestNeighbour(classes).fit(rows, labels)
    points = baseline._points(rows, 0, len(labels), by_shape=True)
    asked = baseline._points(others, 0, len(truth), by_shape=True)
    found = labels[module._nearest(asked, points)]
    assert float((found != truth).mean()) == pytest.approx(error, abs=6e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("JapaneseVowels", 0.9), ("BasicMotions", 0.9), ("GunPoint", 0.85)])
def test_the_better_one_on_published_data(name, least):
    rows, labels, others, truth, classes = flat(real_data.series(name))
    found = series_baselines(rows, labels, others, classes)
    assert max(real_data.accuracy(found[kind], truth) for kind in ("summaries", "neighbour")) > least


def flat(parts):
    (rows, labels), (others, truth), classes = parts
    return rows, labels, others, truth, classes
