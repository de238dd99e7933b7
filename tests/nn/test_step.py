"""`Recurrent.step`: the bits of `forward`, one step at a time, on weights that may change."""

import copy
import itertools
import pickle

import pytest
import torch

from ostinato.cells import CELLS
from ostinato.errors import OptionError, OstinatoError, ShapeError

from ..comparison import assert_close
from .running import layer_of, normal, state_of

T, B, H = 4, 3, 5


def equal(one, other):
    flat = [torch.utils._pytree.tree_leaves(part) for part in (one, other)]
    return all(torch.equal(a, b) for a, b in zip(*flat, strict=True))


def layer_for(name, **options):
    program = CELLS[name].program
    return layer_of(name, H, H, widths={"P": H} if "P" in program.width_letters else None, **options).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CELLS)
def test_steps_give_the_bits_of_the_sequence(name, dtype):
    layer = layer_for(name, dtype=dtype, num_layers=2, residual=True)
    x, state = normal(T, B, H, dtype=dtype), state_of(layer, B)
    with torch.no_grad():
        expected = layer(x, state)
    y = []
    for x_t in x:
        y_t, state = layer.step(x_t, state)
        y.append(y_t)
    assert equal((torch.stack(y), state), expected)
    assert [type(part) for part in state] == [type(part) for part in expected[1]]


@pytest.mark.parametrize("initial_state", ["zero", "learned", "random"])
def test_a_step_is_one_of_evaluation_whatever_the_mode(initial_state):
    options = {"zoneout": {"c": 0.5, "h": 0.05}, "recurrent_dropout": 0.3, "dropout": 0.5, "num_layers": 2}
    layer = layer_for("lstm", initial_state=initial_state, **options)
    x = normal(1, B, H)
    y, state = layer(x)
    assert equal(layer.train().step(x[0]), (y[0], state))
    assert layer.training


def test_a_changed_weight_is_seen():
    layer, x = layer_for("gru"), normal(1, B, H)
    seen = []

    def check():
        seen.append(layer.step(x[0])[0])
        assert torch.equal(seen[-1], layer(x)[0][0])

    check()
    with torch.no_grad():
        layer.layers[0][0].W.mul_(2.0)
    check()
    layer.layers[0][0].R = torch.nn.Parameter(normal(3 * H, H, seed=9))
    check()
    layer.layers[0][0].W_bias.data = normal(3 * H, seed=8)
    check()
    layer.load_state_dict({name: 0.5 * weight for name, weight in layer.state_dict().items()})
    check()
    layer.float()
    x = x.float()
    check()
    # Not the first: a state of zero hides the recurrent matrix.
    assert not any(torch.equal(one, other) for one, other in itertools.pairwise(seen[2:]))


def test_weights_are_laid_out_once(monkeypatch):
    layer, x, made = layer_for("gru"), normal(B, H), []
    prepare = layer.step.__globals__["engine"].prepare
    monkeypatch.setattr("ostinato.nn.stepping.engine.prepare", lambda *given: made.append(1) or prepare(*given))
    for _ in range(3):
        layer.step(x)
    assert len(made) == 1


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_has_its_own_weights(copied):
    layer, x = layer_for("lstm"), normal(1, B, H)
    before = layer.step(x[0])
    other = copied(layer)
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(2.0)
    assert equal(layer.step(x[0]), before)
    assert torch.equal(other.step(x[0])[0], other(x)[0][0])
    assert not equal(other.step(x[0]), before)


def test_a_replica_steps_as_the_layer_does():
    layer, x = layer_for("lstm"), normal(B, H)
    replica = layer._replicate_for_data_parallel()
    assert equal(replica.step(x), layer.step(x))


def test_weights_in_half_precision_step_too():
    layer, x = layer_for("lstm", dtype=torch.bfloat16), normal(1, B, H, dtype=torch.bfloat16)
    y, state = layer.step(x[0])
    expected, last = layer(x)
    assert equal((y, state), (expected[0], last))
    assert y.dtype == torch.bfloat16
    assert not y.requires_grad


def test_weights_made_in_inference_mode_are_read_anew():
    with torch.inference_mode():
        layer, x = layer_for("gru"), normal(1, B, H)
        layer.step(x[0])
        layer.layers[0][0].W.mul_(2.0)
        assert torch.equal(layer.step(x[0])[0], layer(x)[0][0])


def test_a_bidirectional_layer_says_why_it_has_no_step():
    with pytest.raises(OptionError) as error:
        layer_for("lstm", bidirectional=True).step(normal(B, H))
    assert error.value.message == (
        "a bidirectional layer has no step: its second direction reads a sequence from the end."
    )


def test_asking_for_a_gradient_is_an_error():
    layer, x = layer_for("gru"), normal(B, H)
    for given in ((x.clone().requires_grad_(),), (x, (layer.cell.State(normal(B, H).requires_grad_()),))):
        with pytest.raises(OstinatoError, match="a step has no gradients, but x or state asks for one"):
            layer.step(*given)
        with torch.no_grad():
            assert_close(layer.step(*given)[0], layer(given[0][None], *given[1:])[0][0])


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (normal(B, H + 1), "Recurrent(gru) expected x of shape [B, D=5], got [3, 6]."),
        (normal(1, B, H), "Recurrent(gru) expected x of shape [B, D=5], got [1, 3, 5]."),
        (
            normal(B, H, dtype=torch.float32),
            "Recurrent(gru) expected x of torch.float64, as its weights, not torch.float32.",
        ),
    ],
)
def test_what_does_not_fit_is_named(x, said):
    with pytest.raises(ShapeError) as error:
        layer_for("gru").step(x)
    assert error.value.message == said


def test_a_step_of_no_rows_is_empty():
    layer = layer_for("elman", bias=False)
    y, state = layer.step(normal(0, H))
    assert y.shape == state[0].h.shape == (0, H)
