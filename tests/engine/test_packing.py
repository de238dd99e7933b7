"""How sequences of unequal length lie in rows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.engine import numpy as numpy_engine
from ostinato.engine import torch as torch_engine
from ostinato.engine.packing import Packing, checked_lengths
from ostinato.errors import ShapeError

checked = settings(deadline=None, max_examples=100)


@st.composite
def batches(draw):
    steps = draw(st.integers(0, 6))
    return steps, np.array(draw(st.lists(st.integers(0, steps), max_size=5)), dtype=np.int64), draw(st.booleans())


def places(steps, lengths, reverse):
    """Return, step by step of the run, the (time, sequence) pairs it must read, longest sequence first."""
    order = sorted(range(len(lengths)), key=lambda b: -lengths[b])
    return [
        [(lengths[b] - 1 - step if reverse else step, b) for b in order if step < lengths[b]]
        for step in range(max(lengths, default=0))
    ]


def rows_of(packing, steps, batch):
    """Return what a packing reads, in the same form."""
    sources = np.arange(steps * batch) if packing.sources is None else packing.sources
    pairs = iter([(source // batch, source % batch) for source in sources.tolist()])
    return [[next(pairs) for _ in range(count)] for count in packing.counts], list(pairs)


@checked
@given(batches())
def test_rows_are_in_time_order_longest_sequence_first(batch):
    steps, lengths, reverse = batch
    packing = Packing.of(steps, len(lengths), lengths, reverse)
    expected = places(steps, lengths.tolist(), reverse)
    assert rows_of(packing, steps, len(lengths)) == (expected, [])
    assert all(count > 0 for count in packing.counts)
    assert list(packing.counts) == sorted(packing.counts, reverse=True)
    assert all(type(count) is int for count in packing.counts)


@checked
@given(batches())
def test_the_order_names_every_sequence_once(batch):
    steps, lengths, reverse = batch
    packing = Packing.of(steps, len(lengths), lengths, reverse)
    assert packing.is_full == bool((lengths == steps).all())
    order = np.arange(len(lengths)) if packing.order is None else packing.order
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert lengths[order].tolist() == sorted(lengths.tolist(), reverse=True)


@checked
@given(batches())
def test_put_is_the_inverse_of_take_and_leaves_zeros_elsewhere(batch):
    steps, lengths, reverse = batch
    sources = Packing.of(steps, len(lengths), lengths, reverse).sources
    x = np.random.default_rng(0).normal(size=(steps * len(lengths), 2))
    live = (np.arange(steps)[:, None] < lengths).reshape(-1, 1)
    if sources is not None:
        for library, values in ((numpy_engine.LIBRARY, x), (torch_engine.LIBRARY, torch.from_numpy(x))):
            there_and_back = library.put(library.take(values, sources), sources, len(x))
            assert np.array_equal(np.asarray(there_and_back), np.where(live, x, 0.0))


def test_a_full_batch_forwards_is_read_as_it_lies():
    for lengths in (None, np.array([3, 3])):
        packing = Packing.of(3, 2, lengths, reverse=False)
        assert (packing.counts, packing.order, packing.sources) == ((2, 2, 2), None, None)


def test_a_full_batch_backwards_is_read_from_the_last_step():
    packing = Packing.of(3, 2, None, reverse=True)
    assert (packing.counts, packing.sources.tolist()) == ((2, 2, 2), [4, 5, 2, 3, 0, 1])


def test_nothing_live_is_no_step():
    assert Packing.of(3, 0, None, reverse=True).counts == ()
    assert Packing.of(0, 3, None, reverse=False).counts == ()
    assert Packing.of(3, 2, np.array([0, 0]), reverse=False).counts == ()


@pytest.mark.parametrize(
    "lengths",
    [
        [3, 0, 4],
        (3, 0, 4),
        np.array([3, 0, 4]),
        np.array([3, 0, 4], dtype=np.uint8),
        [np.int64(3), 0, np.int32(4)],
        torch.tensor([3, 0, 4]),
        torch.tensor([3, 0, 4], dtype=torch.int32),
    ],
    ids=lambda lengths: f"{type(lengths).__name__} {getattr(lengths, 'dtype', '')}",
)
def test_lengths_may_come_as_any_whole_numbers(lengths):
    known = checked_lengths("Layer", lengths, 4, 3)
    assert known.dtype == np.int64
    assert known.tolist() == [3, 0, 4]


def test_no_lengths_and_no_sequences():
    assert checked_lengths("Layer", None, 4, 3) is None
    assert checked_lengths("Layer", [], 4, 0).tolist() == []
    assert checked_lengths("Layer", torch.zeros(0, dtype=torch.int64), 4, 0).tolist() == []


@pytest.mark.parametrize(
    "lengths",
    [
        [3, 4],
        [3, 0, 5],
        [3, 0, -1],
        [3.0, 0.0, 4.0],
        [True, False, True],
        torch.tensor([True, False, True]),
        torch.tensor([3.0, 0.0, 4.0]),
        [[3, 0, 4]],
        torch.tensor([[3, 0, 4]]),
        [[3], [0, 4], []],
        ["3", "0", "4"],
        [None, 0, 4],
        [10**30, 0, 4],
        "304",
        3,
        torch.tensor(3),
        {3: 0},
    ],
    ids=str,
)
def test_lengths_that_are_no_lengths_are_refused(lengths):
    with pytest.raises(ShapeError) as error:
        checked_lengths("Layer", lengths, 4, 3)
    assert error.value.message.startswith("Layer expected lengths: 3 whole numbers between 0 and T=4, got ")
    assert error.value.hint == "give the number of steps of each sequence in the batch."
