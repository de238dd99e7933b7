"""The same bits whatever the company: in steps, in chunks or whole, alone or in a batch, on one thread or many."""

import numpy as np
import pytest
import torch

from ostinato import _core
from ostinato.engine import prepare

from .problems import (
    NOISY,
    PROGRAMS,
    Sizes,
    assert_equal,
    level,
    names_of,
    outputs,
    outputs_and_gradients,
    parts_of,
    problem,
    threads,
)

ALL = PROGRAMS | NOISY
WITHOUT_STREAMS = {name: program for name, program in ALL.items() if not program.streams}
LEVELS = _core.levels()
FUSED = [name for name in LEVELS if name != "baseline"]
"""Levels with fused multiply-add."""
RAGGED = [9, 0, 4, 9, 1, 7]
SMALL = Sizes(9, 6, 13, 33, 18)
LARGE = Sizes(20, 7, 40, 97, 96)
"""Work enough for every thread."""
FEW_ROWS = Sizes(40, 2, 40, 130, 113)
"""So few rows that threads share each of them."""


@pytest.fixture(params=LEVELS)
def each_level(request):
    with level(request.param):
        yield request.param


def lengths_for(sizes):
    return np.random.default_rng(3).integers(0, sizes.T + 1, size=sizes.B)


# ---- in time


@pytest.mark.parametrize("name", names_of(WITHOUT_STREAMS))
def test_steps_are_the_sequence(each_level, name):
    given = problem(WITHOUT_STREAMS[name], SMALL, np.float32)
    prepared, stepped, state = prepare(given.program, given.weights), [], given.state
    for x in given.x:
        y, state = prepared.step(x, state)
        stepped.append(y)
    whole = outputs(given)
    assert_equal([np.stack(stepped), *state], whole, "steps of what was prepared, and the sequence in torch")
    y, final = prepared.sequence(given.x, given.state)
    assert_equal([y, *final], whole, "the sequence of what was prepared, and that in torch")


@pytest.mark.parametrize("name", names_of(ALL))
def test_chunks_are_the_sequence(each_level, name):
    given = problem(ALL[name], SMALL, np.float32)
    everyone = slice(None)
    parts, state = [], given.state
    for steps in (slice(0, 1), slice(1, 6), slice(6, 9)):
        chunk = parts_of(given, everyone, steps)
        chunk.state[:] = state
        y, *state = outputs(chunk)
        parts.append(y)
    assert_equal([np.concatenate(parts), *state], outputs(given), "chunks and the sequence")


# ---- in the batch


@pytest.mark.parametrize(("lengths", "reverse"), [(None, False), (RAGGED, False), (RAGGED, True)])
@pytest.mark.parametrize("name", names_of(ALL))
def test_a_sequence_alone_is_that_in_the_batch(each_level, name, lengths, reverse):
    given = problem(ALL[name], SMALL, np.float32, lengths=lengths, reverse=reverse)
    together = outputs(given)
    for b in (0, 1, 2, 5):
        alone = outputs(parts_of(given, slice(b, b + 1)))
        assert_equal(alone, [together[0][:, b : b + 1], *(part[b : b + 1] for part in together[1:])], f"sequence {b}")


@pytest.mark.parametrize("name", ["lstm", "gru_v1", "layer_norm_gru", "min_gru", "projected_lstm"])
def test_any_part_of_a_large_batch_has_its_bits(each_level, name):
    given = problem(ALL[name], Sizes(3, 100, 13, 33, 18), np.float32)
    together = outputs(given)
    for part in (slice(0, 7), slice(7, 41), slice(41, 42), slice(42, 100)):
        expected = [together[0][:, part], *(values[part] for values in together[1:])]
        assert_equal(outputs(parts_of(given, part)), expected, f"rows {part}")


# ---- over threads


@pytest.mark.parametrize("sizes", [LARGE, FEW_ROWS], ids=["rows are dealt", "rows are shared"])
@pytest.mark.parametrize("name", names_of(ALL))
def test_any_number_of_threads_gives_the_bits_of_one(name, sizes):
    for lengths in (None, lengths_for(sizes)):
        given = problem(ALL[name], sizes, np.float32, lengths=lengths)
        with threads(1):
            expected, gradients = outputs_and_gradients(given)
        for count in (2, 3, 5):
            with threads(count):
                assert_equal(outputs(given), expected, f"outputs of {count} threads")
                actual, its_gradients = outputs_and_gradients(given)
            assert_equal(actual, expected, f"outputs of {count} threads in training")
            assert_equal(its_gradients, gradients, f"gradients of {count} threads")


@pytest.mark.parametrize("name", ["lstm", "layer_norm_gru", "projected_lstm", "slstm"])
def test_steps_have_the_bits_of_one_thread_on_many(each_level, name):
    given = problem(ALL[name], Sizes(1, 2, 400, 500, 400), np.float32)
    found = []
    for count in (1, 2, 3, 5):
        with threads(count):
            y, state = prepare(given.program, given.weights).step(given.x[0], given.state)
        found.append([y, *state])
    for other in found[1:]:
        assert_equal(other, found[0], "a step on several threads")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [LARGE, FEW_ROWS, Sizes(30, 64, 40, 97, 96)], ids=str)
@pytest.mark.parametrize("name", ALL)
def test_so_it_is_at_every_level_in_either_type_and_direction(each_level, name, sizes, kind):
    for reverse in (False, True):
        given = problem(ALL[name], sizes, kind, lengths=lengths_for(sizes), reverse=reverse)
        with threads(1):
            expected = outputs_and_gradients(given)
        for count in (2, 3, 5):
            with threads(count):
                for actual, right in zip(outputs_and_gradients(given), expected, strict=True):
                    assert_equal(actual, right, f"{count} threads")


# ---- in training


@pytest.mark.parametrize(("lengths", "reverse"), [(None, False), (RAGGED, True)])
@pytest.mark.parametrize("name", names_of(ALL))
def test_training_does_not_change_outputs_and_neither_do_checkpoints(each_level, name, lengths, reverse):
    given = problem(ALL[name], SMALL, np.float32, lengths=lengths, reverse=reverse)
    expected = outputs(given)
    for every in (None, 1, 4, 100):
        assert_equal(outputs(given, every), expected, f"without gradients, checkpoint_steps={every}")
        assert_equal(outputs_and_gradients(given, every)[0], expected, f"in training, checkpoint_steps={every}")


# ---- over instruction sets


@pytest.mark.skipif(len(FUSED) < 2, reason="this machine has one level with fused multiply-add at most")
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", names_of(ALL))
def test_levels_with_fused_multiply_add_have_equal_bits(name, kind):
    given, found = problem(ALL[name], SMALL, kind, lengths=RAGGED), []
    for use in FUSED:
        with level(use):
            found.append(outputs(given))
    for use, other in zip(FUSED[1:], found[1:], strict=True):
        assert_equal(other, found[0], f"{use} and {FUSED[0]}")


# ---- in torch's other mode for small numbers


def test_flushing_of_subnormals_in_torch_changes_nothing_here():
    given = problem(PROGRAMS["elman_relu"], LARGE, np.float32)
    small = {"W": 1e-20, "R": 0.1}
    for name, values in given.weights.items():
        values *= np.float32(small.get(name, 0.0))
    given.x[:] = np.abs(given.x) * np.float32(2e-20)
    given.state[0][:] = np.abs(given.state[0]) * np.float32(1e-39)
    found = []
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no such mode")
    try:
        for count in (1, 2, 5):
            with threads(count):
                found.append(outputs(given))
    finally:
        torch.set_flush_denormal(False)
    found.append(outputs(given))
    subnormal = (found[0][0] != 0) & (np.abs(found[0][0]) < np.finfo(np.float32).tiny)
    assert subnormal.any(), "else this test shows nothing"
    for other in found[1:]:
        assert_equal(other, found[0], "another number of threads, or another mode")


# ---- the comparison


@pytest.mark.parametrize("other", [1.0 + 1e-7, np.nan, -1.0])
def test_one_bit_of_difference_is_seen(other):
    ones = [np.ones(3, np.float32)]
    assert_equal(ones, [np.ones(3, np.float32)], "ones")
    different = [np.array([1.0, other, 1.0], np.float32)]
    with pytest.raises(AssertionError, match="array 0 has other bits"):
        assert_equal(ones, different, "ones")


def test_zeros_of_other_signs_and_other_types_are_seen():
    with pytest.raises(AssertionError, match="has other bits"):
        assert_equal([np.zeros(1)], [-np.zeros(1)], "zeros")
    with pytest.raises(AssertionError, match="array 0"):
        assert_equal([np.zeros(1)], [np.zeros(1, np.float32)], "zeros")
