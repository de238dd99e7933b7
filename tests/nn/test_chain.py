"""A chain of parts in torch: what the runtime makes of the same weights, what is dropped, and what is refused."""

import numpy as np
import pytest
import torch

from ostinato import cells
from ostinato.architecture import (
    ActivationArchitecture,
    EmbeddingArchitecture,
    LastArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    ParallelArchitecture,
    RecurrentArchitecture,
)
from ostinato.errors import OptionError
from ostinato.nn.chain import ChainNetwork
from ostinato.runtime import Model
from ostinato.training.loop import weights_of

from ..comparison import assert_close

D, H, V = 3, 5, 7
LENGTHS = [6, 0, 1, 4]
STACK = RecurrentArchitecture(cells.gru, D, H, 2, bidirectional=True)
CHAINS = {
    "each step": ModelArchitecture(D, [LinearArchitecture(D, D), STACK, LinearArchitecture(2 * H, 2, bias=False)]),
    "the last": ModelArchitecture(D, [STACK, LastArchitecture(2 * H), LinearArchitecture(2 * H, 2)]),
    "the first": ModelArchitecture(D, [STACK, LastArchitecture(2 * H, reverse=True)]),
    "stacks side by side": ModelArchitecture(
        D,
        [
            ParallelArchitecture([[RecurrentArchitecture(cells.elman, D, 2)], [LinearArchitecture(D, 4)]]),
            RecurrentArchitecture(cells.lstm, 6, H, residual=True, num_layers=2),
            LastArchitecture(H),
        ],
    ),
    "symbols": ModelArchitecture(
        D, [STACK, LastArchitecture(2 * H), LinearArchitecture(2 * H, 2)], EmbeddingArchitecture(V, D)
    ),
}


def network_of(architecture, **dropped):
    torch.manual_seed(3)
    network = ChainNetwork(architecture, **dropped)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.5)
    return network


def x_of(architecture, steps=6, batch=4):
    random = np.random.default_rng(1)
    if architecture.embedding is not None:
        return torch.from_numpy(random.integers(0, V, (steps, batch)))
    return torch.from_numpy(random.normal(size=(steps, batch, D)).astype(np.float32))


@pytest.mark.parametrize("name", CHAINS)
def test_equals_the_runtime(name):
    network = network_of(CHAINS[name]).eval()
    weights = weights_of(network.state_dict())
    assert {name: array.shape for name, array in weights.items()} == CHAINS[name].weight_shapes()
    x, model = x_of(CHAINS[name]), Model.of(CHAINS[name], weights)
    for lengths in (None, LENGTHS):
        with torch.no_grad():
            found = network(x, lengths)
        expected = model.run(x.numpy(), lengths)[0]
        if found.dim() == 3:  # Beyond each length the runtime has zeros, and torch's linear part its bias.
            known = torch.full((4,), 6) if lengths is None else torch.tensor(lengths)
            found = torch.where((torch.arange(6)[:, None] < known)[..., None], found, 0.0)
        assert_close(found, expected)
    # At its first step a layer has no state yet, so that a recurrent matrix may not count.
    for one, array in ((one, array) for one, array in weights.items() if one.endswith(("W", "weight", "bias"))):
        other = Model.of(CHAINS[name], weights | {one: array + 0.1}).run(x.numpy())[0]
        with torch.no_grad(), pytest.raises(AssertionError):
            assert_close(network(x), other, one)


def test_what_a_head_reads_is_dropped_and_what_enters_is_not():
    chain = ModelArchitecture(D, [LinearArchitecture(D, D), LastArchitecture(D), LinearArchitecture(D, D)])
    network = network_of(chain, dropout=0.25)
    x = x_of(chain, batch=1).expand(-1, 3000, -1)
    with torch.no_grad():
        for part in (network.parts[0], network.parts[2]):
            part.weight.copy_(torch.eye(D))
            part.bias.zero_()
        torch.manual_seed(0)
        drawn = network(x)
        whole = network.eval()(x)
    assert_close(whole, x[-1].contiguous())
    kept = drawn != 0
    assert_close(drawn[kept], (whole / 0.75)[kept])
    assert (kept.double().mean(0) - 0.75).abs().max() < 0.03
    assert (drawn.mean(0) / whole[0] - 1).abs().max() < 0.05


def test_layers_of_a_stack_are_dropped_between():
    one, two = (
        ModelArchitecture(D, [RecurrentArchitecture(cells.gru, D, H, layers), LastArchitecture(H)]) for layers in (1, 2)
    )
    for chain, is_dropped in ((one, False), (two, True)):
        network, x = network_of(chain, dropout=0.5), x_of(chain)
        torch.manual_seed(0)
        with torch.no_grad():
            assert torch.equal(network(x), network(x)) != is_dropped
            assert torch.equal(network.eval()(x), network.eval()(x))


@pytest.mark.parametrize("bad", [ActivationArchitecture(D, "tanh"), ParallelArchitecture([[STACK], [STACK]], "sum")])
def test_a_part_that_is_not_trained_here_is_refused(bad):
    with pytest.raises(OptionError, match=f"a part {type(bad).__name__} is not trained here"):
        ChainNetwork(ModelArchitecture(D, [bad]))
