"""Examples as batches: what was in them is there, in each epoch once, and little is padded."""

import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.data.sequences import (
    ByLength,
    SeriesSequences,
    SpelledSequences,
    UnitSequences,
    padded,
    rows_of,
    shortened,
    sorted_batches,
)
from ostinato.data.spellings import SpellingEncoder
from ostinato.data.units import units_of
from tests.quick import examples

TEXTS = ["the dog sees Ulm", "", "a", "the theatre , the end of it", "Ulm Ulm"]
LENGTHS = st.lists(st.integers(0, 30), min_size=1, max_size=80)


def units(lengths, seed=0):
    random = np.random.default_rng(seed)
    return UnitSequences(units_of([random.integers(1, 99, length).tolist() for length in lengths]))


def series(lengths, seed=0):
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return SeriesSequences(np.random.default_rng(seed).normal(size=(starts[-1], 2)).astype(np.float32), starts)


def spelled(texts=TEXTS):
    return SpelledSequences(SpellingEncoder.fit(TEXTS, least=1, buckets=3, longest=5).encode(texts))


def parts(sequences):
    """What each example holds, read off what is one after the other."""
    ends = np.cumsum(sequences.lengths)[:-1]
    return np.split(sequences.content, ends)


# ---- taking


@pytest.mark.parametrize("make", [units, series])
@pytest.mark.parametrize("lengths", [[3, 0, 5, 1], [0, 0], [4]], ids=str)
def test_a_batch_holds_its_examples_and_zeros(make, lengths):
    sequences = make(lengths)
    assert sequences.lengths.tolist() == lengths
    own = parts(sequences)
    for rows in (range(len(lengths)), [len(lengths) - 1, 0], [0]):
        batch = sequences.take(np.array(rows))
        assert batch.lengths.tolist() == [lengths[row] for row in rows]
        assert len(batch.x) == max(1, *batch.lengths)
        assert batch.x.dtype == sequences.content.dtype
        assert batch.spelled is None
        for column, row in enumerate(rows):
            assert np.array_equal(batch.x[: lengths[row], column], own[row])
            assert not batch.x[lengths[row] :, column].any()


def test_no_example_is_a_batch_of_none():
    batch = units([3, 2]).take(np.empty(0, np.int64))
    assert batch.x.shape == (1, 0)
    assert batch.lengths.shape == (0,)


def test_a_batch_of_spelled_words_holds_the_letters_of_its_own():
    sequences = spelled()
    whole = sequences.spelled
    for rows in ([0, 1, 3], [4], [3, 0], [1], [1, 2]):
        batch = sequences.take(np.array(rows))
        letters, lengths, words = batch.spelled
        assert words.shape == batch.x.shape
        assert len(letters) == max(1, *lengths)
        assert letters.shape[1] == len(lengths) <= 1 + len({word for row in rows for word in TEXTS[row].split()})
        for column, row in enumerate(rows):
            begin = whole.words.starts[row]
            for step in range(batch.lengths[column]):
                assert batch.x[step, column] == whole.words.ids[begin + step]
                own = whole.spelling[begin + step]
                here = words[step, column]
                assert lengths[here] == whole.lengths[own]
                assert np.array_equal(letters[: lengths[here], here], whole.letters[own, : whole.lengths[own]])
                assert not letters[lengths[here] :, here].any()


@pytest.mark.parametrize("texts", [[""], ["", ""]], ids=str)
def test_texts_without_a_word_are_a_batch_too(texts):
    batch = spelled(texts).take(np.arange(len(texts)))
    assert batch.x.shape == batch.spelled.words.shape == (1, len(texts))
    assert not batch.lengths.any()
    assert batch.spelled.words.max(initial=0) < len(batch.spelled.lengths) == batch.spelled.letters.shape[1]


@examples(30, 300, LENGTHS, st.randoms(use_true_random=False))
def test_padded_is_a_loop_over_rows(lengths, random):
    sequences = series(lengths)
    rows = np.array([random.randrange(len(lengths)) for _ in range(random.randrange(1, 9))])
    begins, own = rows_of(sequences.starts, rows)
    found = padded(sequences.values, begins, own)
    expected = np.zeros((max(1, own.max()), len(rows), 2), np.float32)
    for column, row in enumerate(rows):
        expected[: lengths[row], column] = sequences.values[sequences.starts[row] : sequences.starts[row + 1]]
    assert np.array_equal(found, expected)


# ---- long texts


@examples(30, 300, LENGTHS, st.integers(1, 12))
def test_of_a_long_text_the_two_ends_are_read(lengths, most):
    whole = units(lengths)
    short = shortened(whole, most)
    assert short.lengths.tolist() == [min(length, most) for length in lengths]
    for before, after in zip(parts(whole), parts(short), strict=True):
        if len(before) <= most:
            assert np.array_equal(after, before)
        else:
            first = most - most // 2
            assert np.array_equal(after, np.concatenate([before[:first], before[len(before) - most // 2 :]]))


def test_long_texts_of_spelled_words_keep_their_spelling():
    whole = spelled()
    short = shortened(whole, 3)
    assert short.lengths.tolist() == [3, 0, 1, 3, 2]
    kept = [["the", "dog", "Ulm"], [], ["a"], ["the", "theatre", "it"], ["Ulm", "Ulm"]]
    alone = [spelled([" ".join(words)]).take(np.array([0])) for words in kept]
    for row, batch in enumerate(alone):
        found = short.take(np.array([row]))
        assert np.array_equal(found.x, batch.x)
        for step in range(len(kept[row])):
            one, other = (each.spelled.letters[:, each.spelled.words[step, 0]] for each in (found, batch))
            assert np.trim_zeros(one).tolist() == np.trim_zeros(other).tolist()


def test_series_stay_whole_and_short_texts_are_as_they_were():
    assert shortened(series([9, 2]), 3).lengths.tolist() == [9, 2]
    whole = units([3, 0])
    assert np.array_equal(shortened(whole, 3).content, whole.content)
    assert shortened(units([]), 3).lengths.tolist() == []


# ---- batches


@examples(40, 400, LENGTHS, st.integers(1, 20), st.integers(0, 3))
def test_each_epoch_has_every_example_once(lengths, size, seed):
    lengths = np.array(lengths)
    numbers = np.random.default_rng(1).permutation(1000)[: len(lengths)]
    batches = ByLength(lengths, numbers, size, seed)
    count = batches.steps_per_epoch
    for epoch in range(3):
        found = [batches.batch(epoch * count + place) for place in range(count)]
        assert sorted(np.concatenate(found)) == sorted(numbers)
        assert sorted({len(batch) for batch in found}, reverse=True)[0] == batches.size
        assert sum(len(batch) < batches.size for batch in found) <= 1


@examples(20, 200, LENGTHS, st.integers(1, 20), st.lists(st.integers(0, 60), max_size=9))
def test_a_batch_depends_on_seed_and_step_alone(lengths, size, steps):
    lengths, numbers = np.array(lengths), np.arange(len(lengths))
    one, other = (ByLength(lengths, numbers, size, 7) for _ in range(2))
    expected = [one.batch(step).tolist() for step in sorted(steps)]
    assert [other.batch(step).tolist() for step in sorted(steps, reverse=True)] == expected[::-1]


def test_epochs_and_seeds_differ_and_little_is_padded():
    random = np.random.default_rng(0)
    lengths = random.integers(1, 200, 1000)
    batches, other = (ByLength(lengths, np.arange(1000), 16, seed) for seed in (0, 1))
    epochs = [[batches.batch(63 * epoch + place).tolist() for place in range(63)] for epoch in range(2)]
    assert {tuple(sorted(batch)) for batch in epochs[0]} != {tuple(sorted(batch)) for batch in epochs[1]}
    assert [other.batch(place).tolist() for place in range(63)] != epochs[0]
    padding = sum(lengths[batch].max() * len(batch) for batch in epochs[0]) / lengths.sum() - 1
    assert padding < 0.1
    longest = [lengths[batch].max() for batch in epochs[0]]
    assert abs(np.corrcoef(longest, np.arange(63))[0, 1]) < 0.4, "batches do not come in order of their lengths"


@examples(60, 600, LENGTHS, st.integers(1, 20), st.integers(1, 200))
def test_batches_for_use_have_every_example_and_bounded_memory(lengths, most_examples, most_steps):
    lengths = np.array(lengths)
    batches = sorted_batches(lengths, most_examples, most_steps)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= most_examples
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= most_steps
    order = lengths[np.concatenate(batches)]
    assert (np.diff(order) <= 0).all()


def test_of_no_example_there_is_no_batch():
    assert sorted_batches(np.empty(0, np.int64), 5, 5) == []
