"""The network that learns to predict the next symbol: its parts, its loss and the state between batches."""

import numpy as np
import pytest
import torch

from ostinato import cells
from ostinato.architecture import SymbolArchitecture
from ostinato.data.streams import StreamBatch
from ostinato.nn import Recurrent
from ostinato.nn.symbols import SymbolNetwork
from tests.comparison import assert_close
from tests.example_cells import EXAMPLES

V, E, H, T, B = 7, 5, 6, 9, 4
# A cell that reads the input itself would need an embedding H wide.
CELLS = [cell for cell in cells.CELLS.values() if not cell.program.reads_raw_input]
CELLS += [EXAMPLES["peephole"], EXAMPLES["rotation"]]


def network_of(cell=cells.lstm, dropout=0.0):
    torch.manual_seed(0)
    return SymbolNetwork(SymbolArchitecture(cell, V, E, H, num_layers=2), dropout)


def batch_of(seed=0, starts=False):
    symbols = np.random.default_rng(seed).integers(0, V, (2, T, B))
    return StreamBatch(symbols[0], symbols[1], starts)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_weights_have_the_names_and_shapes_of_the_architecture(cell):
    network = network_of(cell)
    shapes = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    assert shapes == SymbolArchitecture(cell, V, E, H, 2).weight_shapes()


def test_scores_are_those_of_embedding_layers_and_head():
    network = network_of()
    layers = Recurrent(cells.lstm, E, H, num_layers=2)
    layers.load_state_dict(network.recurrent.state_dict())
    ids = torch.from_numpy(batch_of().inputs)
    y, final = layers(network.embedding.weight[ids])
    scores, state = network(ids)
    assert_close(scores, y @ network.head.weight.T + network.head.bias, "scores")
    assert_close(state, final, "state")


def test_the_loss_is_the_mean_surprise_in_nats():
    network, batch = network_of(), batch_of()
    loss, _ = network.loss(batch, None)
    scores = network(torch.from_numpy(batch.inputs))[0].detach().double().numpy()
    probability = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    chosen = np.take_along_axis(probability, batch.targets[..., None], -1)
    assert loss.item() == pytest.approx(-np.log(chosen).mean(), rel=1e-6)


def test_the_state_goes_on_between_batches_and_starts_anew_where_the_streams_do():
    network, first, second = network_of(), batch_of(1), batch_of(2)
    _, state = network.loss(first, None)
    going_on, anew = (network.loss(second._replace(starts=starts), state)[0] for starts in (False, True))
    assert anew == network.loss(second, None)[0]
    assert going_on != anew
    inputs, targets = (np.concatenate(parts) for parts in zip(first[:2], second[:2], strict=True))
    whole, _ = network.loss(StreamBatch(inputs, targets, True), None)
    assert_close((network.loss(first, None)[0] + going_on) / 2, whole)


def test_gradients_stop_at_the_state_that_was_handed_over():
    network = network_of()
    _, state = network.loss(batch_of(1), None)
    assert not any(part.requires_grad for layer in state for part in layer)


def test_dropout_acts_in_training_and_not_in_scoring():
    network, batch = network_of(dropout=0.5), batch_of()
    assert network.loss(batch, None)[0] != network.loss(batch, None)[0]
    text = batch.inputs.ravel()
    assert network.nats(text) == network.nats(text) == network_of().nats(text)
    assert network.training
    network.eval()
    network.nats(text)
    assert not network.training
    assert network.loss(batch, None)[0] == network.loss(batch, None)[0]
