"""Windows against plain loops over single values; what lies at and after an origin changes nothing before it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.cells import CELLS
from ostinato.data.windows import Encoded, Origins, Shuffled, by_sequence, by_window, gather, origins
from ostinato.errors import DataError
from ostinato.forecast_architecture import ForecastArchitecture
from tests.comparison import assert_close
from tests.quick import examples

CASES = {
    "level": ("level", {}),
    "window": ("window", {}),
    "masked": ("window", {"masked": True}),
    "inputs": ("level", {"masked": True, "past_size": 3, "future_size": 2}),
    "mixed": ("window", {"mixed": True, "masked": True, "past_size": 3, "future_size": 2}),
    "one channel": ("window", {"channels": 1, "masked": True}),
    "single steps": ("level", {"segment": 1, "masked": True}),
}
LENGTHS = (30, 4, 1, 17)


def sizes_of(**options):
    sizes = {"channels": 3, "lookback": 6, "horizon": 5, "segment": 3, "outputs": 1}
    return ForecastArchitecture(cell=CELLS["gru"], hidden_size=2, num_layers=1, **(sizes | options))


def encoded_of(sizes, lengths=LENGTHS, missing=0.2, seed=0):
    random = np.random.default_rng(seed)
    rows = sum(lengths)
    targets = random.normal(size=(rows, sizes.channels)) * 10.0 ** random.integers(-3, 4, (rows, 1))
    targets[random.random(targets.shape) < missing] = np.nan
    past, future = (
        random.normal(size=(rows, size)).astype(np.float32) for size in (sizes.past_size, sizes.future_size)
    )
    return Encoded(targets, past, future, np.concatenate([[0], np.cumsum(lengths)]))


def every_window(encoded):
    """Every row as an origin, and the end of each series, whether its horizon has room or not."""
    rows, begins, ends = [], [], []
    for begin, end in zip(encoded.starts[:-1], encoded.starts[1:], strict=True):
        for row in range(begin, end + 1):
            rows.append(row)
            begins.append(begin)
            ends.append(end)
    return Origins(np.array(rows), np.array(begins), np.array(ends))


def by_loops(encoded, sizes, row, begin, end, scaling):
    """Return x, future, truth, known, shift and scale of one window, as lists: one item for each of its sequences."""
    back = range(row - sizes.lookback, row)
    values = [[_value(encoded.targets, t, c, begin, end) for c in range(sizes.channels)] for t in back]
    shift, scale = [], []
    for c in range(sizes.channels):
        known = [each[c] for each in values if not math.isnan(each[c])]
        shift.append(known[-1] if known else 0.0)
        squares = [(value - shift[c]) ** 2 for value in known]
        size = math.sqrt(sum(squares) / len(squares)) if squares and scaling == "window" else 0
        scale.append(size or 1.0)

    def segments_of(channels):
        found = []
        for s in range(0, sizes.lookback, sizes.segment):
            steps = range(s, s + sizes.segment)
            own = [(values[t][c], c) for t in steps for c in channels]
            segment = [0.0 if math.isnan(v) else (v - shift[c]) / scale[c] for v, c in own]
            segment += [0.0 if math.isnan(v) else 1.0 for v, _ in own] if sizes.masked else []
            segment += [
                _value(encoded.past, back[t], i, begin, end, 0.0) for t in steps for i in range(sizes.past_size)
            ]
            found.append(segment)
        return found

    groups = [range(sizes.channels)] if sizes.mixed else [[c] for c in range(sizes.channels)]
    future = [
        [
            _value(encoded.future, row + m + t, i, begin, end, 0.0) if m + t < sizes.horizon else 0.0
            for t in range(sizes.segment)
            for i in range(sizes.future_size)
        ]
        for m in range(0, sizes.horizon, sizes.segment)
    ]
    ahead = [
        [[_value(encoded.targets, row + t, c, begin, end) for c in group] for t in range(sizes.horizon)]
        for group in groups
    ]
    return {
        "x": [segments_of(group) for group in groups],
        "future": [future for _ in groups],
        "truth": [
            [
                [0.0 if math.isnan(v) else (v - shift[c]) / scale[c] for v, c in zip(step, group, strict=True)]
                for step in each
            ]
            for each, group in zip(ahead, groups, strict=True)
        ],
        "known": [[[0.0 if math.isnan(v) else 1.0 for v in step] for step in each] for each in ahead],
        "shift": [[[shift[c] for c in group]] for group in groups],
        "scale": [[[scale[c] for c in group]] for group in groups],
    }


def _value(values, row, column, begin, end, missing=math.nan):
    return float(values[row, column]) if begin <= row < end else missing


@pytest.mark.parametrize("case", CASES)
def test_a_batch_equals_plain_loops(case):
    scaling, options = CASES[case]
    sizes = sizes_of(**options)
    encoded = encoded_of(sizes)
    windows = every_window(encoded)
    batch = gather(encoded, sizes, windows, scaling)
    found = [by_loops(encoded, sizes, *window, scaling) for window in zip(*vars(windows).values(), strict=True)]
    for name in ("x", "future", "truth", "known", "shift", "scale"):
        array, expected = getattr(batch, name), np.array([one for each in found for one in each[name]])
        if name == "future" and not sizes.future_size:
            assert array is None
            continue
        assert array.dtype == (np.float64 if name in ("shift", "scale") else np.float32)
        assert array.flags.c_contiguous
        assert_close(array, expected.swapaxes(0, 1) if name in ("x", "future") else expected, name)


def test_the_comparison_can_fail():
    sizes = sizes_of()
    encoded = encoded_of(sizes)
    windows = every_window(encoded)
    moved = Origins(windows.rows - 1, windows.begins, windows.ends).take(slice(3, 20))
    batch, other = (gather(encoded, sizes, each, "level") for each in (windows.take(slice(3, 20)), moved))
    with pytest.raises(AssertionError):
        assert_close(batch.x, other.x)


@pytest.mark.parametrize("case", CASES)
def test_nothing_at_or_after_an_origin_is_read_but_truth_and_what_is_known_ahead(case):
    scaling, options = CASES[case]
    sizes = sizes_of(**options)
    encoded = encoded_of(sizes)
    for row in (3, 14, 29, 31, 40):
        begin, end = ((0, 30), (30, 34), (34, 35), (35, 52))[np.searchsorted((30, 34, 35, 52), row, "right")]
        window = Origins(np.array([row]), np.array([begin]), np.array([end]))
        marked = Encoded(encoded.targets.copy(), encoded.past.copy(), encoded.future.copy(), encoded.starts)
        marked.targets[row:] = marked.past[row:] = 1e25
        marked.targets[:begin] = marked.past[:begin] = 1e25
        before, after = (gather(each, sizes, window, scaling) for each in (encoded, marked))
        for name in ("x", "future", "shift", "scale"):
            assert np.array_equal(getattr(before, name), getattr(after, name)), name
        marked.targets[row - 1] = marked.past[row - 1] = 1e25
        assert not np.array_equal(gather(marked, sizes, window, scaling).shift, before.shift)


def test_company_changes_no_bit():
    for scaling, options in CASES.values():
        sizes = sizes_of(**options)
        encoded = encoded_of(sizes)
        windows = every_window(encoded)
        whole = gather(encoded, sizes, windows, scaling)
        each = sizes.channels // sizes.joint
        for place in (0, 7, len(windows) - 1):
            alone = gather(encoded, sizes, windows.take([place]), scaling)
            rows = slice(place * each, (place + 1) * each)
            assert np.array_equal(alone.x, whole.x[:, rows])
            assert np.array_equal(alone.scale, whole.scale[rows])


@pytest.mark.parametrize("mixed", [False, True])
def test_truth_undone_is_what_was_there(mixed):
    sizes = sizes_of(mixed=mixed)
    encoded = encoded_of(sizes, lengths=(40,), missing=0)
    windows = origins(encoded.starts, np.array([6]), np.array([40]), sizes.horizon)
    batch = gather(encoded, sizes, windows, "window")
    truth = batch.truth * batch.scale + batch.shift
    found = by_window(np.stack([truth, truth + 1], axis=-1), sizes.channels)
    expected = encoded.targets[windows.rows[:, None] + np.arange(sizes.horizon)]
    assert found.shape == (len(windows), sizes.horizon, 3, 2)
    assert_close(found[..., 0].astype(np.float32), expected)
    assert np.array_equal(by_sequence(found, sizes.joint)[..., 0], truth)


@pytest.mark.parametrize(("offset", "unit"), [(1e9, 1.0), (0.0, 1e30), (1e-3, 1e-25), (0.0, 5e-324)])
def test_small_differences_of_large_values_and_extreme_units_are_kept(offset, unit):
    sizes = sizes_of(channels=1, lookback=3)
    values = np.array([3.0, 1.0, 2.0, 4.0])[:, None]
    encoded, plain = (
        Encoded(each, np.zeros((4, 0)), np.zeros((4, 0)), np.array([0, 4])) for each in (offset + values * unit, values)
    )
    window = Origins(np.array([3]), np.array([0]), np.array([4]))
    found, expected = (gather(each, sizes, window, "window") for each in (encoded, plain))
    assert np.isfinite(found.x).all()
    assert np.isfinite(found.truth).all()
    if unit > 1e-20:
        assert_close(found.x, expected.x)
        assert_close(found.truth, expected.truth)


def test_a_constant_window_and_one_without_values_are_zero():
    sizes = sizes_of(channels=2, masked=True)
    targets = np.stack([np.full(12, 0.1), np.full(12, np.nan)], axis=1)
    encoded = Encoded(targets, np.zeros((12, 0)), np.zeros((12, 0)), np.array([0, 12]))
    batch = gather(encoded, sizes, Origins(np.array([7]), np.array([0]), np.array([12])), "window")
    assert not batch.x[:, :, :3].any()
    assert batch.x[:, :, 3:].tolist() == [[[1, 1, 1], [0, 0, 0]]] * 2
    assert batch.scale.ravel().tolist() == [1, 1]
    assert batch.shift.ravel().tolist() == [0.1, 0]
    assert batch.known.sum() == sizes.horizon


# ---- which windows there are


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5),
    *(st.integers(1, 4) for _ in range(3)),
)
def test_origins_equal_a_plain_loop(series, horizon, least, stride):
    lengths = [length for length, _, _ in series]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    first, last = (
        np.array([start + min(part[place], part[0]) for start, part in zip(starts, series, strict=False)])
        for place in (1, 2)
    )
    expected = []
    for start, end, low, high in zip(starts[:-1], starts[1:], first, last, strict=True):
        row = max(low, start + least)
        while row + horizon <= high:
            expected.append((row, start, end))
            row += stride
    found = origins(starts, first, last, horizon, least, stride)
    assert list(zip(found.rows, found.begins, found.ends, strict=True)) == expected
    assert len(found) == len(expected)


# ---- batches


def shuffled(batch=4, seed=0, **options):
    sizes = sizes_of(channels=1, **options)
    targets = np.arange(40.0)[:, None]
    encoded = Encoded(targets, np.zeros((40, 0)), np.zeros((40, 0)), np.array([0, 40]))
    windows = origins(encoded.starts, np.array([6]), np.array([40]), sizes.horizon)
    return Shuffled(encoded, sizes, windows, "level", batch, seed)


def rows_of(batch):
    return (batch.shift.ravel() + 1).astype(int).tolist()


@examples(10, 100, st.integers(0, 60), st.integers(0, 60))
def test_a_batch_depends_on_seed_and_step_alone(first, second):
    used, fresh = shuffled(), shuffled()
    used.batch(first)
    assert rows_of(used.batch(second)) == rows_of(fresh.batch(second))


def test_an_epoch_has_every_window_once_but_for_what_fills_no_batch():
    windows = shuffled(batch=4)
    assert len(windows.windows) == 30
    assert windows.steps_per_epoch == 7
    epochs = [[rows_of(windows.batch(7 * epoch + step)) for step in range(7)] for epoch in range(2)]
    for epoch in epochs:
        rows = [row for batch in epoch for row in batch]
        assert len(rows) == len(set(rows)) == 28
        assert set(rows) <= set(range(6, 36))
    assert epochs[0] != epochs[1]
    assert epochs[0] != [rows_of(shuffled(batch=4, seed=1).batch(step)) for step in range(7)]


def test_a_batch_is_no_larger_than_the_windows_there_are():
    assert shuffled(batch=1000).batch_size == 30


def test_series_that_are_too_short_are_refused():
    with pytest.raises(DataError) as caught:
        shuffled(horizon=200)
    assert caught.value.message == "no series is long enough for a window of 6 steps back and 200 ahead."
