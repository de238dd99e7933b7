"""Recurrent stacks in torch with random weights, and what the runtime makes of the same weights."""

from typing import NamedTuple

import torch

from ostinato.architecture import RecurrentArchitecture
from ostinato.nn import Recurrent
from ostinato.runtime import Feedforward, Model, Stack
from ostinato.training.loop import weights_of

D = H = 6
V, OUT = 11, 4


class Both(NamedTuple):
    """A torch layer in evaluation, and the same stack in the runtime."""

    layer: Recurrent
    stack: Stack


def random_weights(module, seed=3):
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(std=0.4)


def further(cell):
    return dict.fromkeys(cell.program.width_letters[1:], 4)


def both(cell, num_layers=2, zoneout=None, initial_state="zero", **options):
    """Return a layer and its stack; the input is H wide, so that cells which read it itself can be among them."""
    layer = Recurrent(
        cell, D, H, num_layers, widths=further(cell), zoneout=zoneout, initial_state=initial_state, **options
    ).eval()
    random_weights(layer)
    architecture = RecurrentArchitecture(
        cell,
        D,
        H,
        num_layers,
        learned_initial_state=initial_state == "learned",
        further_widths=further(cell),
        zoneout=zoneout or {},
        **options,
    )
    weights = weights_of(layer.state_dict())
    assert {name: array.shape for name, array in weights.items()} == architecture.weight_shapes()
    return Both(layer, Stack(architecture, weights))


def model(cell, symbols=True, **options):
    """A model with normalisation between a stack and a head; of symbols, or of numbers."""
    stack = both(cell, **options).stack
    width = stack.output_size
    generator = torch.Generator().manual_seed(7)

    def random(*shape):
        return torch.randn(*shape, generator=generator).numpy()

    parts = [stack, Feedforward.norm(random(width), random(width)), Feedforward.linear(random(OUT, width), random(OUT))]
    return Model(parts, random(V, D) if symbols else None)
