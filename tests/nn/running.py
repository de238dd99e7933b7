"""Running layers with gradients: random gradients go in at the outputs and the final state, all others come out."""

import numpy as np
import torch

from ostinato.nn import Recurrent


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def layer_of(cell, input_size, hidden_size, dtype=torch.float64, **options):
    """Return a layer of which every weight is random: what starts at zero would hide mistakes."""
    layer = Recurrent(cell, input_size, hidden_size, dtype=dtype, **options)
    with torch.no_grad():
        for k, weight in enumerate(layer.parameters()):
            weight.copy_(0.5 * normal(*weight.shape, seed=100 + k))
    return layer


def state_of(layer, batch, seed=50):
    """Return a random state for a layer."""
    dtype, directions = next(layer.parameters()).dtype, (2,) if layer.bidirectional else ()
    shapes = [(*directions, batch, layer.widths[width]) for _, width in layer.program.states]
    return tuple(
        layer.cell.State(*(normal(*shape, seed=seed + 10 * k + i, dtype=dtype) for i, shape in enumerate(shapes)))
        for k in range(layer.num_layers)
    )


def leaf(values):
    return values.detach().clone().requires_grad_()


def _gradient(part):
    """The gradient of a leaf; torch has None for one that is never read."""
    return torch.zeros_like(part) if part.grad is None else part.grad


def outputs_and_gradients(layer, x, state=None, lengths=None, d_y=None, d_final=None):
    """Run a layer forwards and backwards.

    d_y, d_final: gradients of the outputs and of the final state; random unless given. Returns y, the
    final state, and the gradients of x, of the initial state and of all weights, by name.
    """
    layer.zero_grad()
    x = leaf(x)
    state = None if state is None else tuple(type(part)(*map(leaf, part)) for part in state)
    y, final = layer(x, state, lengths)
    d_y = normal(*y.shape, seed=1, dtype=y.dtype) if d_y is None else d_y
    final_parts = [part for parts in final for part in parts]
    if d_final is None:
        d_final = [normal(*part.shape, seed=2 + k, dtype=y.dtype) for k, part in enumerate(final_parts)]
    torch.autograd.backward([y, *final_parts], [d_y, *d_final])
    return {
        "y": y,
        "final": final,
        "d_x": x.grad,
        "d_state": [] if state is None else [_gradient(part) for parts in state for part in parts],
        "d_weights": {name: weight.grad for name, weight in layer.named_parameters()},
    }


def stacked(program, w):
    """Return an oracle's weights, or their gradients, by the names and in the order of a program's weights."""
    weights = {}
    for name, prefix, gates in (
        ("W", "W", program.input_gates),
        ("W_bias", "b", program.input_gates),
        ("R", "R", program.recurrent_gates),
        ("R_bias", "d", program.recurrent_bias_gates),
    ):
        if gates:
            weights[name] = np.concatenate([w[f"{prefix}_{gate}"] for gate in gates])
    weights |= {f"p_{name}": w[f"p_{name.removesuffix('_peep')}"] for name, _ in program.vectors}
    return weights | {f"M_{matrix.name}": w[f"M_{matrix.name}"] for matrix in program.matrices}
