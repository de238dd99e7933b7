"""Layers of torch's cells equal torch.nn's, given its weights."""

import pytest
import torch
from torch import nn

from ostinato.nn import Recurrent

from ..comparison import assert_close
from .running import normal, outputs_and_gradients

T, B, D, H = 5, 3, 2, 7
LAYERS = {
    "elman": nn.RNN,
    "elman_relu": lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


def converted(name, values, layers, directions):
    """Return torch's parameters, or their gradients, by the names of ours; `values` are theirs by name.

    torch has two biases a gate. Their sum acts, but for n of the GRU: its second is one of its own.
    """
    result = {}
    for k in range(layers):
        for d, suffix in enumerate(["", "_reverse"][:directions]):
            place, theirs = f"layers.{k}.{d}.", f"_l{k}{suffix}"
            result[f"{place}W"], result[f"{place}R"] = values[f"weight_ih{theirs}"], values[f"weight_hh{theirs}"]
            if f"bias_ih{theirs}" in values:
                outer, inner = values[f"bias_ih{theirs}"], values[f"bias_hh{theirs}"].clone()
                if name == "gru":
                    result[f"{place}R_bias"] = inner[2 * H :].clone()
                    inner[2 * H :] = 0
                result[f"{place}W_bias"] = outer + inner
    return result


def gradients_of(name, values, layers, directions):
    """The gradient of a sum goes to each of its terms, so the outer bias has it."""
    kept = {key: value.clone() for key, value in values.items()}
    for key in kept:
        if key.startswith("bias_hh"):
            kept[key][: 2 * H if name == "gru" else None] = 0
    return converted(name, kept, layers, directions)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"batch_first": True},
        {"num_layers": 2},
        {"bidirectional": True},
        {"num_layers": 2, "bidirectional": True, "batch_first": True},
        {"num_layers": 3, "bidirectional": True, "bias": False},
    ],
    ids=str,
)
def test_the_layer_equals_torchs(name, dtype, options):
    torch.manual_seed(0)
    theirs = LAYERS[name](D, H, dtype=dtype, **options)
    ours = Recurrent(name, D, H, dtype=dtype, **options)
    layers, directions = ours.num_layers, ours.num_directions
    ours.load_state_dict(converted(name, dict(theirs.named_parameters()), layers, directions), strict=True)

    x = normal(*((B, T) if ours.batch_first else (T, B)), D, dtype=dtype)
    parts = [normal(layers * directions, B, H, seed=3 + k, dtype=dtype).requires_grad_() for k in range(2)]
    parts = parts[: len(ours.cell.states)]
    leaf = x.clone().requires_grad_()
    y, final = theirs(leaf, tuple(parts) if name == "lstm" else parts[0])
    final = final if name == "lstm" else (final,)
    d_y = normal(*y.shape, seed=5, dtype=dtype)
    d_final = [normal(*part.shape, seed=6 + k, dtype=dtype) for k, part in enumerate(final)]
    torch.autograd.backward([y, *final], [d_y, *d_final])

    def by_layer(parts):
        """Turn [L·directions, B, H] into what ours takes, a tuple of states a layer."""
        shape = (layers, 2, B, H) if directions == 2 else (layers, B, H)
        return tuple(ours.cell.State(*layer) for layer in zip(*(part.reshape(shape) for part in parts), strict=True))

    results = outputs_and_gradients(
        ours, x, by_layer(parts), None, d_y, [part for layer in by_layer(d_final) for part in layer]
    )
    assert_close(
        results,
        {
            "y": y,
            "final": by_layer(final),
            "d_x": leaf.grad,
            "d_state": [part for layer in by_layer([part.grad for part in parts]) for part in layer],
            "d_weights": gradients_of(name, {n: p.grad for n, p in theirs.named_parameters()}, layers, directions),
        },
    )
    assert results["y"].dtype == dtype


@pytest.mark.parametrize("name", LAYERS)
def test_ragged_batches_equal_torchs_packed_ones(name):
    torch.manual_seed(0)
    theirs = LAYERS[name](D, H, bidirectional=True, dtype=torch.float64)
    ours = Recurrent(name, D, H, bidirectional=True, dtype=torch.float64)
    ours.load_state_dict(converted(name, dict(theirs.named_parameters()), 1, 2), strict=True)
    x, lengths = normal(T, B, D), [2, 5, 1]
    packed, final = theirs(nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False))
    y, ours_final = ours(x, lengths=lengths)
    assert_close(y, nn.utils.rnn.pad_packed_sequence(packed)[0])
    assert_close(ours_final[0], final if name == "lstm" else [final])
