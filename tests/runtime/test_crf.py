"""Best paths and probabilities without torch: against every path written down, and torch's numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.errors import OptionError, ShapeError
from ostinato.nn.crf import CRF
from ostinato.runtime.crf import CRFRuntime
from ostinato.training.loop import weights_of
from tests.comparison import are_close, assert_close
from tests.crf_cases import Case, telling_case
from tests.oracles import crf as oracle

SEEDS = st.integers(0, 2**32 - 1)


def alike(size):
    return {
        "transitions": np.ones((size, size)),
        "first": np.ones(size),
        "last": np.ones(size),
        "legal": np.ones((size + 1, size + 1), np.float32),
    }


@given(SEEDS, st.booleans())
@settings(max_examples=100)
def test_the_best_path_is_the_best_of_all(seed, whole):
    """Of whole numbers many paths are equally good."""
    case = Case(seed, whole)
    tags, log_p = CRFRuntime(case.weights).best(case.emissions, case.lengths)
    assert tags.shape == case.tags.shape
    for b, length in enumerate(case.lengths):
        expected = oracle.best(case.weights, case.sequence(b))
        assert tuple(tags[:length, b].tolist()) == expected
        assert (tags[length:, b] == 0).all()
        assert_close(log_p[b], oracle.log_p(case.weights, case.sequence(b), expected))


def test_of_equally_good_paths_the_lowest_read_from_the_end_is_taken():
    legal = np.ones((4, 4), bool)
    legal[0, 0] = False
    weights = alike(3) | {"legal": legal}
    tags, log_p = CRFRuntime(weights).best(np.zeros((4, 1, 3)))
    assert tags[:, 0].tolist() == [1, 0, 1, 0]
    assert_close(log_p, np.array([-np.log(len(oracle.paths(weights, 4)))]))


@given(SEEDS)
@settings(max_examples=60)
def test_probabilities_of_tags_equal_those_of_all_paths(seed):
    case = Case(seed)
    p = CRFRuntime(case.weights).marginals(case.emissions, case.lengths)
    for b, length in enumerate(case.lengths):
        assert_close(p[:length, b], oracle.expected(case.weights, case.sequence(b))["emissions"])
        assert (p[length:, b] == 0).all()


@given(SEEDS)
@settings(max_examples=40)
def test_torch_has_the_same_numbers(seed):
    """Of log Z, and of the probabilities of tags, which are its gradient."""
    case = Case(seed)
    crf = CRF(case.size, case.weights["legal"])
    crf.load_state_dict({name: torch.from_numpy(np.asarray(array)) for name, array in case.weights.items()})
    runtime, emissions = CRFRuntime(weights_of(crf.state_dict())), case.emissions.astype(np.float32)
    given_to = torch.from_numpy(emissions).double().requires_grad_()
    log_z = crf.log_partition(given_to, case.lengths)
    log_z.sum().backward()
    assert_close(runtime.log_partition(emissions, case.lengths), log_z)
    assert_close(runtime.marginals(emissions, case.lengths), given_to.grad)


def test_the_comparison_can_fail():
    case = telling_case()
    turned = case.weights | {"transitions": case.weights["transitions"].T}
    one, other = (CRFRuntime(weights).marginals(case.emissions, case.lengths) for weights in (case.weights, turned))
    assert not are_close(one, other)


@pytest.mark.parametrize("size", [1, 2, 7, 33])
def test_a_sequence_has_the_same_bits_alone_as_in_a_batch(size):
    random = np.random.default_rng(size)
    shapes = {"transitions": (size, size), "first": (size,), "last": (size,)}
    weights = {name: random.normal(size=shape) for name, shape in shapes.items()}
    legal = random.random((size + 1, size + 1)) < 0.7
    legal[0, 0] = legal[-1, 0] = legal[0, -1] = True
    runtime, lengths = CRFRuntime(weights | {"legal": legal}), [13, 1, 0, 20, 20, 2]
    emissions = random.normal(size=(20, 6, size)).astype(np.float32)
    tags, log_p = runtime.best(emissions, lengths)
    p = runtime.marginals(emissions, lengths)
    for b, length in enumerate(lengths):
        alone = emissions[:length, b : b + 1]
        one, its_log_p = runtime.best(alone)
        assert np.array_equal(one[:, 0], tags[:length, b])
        assert its_log_p[0] == log_p[b]
        assert np.array_equal(runtime.marginals(alone)[:, 0], p[:length, b])


@given(SEEDS)
@settings(max_examples=20)
def test_padding_changes_no_bit(seed):
    case = Case(seed)
    runtime, padded = CRFRuntime(case.weights), np.full((case.steps + 2, case.batch, case.size), np.nan)
    for b, length in enumerate(case.lengths):
        padded[:length, b] = case.sequence(b)
    for one, other in zip(
        (*runtime.best(case.emissions, case.lengths), runtime.marginals(case.emissions, case.lengths)),
        (*runtime.best(padded, case.lengths), runtime.marginals(padded, case.lengths)),
        strict=True,
    ):
        assert np.array_equal(one, other[: len(one)])


def test_huge_scores_choose_no_illegal_path():
    legal = np.ones((4, 4), bool)
    legal[1, :] = legal[:, 2] = False
    runtime = CRFRuntime(alike(3) | {"legal": legal})
    emissions = np.array([[-1e5, 1e5, 1e5]] * 4)[:, None]
    tags, log_p = runtime.best(emissions)
    assert tags.tolist() == [[0]] * 4
    assert log_p.tolist() == [0.0]
    assert runtime.marginals(emissions)[:, 0].tolist() == [[1.0, 0.0, 0.0]] * 4


@pytest.mark.parametrize(("steps", "batch"), [(0, 0), (0, 3), (4, 0)])
def test_nothing_has_probability_1(steps, batch):
    runtime, emissions = CRFRuntime(alike(2)), np.zeros((steps, batch, 2))
    tags, log_p = runtime.best(emissions)
    assert tags.shape == (steps, batch)
    assert log_p.tolist() == runtime.log_partition(emissions).tolist() == [0.0] * batch
    assert runtime.marginals(emissions).shape == emissions.shape


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"emissions of shape \[T, B, O=2\]"):
        CRFRuntime(alike(2)).best(np.zeros((3, 1, 4)))
    with pytest.raises(ShapeError, match="lengths: 1 whole numbers"):
        CRFRuntime(alike(2)).marginals(np.zeros((3, 1, 2)), [4])
    with pytest.raises(ShapeError, match=r"transitions of shape \[O=2, O=2\]"):
        CRFRuntime(alike(2) | {"transitions": np.zeros((2, 3))})
    with pytest.raises(OptionError, match="without any path"):
        CRFRuntime(alike(2) | {"legal": np.zeros((3, 3))})
