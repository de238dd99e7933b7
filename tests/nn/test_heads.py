"""`Recurrent` with heads and with residual sums."""

import pytest
import torch

from ostinato.cells import CELLS
from ostinato.engine import explain
from ostinato.errors import OptionError
from ostinato.nn import Recurrent

from ..comparison import assert_close
from ..example_cells import EXAMPLES
from .running import layer_of, normal, outputs_and_gradients, state_of

T, B, D, H = 5, 3, 4, 6


def dense_twin(layer):
    """Return the layer without heads that has zeros beside the blocks."""
    twin = Recurrent(
        layer.cell, layer.input_size, layer.hidden_size, layer.num_layers, bidirectional=True, dtype=torch.float64
    )
    state = layer.state_dict()
    for name, values in state.items():
        if name.endswith(".R"):
            blocks = values.reshape(len(layer.program.recurrent_gates), layer.heads, -1, values.shape[1])
            state[name] = torch.cat([torch.block_diag(*gate) for gate in blocks])
    twin.load_state_dict(state)
    return twin


@pytest.mark.parametrize("heads", [2, 3])
@pytest.mark.parametrize("name", ["elman", "gru", "lstm", "gru_v1"])
def test_a_stack_with_heads_equals_the_dense_one(name, heads):
    layer = layer_of(name, D, H, num_layers=2, bidirectional=True, heads=heads)
    assert layer.layers[0][0].R.shape == (len(CELLS[name].gates) * H, H // heads)
    twin, x, state, lengths = dense_twin(layer), normal(T, B, D), state_of(layer, B), [5, 0, 2]
    actual, expected = (outputs_and_gradients(one, x, state, lengths) for one in (layer, twin))
    for part in ("y", "final", "d_x", "d_state"):
        assert_close(actual[part], expected[part], part)


def test_torchs_kernels_refuse_heads():
    said = explain(layer_of("lstm", D, H, heads=2), normal(T, B, D))
    assert said.others["aten"] == "refused: torch's kernels take no recurrent matrices in blocks"


def test_a_unit_depends_on_the_units_of_its_head_alone():
    layer = layer_of("elman", D, H, heads=2)
    h = normal(B, H).requires_grad_()
    y, _ = layer(normal(1, B, D), (layer.cell.State(h),))
    y[..., :3].sum().backward()
    assert h.grad[:, :3].all()
    assert not h.grad[:, 3:].any()


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"heads": 4}, "heads=4 does not divide H=6.", "choose sizes that are multiples of it."),
        ({"heads": 0}, "heads must be a whole number of at least 1, not 0.", None),
        ({"heads": 2.0}, "heads must be a whole number of at least 1, not 2.0.", None),
        (
            {"cell": "projected_lstm", "widths": {"P": 3}, "heads": 2},
            "heads=2 does not divide P=3.",
            "choose sizes that are multiples of it.",
        ),
        (
            {"cell": EXAMPLES["rotation"], "heads": 2},
            "heads cut recurrent matrices into blocks, but this cell has none.",
            "leave heads out.",
        ),
    ],
    ids=str,
)
def test_impossible_heads_are_refused(options, message, hint):
    with pytest.raises(OptionError) as error:
        Recurrent(**({"cell": "lstm", "input_size": D, "hidden_size": H} | options))
    assert error.value.message == message
    assert error.value.hint == hint
