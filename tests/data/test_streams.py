"""Streams and segments against what they promise: every symbol where it belongs, and each scored once."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostinato.data import streams as module
from ostinato.data.streams import Streams, chunks, segments
from ostinato.errors import DataError


def numbered(length):
    """A text in which each symbol is its own place."""
    return np.arange(length, dtype=np.int32)


@st.composite
def all_streams(draw):
    batch_size, sequence_length = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    least = batch_size * sequence_length + 1
    length = draw(st.integers(least, least + 150))
    return Streams(numbered(length), batch_size, sequence_length, seed=draw(st.integers(0, 2**53)))


def epoch(streams, number):
    """The batches of one epoch."""
    return [streams.batch(number * streams.steps_per_epoch + k) for k in range(streams.steps_per_epoch)]


@given(all_streams(), st.integers(0, 5))
def test_targets_are_what_follows_the_inputs(streams, number):
    for batch in epoch(streams, number):
        assert batch.inputs.shape == batch.targets.shape == (streams.sequence_length, streams.batch_size)
        assert batch.inputs.dtype == batch.targets.dtype == np.int64
        np.testing.assert_array_equal(batch.targets, batch.inputs + 1)


@given(all_streams(), st.integers(0, 5))
def test_a_stream_goes_on_within_an_epoch_and_starts_anew_with_the_next(streams, number):
    batches = epoch(streams, number)
    assert [batch.starts for batch in batches] == [True] + [False] * (len(batches) - 1)
    read = np.concatenate([batch.inputs for batch in batches])
    np.testing.assert_array_equal(np.diff(read, axis=0), 1)


@given(all_streams(), st.integers(0, 5))
def test_an_epoch_reads_a_run_of_the_text_once_and_leaves_less_than_a_step_and_an_offset(streams, number):
    targets = np.concatenate([batch.targets for batch in epoch(streams, number)]).T.ravel()
    np.testing.assert_array_equal(targets, targets[0] + np.arange(len(targets)))
    assert targets[0] >= 1
    assert targets[-1] < len(streams.ids)
    step = streams.batch_size * streams.sequence_length
    assert len(streams.ids) - 1 - len(targets) < step + streams.sequence_length


@given(all_streams(), st.integers(0, 10**6))
def test_a_batch_depends_on_seed_and_step_alone(streams, step):
    again = Streams(streams.ids, streams.batch_size, streams.sequence_length, streams.seed)
    for earlier in (step, 0, step // 2):
        again.batch(earlier)
    for one, other in zip(streams.batch(step), again.batch(step), strict=True):
        np.testing.assert_array_equal(one, other)


def test_epochs_and_seeds_cut_the_text_at_different_offsets_that_reach_all_of_it():
    text = numbered(1000)
    offsets = {
        (seed, number): Streams(text, 4, 16, seed).batch(15 * number).inputs[0, 0]
        for seed in range(5)
        for number in range(40)
    }
    assert Streams(text, 4, 16, 0).steps_per_epoch == 15
    assert len({offsets[0, number] for number in range(40)}) > 10
    assert [offsets[0, number] for number in range(40)] != [offsets[1, number] for number in range(40)]
    assert set(offsets.values()) == set(range(999 - 15 * 64 + 1))


@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 50), st.integers(0, 9))
def test_the_text_must_fill_a_batch(batch_size, sequence_length, length, seed):
    if length > batch_size * sequence_length:
        assert Streams(numbered(length), batch_size, sequence_length, seed).steps_per_epoch >= 1
    else:
        with pytest.raises(DataError, match="symbols, and one batch of"):
            Streams(numbered(length), batch_size, sequence_length, seed)


def test_a_text_that_is_too_short_is_told_with_the_numbers():
    with pytest.raises(DataError) as caught:
        Streams(numbered(1024), 32, 32, 0)
    assert str(caught.value) == (
        "the training text has 1,024 symbols, and one batch of 32 streams of 32 needs 1,025.\n"
        "  hint: give a longer text, or a smaller --batch-size or --sequence-length."
    )


# ---- scoring

LEAD = 6


@pytest.fixture
def short_lead(monkeypatch):
    """A lead so short that texts of a few hundred symbols have many segments."""
    monkeypatch.setattr(module, "SCORING_LEAD", LEAD)


@pytest.mark.parametrize("lead", [1, LEAD, 256])
@pytest.mark.parametrize("most", [1, 3, 32])
def test_segments_score_every_symbol_but_the_first_once_for_every_length(monkeypatch, lead, most):
    monkeypatch.setattr(module, "SCORING_LEAD", lead)
    monkeypatch.setattr(module, "SCORING_SEGMENTS", most)
    for length in [*range(2, 300), 1023, 1024, 1025, 4097]:
        inputs, targets, scored = segments(numbered(length))
        assert inputs.shape == targets.shape == scored.shape
        np.testing.assert_array_equal(np.sort(targets[scored]), np.arange(1, length))
        np.testing.assert_array_equal(targets, inputs + 1)


@given(st.integers(2, 100_000))
@example(2)
def test_segments_of_long_texts(length):
    inputs, targets, scored = segments(numbered(length))
    assert inputs.shape[1] <= module.SCORING_SEGMENTS
    np.testing.assert_array_equal(np.sort(targets[scored]), np.arange(1, length))


@pytest.mark.usefixtures("short_lead")
@given(length=st.integers(2, 1000))
def test_what_is_scored_was_led_in_by_the_symbols_right_before_it(length):
    inputs, _, scored = segments(numbered(length))
    for segment in range(inputs.shape[1]):
        first = int(scored[:, segment].argmax())
        read = int(scored[:, segment].sum()) + first
        assert inputs[0, segment] == 0 or first == LEAD
        assert not scored[read:, segment].any()
        np.testing.assert_array_equal(inputs[:read, segment], inputs[0, segment] + np.arange(read))


@given(st.integers(0, 300), st.integers(1, 50))
def test_chunks_cover_the_steps_in_order(steps, size):
    parts = chunks(steps, size)
    assert [step for part in parts for step in range(part.start, part.stop)] == list(range(steps))
    assert all(part.stop - part.start == size for part in parts[:-1])
