"""Series as a network reads them: scaled by training's values, and what is missing marked."""

import warnings
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.data.examples import SeriesExamples
from ostinato.data.places import counted
from ostinato.data.series_encoder import SeriesEncoder
from tests.comparison import assert_close
from tests.data.labelled_files import fact
from tests.quick import examples


def series_of(*arrays, channels=None):
    values = np.concatenate([np.asarray(array, np.float64) for array in arrays])
    starts = np.concatenate([[0], np.cumsum([len(array) for array in arrays])]).astype(np.int64)
    names = channels or [f"c{place}" for place in range(values.shape[1])]
    return SeriesExamples(values, starts, None, names, counted("series", len(arrays)))


def random_series(seed=0, missing=0.2, sizes=(5, 1, 8)):
    random = np.random.default_rng(seed)
    arrays = [random.normal(size=(size, 3)) * [1, 100, 1e-3] + [0, 5, -7] for size in sizes]
    for array in arrays:
        array[random.random(array.shape) < missing] = np.nan
    return series_of(*arrays)


def test_each_channel_has_mean_0_and_deviation_1_over_what_is_there():
    series = random_series()
    encoder = SeriesEncoder.fit(series)
    x = encoder.encode(series)
    gone = np.isnan(series.values)
    assert (encoder.size, x.values.shape, x.values.dtype) == (6, (14, 6), np.float32)
    assert np.array_equal(x.starts, series.starts)
    assert np.array_equal(x.values[:, 3:], gone.astype(np.float32))
    assert not x.values[:, :3][gone].any()
    for channel in range(3):
        there = x.values[~gone[:, channel], channel]
        assert there.mean(dtype=float) == pytest.approx(0, abs=1e-6)
        assert there.std(dtype=float) == pytest.approx(1, abs=1e-6)
        values = series.values[~gone[:, channel], channel]
        assert_close(there, (values - values.mean()) / values.std())


def test_where_nothing_was_missing_nothing_is_marked():
    encoder = SeriesEncoder.fit(random_series(missing=0))
    assert (encoder.size, encoder.marked) == (3, False)
    holes = encoder.encode(random_series(missing=0.5))
    assert holes.values.shape == (14, 3)
    assert np.isfinite(holes.values).all()


def test_a_channel_that_does_not_change_or_has_no_value_is_left_as_it_is():
    still = np.full((4, 3), np.nan)
    still[:, 0], still[:, 1] = 7.0, [0.1 + 0.2, 0.3, 0.3, 0.3]
    encoder = SeriesEncoder.fit(series_of(still))
    assert encoder.deviations == [1, 1, 1]
    x = encoder.encode(series_of(still, still + np.array([1, 0, 0]))).values
    assert np.abs(x[:4, :3]).max() < 1e-6
    assert x[4:, 0].tolist() == [1] * 4
    assert np.array_equal(x[:, 5], np.ones(8))


@examples(
    30, 300, st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=9), st.lists(st.floats(-1e30, 1e30), max_size=9)
)
def test_any_values_become_numbers(train, other):
    """Without a warning: a value may be any number of training's deviations away."""
    encoder = SeriesEncoder.fit(series_of(np.array(train)[:, None]), changes=len(train) % 2 == 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = encoder.encode(series_of(np.array([*train, *other])[:, None])).values
    assert np.isfinite(found).all()


def test_changes_from_the_step_before_are_inputs_where_that_is_asked_for():
    series = random_series()
    plain, encoder = SeriesEncoder.fit(series), SeriesEncoder.fit(series, changes=True)
    x, expected = encoder.encode(series).values, np.full((14, 3), np.nan)
    for begin, end in pairwise(series.starts):
        for row in range(begin + 1, end):
            expected[row] = series.values[row] - series.values[row - 1]
    assert encoder.size == x.shape[1] == 9
    assert np.array_equal(x[:, :6], plain.encode(series).values)
    root = np.sqrt(np.nanmean(expected**2, axis=0))
    assert_close(x[:, 6:], np.nan_to_num(expected / root))
    still = SeriesEncoder.fit(series_of(np.ones((4, 1))), changes=True)
    assert still.encode(series_of(np.array([[1.0], [2.0], [4.0]]))).values.tolist() == [[0, 0], [1, 1], [3, 2]]


def test_channels_are_found_by_name_or_else_by_place():
    encoder = SeriesEncoder.fit(random_series(missing=0))
    values = random_series(missing=0).values
    swapped = encoder.encode(series_of(values[:, [2, 0, 1]], channels=["c2", "c0", "c1"]))
    other = encoder.encode(series_of(values, channels=["1", "2", "3"]))
    expected = encoder.encode(series_of(values)).values
    assert np.array_equal(swapped.values, expected)
    assert np.array_equal(other.values, expected)


def test_another_number_of_channels_is_told():
    encoder = SeriesEncoder.fit(random_series())
    expected = "the series have 2 channels (c0, c1), but the model reads 3 (c0, c1, c2)."
    assert fact(encoder.encode, series_of(np.zeros((4, 2)))) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"means": [1.0]},
        {"deviations": [1.0]},
        {"deviations": [0.0, 1.0]},
        {"deviations": [-1.0, 1.0]},
        {"channels": []},
        {"means": ["a", 1.0]},
        {"marked": 2},
    ],
    ids=str,
)
def test_a_document_that_contradicts_itself_is_refused(change):
    right = {"kind": "series", "channels": ["a", "b"], "means": [0.0, 1.0], "deviations": [1.0, 2.0], "marked": True}
    assert msgspec.json.decode(msgspec.json.encode(right), type=SeriesEncoder).size == 4
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(right | change), type=SeriesEncoder)
    huge = msgspec.json.encode(right).replace(b"[0.0,1.0]", b"[0.0,1e999]")
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(huge, type=SeriesEncoder)


def test_it_is_kept_as_a_document():
    encoder = SeriesEncoder.fit(random_series())
    again = msgspec.json.decode(msgspec.json.encode(encoder), type=SeriesEncoder)
    series = random_series(seed=5)
    assert again == encoder
    assert again.encode(series).values.tobytes() == encoder.encode(series).values.tobytes()
