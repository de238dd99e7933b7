"""The runtime against the torch network with the same weights, and against itself one step at a time."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ostinato import cells
from ostinato.architecture import SymbolArchitecture
from ostinato.data import streams
from ostinato.engine import explain
from ostinato.nn.symbols import SymbolNetwork
from ostinato.runtime import SymbolRuntime
from ostinato.training.loop import weights_of
from tests.comparison import assert_close
from tests.example_cells import EXAMPLES

V, H = 11, 6
CELLS = [*cells.CELLS.values(), *EXAMPLES.values()]


def both(cell, num_layers=2, seed=3):
    """A network whose every weight is random, and the runtime of the same weights. The embedding is H wide,
    so that cells which read the input itself can be among them.
    """
    architecture = SymbolArchitecture(cell, V, H, H, num_layers)
    torch.manual_seed(seed)
    network = SymbolNetwork(architecture, dropout=0.5)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.3)
    return network, SymbolRuntime(architecture, weights_of(network.state_dict()))


def ids(length, seed=0):
    return np.random.default_rng(seed).integers(0, V, length).astype(np.int32)


@pytest.fixture(params=CELLS, ids=lambda cell: cell.name)
def pair(request):
    return both(request.param)


def test_the_runtime_takes_the_networks_weights_by_its_names(pair):
    network, runtime = pair
    shapes = {name: tuple(weight.shape) for name, weight in network.named_parameters()}
    assert len(runtime.stack.layers) == 2
    assert shapes == SymbolArchitecture(runtime.stack.architecture.cell, V, H, H, 2).weight_shapes()


def test_nats_equal_the_networks(pair):
    network, runtime = pair
    for length in (2, 3, 300, 5000):
        assert runtime.nats(ids(length)) == pytest.approx(network.nats(ids(length)), rel=1e-5)


def test_other_weights_give_other_nats():
    network, _ = both(cells.lstm, seed=3)
    _, other = both(cells.lstm, seed=4)
    assert other.nats(ids(300)) != pytest.approx(network.nats(ids(300)), rel=1e-3)


def test_scores_of_steps_equal_those_of_the_whole(pair):
    network, runtime = pair
    text = ids(3 * 40).reshape(40, 3)
    network.eval()
    with torch.no_grad():
        expected, final = network(torch.from_numpy(text.astype(np.int64)))
    state, scores = runtime.initial_state(3), []
    for symbols in text:
        each, state = runtime.step(symbols, state)
        scores.append(each)
    assert_close(np.stack(scores), expected.numpy(), "scores")
    assert_close(state, final, "state")
    assert_close(runtime.skim(text, runtime.initial_state(3)), final, "state after reading")


def test_a_state_is_not_changed_by_going_on_from_it(pair):
    _, runtime = pair
    state = runtime.skim(ids(20)[:, None], runtime.initial_state())
    before = [part.copy() for layer in state for part in layer]
    first, _ = runtime.step(ids(1), state)
    again, _ = runtime.step(ids(1), state)
    np.testing.assert_array_equal(first, again)
    for part, kept in zip((part for layer in state for part in layer), before, strict=True):
        np.testing.assert_array_equal(part, kept)


def test_a_text_read_in_segments_has_nearly_the_nats_of_one_reading(pair, monkeypatch):
    _, runtime = pair
    text = ids(6_000)
    assert streams.segments(text).inputs.shape[1] == 5
    cut = runtime.nats(text)
    monkeypatch.setattr(streams, "SCORING_SEGMENTS", 1)
    assert streams.segments(text).inputs.shape[1] == 1
    assert cut == pytest.approx(runtime.nats(text), rel=1e-4)


def test_nats_are_those_of_the_scores():
    _, runtime = both(cells.gru)
    text, total = ids(50), 0.0
    state = runtime.initial_state()
    for symbol, following in pairwise(text):
        scores, state = runtime.step(np.array([symbol]), state)
        scores = scores[0].astype(np.float64)
        total -= scores[following] - np.log(np.exp(scores).sum())
    assert runtime.nats(text) == pytest.approx(total, rel=1e-5)


def test_progress_goes_to_its_end():
    _, runtime = both(cells.elman)
    told = []
    runtime.nats(ids(2000), told.append)
    assert told == sorted(told)
    assert len(told) > 1
    assert told[-1] == 1.0


def test_memory_does_not_grow_with_the_text():
    """A state has the size that it had, and a step holds on to nothing that came before it."""
    _, runtime = both(cells.lstm)
    state = runtime.initial_state()
    for _ in range(50):
        _, state = runtime.step(ids(1), state)
    assert [part.shape for layer in state for part in layer] == [(1, H)] * 4
    assert all(part.base is None or part.base.nbytes <= 4 * H * 4 for layer in state for part in layer)


def test_the_engine_tells_who_runs_the_stack():
    _, runtime = both(cells.lstm)
    explanation = explain(runtime.stack, np.zeros((5, 2, H), np.float32))
    assert explanation.runner == "core"
    assert set(explanation.others) == {"aten", "torch", "numpy"}
