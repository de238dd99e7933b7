"""Scores without torch, against the network with the same weights, the oracle, and themselves in other company."""

import numpy as np
import pytest
import torch

from ostinato import stored
from ostinato.data.sequences import SequenceBatch
from ostinato.errors import OptionError
from ostinato.runtime.labels import LabelRuntime
from tests.comparison import assert_close
from tests.nn.labelling import CASES, LENGTHS, architecture_of, batch_of, by_oracle, network_of, weights_in

ONE_WAY = [case for case in CASES if not CASES[case].get("bidirectional") and CASES[case].get("poolings")]


def both(case, seed=0):
    sizes = architecture_of(**CASES[case])
    network = network_of(sizes, torch.float32, seed).eval()
    return network, LabelRuntime(sizes, weights_in(network)), batch_of(sizes, dtype=np.float32)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_network_and_the_oracle(case):
    network, runtime, batch = both(case)
    sizes = architecture_of(**CASES[case])
    with torch.no_grad():
        expected = network(batch)
    if not sizes.poolings:
        is_there = torch.arange(len(batch.x))[:, None] < torch.from_numpy(batch.lengths)
        expected = torch.where(is_there[..., None], expected, 0.0)
    found = runtime.scores(batch)
    assert found.dtype == np.float32
    assert_close(found, expected)
    assert_close(found, by_oracle(sizes, weights_in(network), batch))
    with pytest.raises(AssertionError):
        assert_close(both(case, seed=1)[1].scores(batch), expected)


def taken(batch, rows, steps=None):
    """Return some sequences as a batch, of as many steps as the longest needs unless it is said."""
    rows = np.asarray(rows)
    lengths = batch.lengths[rows]
    steps = max(1, lengths.max()) if steps is None else steps
    spelled = batch.spelled
    if spelled is not None:
        words = spelled.words[:steps, rows]
        distinct, places = np.unique(words, return_inverse=True)
        longest = spelled.lengths[distinct].max()
        letters = np.ascontiguousarray(spelled.letters[:longest, distinct])
        spelled = type(spelled)(letters, spelled.lengths[distinct], places.reshape(words.shape))
    return SequenceBatch(np.ascontiguousarray(batch.x[:steps, rows]), lengths, spelled)


@pytest.mark.parametrize("case", CASES)
def test_company_changes_no_bit(case):
    """Nor does the order, nor that of the words that are spelled; the padding is another, too."""
    _, runtime, batch = both(case)
    axis = 0 if architecture_of(**CASES[case]).poolings else 1
    whole = runtime.scores(batch)
    for rows in (*([row] for row in range(len(LENGTHS))), [4, 0], [3, 2, 1], [1, 4, 2, 0, 3]):
        found = runtime.scores(taken(batch, rows))
        expected = whole.take(rows, axis)[: len(found)] if axis else whole[rows]
        assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


def test_inputs_are_not_changed():
    _, runtime, batch = both("spellings")
    before = batch.x.tobytes(), batch.spelled.letters.tobytes(), batch.spelled.words.tobytes()
    runtime.scores(batch)
    assert (batch.x.tobytes(), batch.spelled.letters.tobytes(), batch.spelled.words.tobytes()) == before


@pytest.mark.parametrize("case", ONE_WAY)
def test_a_stream_has_after_each_step_the_scores_of_what_came_so_far(case):
    _, runtime, batch = both(case)
    for row in (0, 4):
        x = batch.x[: batch.lengths[row], row]
        stream, other = runtime.model.stream(), runtime.model.stream()
        pushed = np.stack([stream.push(step) for step in x])
        assert other.extend(x).tobytes() == pushed.tobytes()
        for steps in range(1, len(x) + 1):
            so_far = SequenceBatch(np.ascontiguousarray(x[:steps, None]), np.array([steps]))
            assert runtime.scores(so_far)[0].tobytes() == pushed[steps - 1].tobytes()


def test_what_reads_from_the_end_has_no_stream():
    _, runtime, _ = both("series, last, both ways")
    with pytest.raises(OptionError, match="reads a sequence from the end"):
        runtime.model.stream()


@pytest.mark.parametrize("kind", ["bfloat16", "int8"])
def test_matrices_in_fewer_bytes(kind):
    """Spelled words too, whose embeddings are taken apart from the model."""
    for case in ("units, every pooling", "spellings"):
        network, runtime, batch = both(case)
        sizes = architecture_of(**CASES[case])
        smaller = LabelRuntime(sizes, stored.stored_as(kind, weights_in(network)))
        found, whole = smaller.scores(batch), runtime.scores(batch)
        assert 0 < np.abs(found - whole).max() < 0.1 * np.abs(whole).max()
        alone = smaller.scores(taken(batch, [3]))
        assert alone.tobytes() == found[3:4].tobytes()
