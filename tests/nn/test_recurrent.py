"""`Recurrent` as a module: options, states, copies, and what it says when it is used wrongly."""

import copy
import math
import pickle
import subprocess
import sys

import pytest
import torch

from ostinato.cells import CELLS, Cell
from ostinato.errors import OptionError, ShapeError
from ostinato.nn import Recurrent

from ..comparison import assert_close
from ..example_cells import EXAMPLES
from .running import layer_of, normal, outputs_and_gradients, state_of

T, B, D, H, P = 5, 4, 3, 3, 2
LSTM = CELLS["lstm"]


# ---- sizes and names


def test_weights_are_named_by_layer_direction_and_what_the_program_calls_them():
    layer = Recurrent("gru", D, H, num_layers=2, bidirectional=True, initial_state="learned")
    names = ["W", "W_bias", "R", "R_bias", "initial_h"]
    assert list(layer.state_dict()) == [f"layers.{k}.{d}.{name}" for k in (0, 1) for d in (0, 1) for name in names]
    assert layer.layers[0][1].W.shape == (3 * H, D)
    assert layer.layers[1][0].W.shape == (3 * H, 2 * H)
    assert layer.output_size == 2 * H


@pytest.mark.parametrize(
    ("name", "widths", "output_size"),
    [("projected_lstm", {"P": P}, P), ("rotation", None, 2 * H), ("peephole", None, H)],
)
def test_the_output_is_as_wide_as_its_states(name, widths, output_size):
    layer = Recurrent((CELLS | EXAMPLES)[name], D, H, num_layers=2, widths=widths)
    y, final = layer(torch.randn(T, B, D))
    assert layer.output_size == output_size
    assert y.shape == (T, B, output_size)
    assert layer.layers[1][0].named().get("W").shape[1] == output_size
    assert [part.shape[-1] for part in final[0]] == [layer.widths[width] for _, width in layer.program.states]


def test_a_layer_is_printed_with_what_is_not_default():
    assert str(Recurrent("lstm", D, H)).splitlines()[0] == "Recurrent("
    assert Recurrent("lstm", D, H).extra_repr() == "lstm, 3, 3"
    options = {"num_layers": 2, "bias": False, "dropout": 0.5, "initial_state": "learned"}
    assert Recurrent("lstm", D, H, **options).extra_repr() == (
        "lstm, 3, 3, num_layers=2, bias=False, dropout=0.5, initial_state='learned'"
    )


def test_weights_are_drawn_from_torchs_generator():
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(Recurrent("lstm", D, H, num_layers=2).state_dict())
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    assert not torch.equal(drawn[0]["layers.0.0.R"], drawn[2]["layers.0.0.R"])
    assert not torch.equal(drawn[0]["layers.0.0.R"], drawn[0]["layers.1.0.R"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, None])
def test_weights_have_the_type_asked_for(dtype):
    layer = Recurrent("lstm", D, H, dtype=dtype, initial_state="learned")
    assert {weight.dtype for weight in layer.parameters()} == {dtype or torch.get_default_dtype()}


def test_a_layer_can_be_made_without_memory_and_filled_later():
    with torch.device("meta"):
        empty = Recurrent("lstm", D, H, dtype=torch.float64)
    assert {weight.device.type for weight in empty.parameters()} == {"meta"}
    full = layer_of("lstm", D, H)
    empty.load_state_dict(full.state_dict(), assign=True)
    assert_close(empty(normal(T, B, D)), full(normal(T, B, D)))


# ---- the state before the first step


def test_no_state_is_zero():
    layer = layer_of("lstm", D, H, num_layers=2, bidirectional=True)
    zero = tuple(type(part)(*map(torch.zeros_like, part)) for part in state_of(layer, B))
    assert_close(layer(normal(T, B, D)), layer(normal(T, B, D), zero))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [None, [3, 5, 0, 1]])
def test_a_learned_state_is_that_of_every_sequence_and_learns(bidirectional, lengths):
    layer = layer_of("lstm", D, H, num_layers=2, bidirectional=bidirectional, initial_state="learned")
    directions = 2 if bidirectional else 1
    learned = [
        [[layer.layers[k][d].get_parameter(f"initial_{n}") for d in range(directions)] for n in "hc"] for k in (0, 1)
    ]
    rows = [[torch.stack([part.expand(B, H) for part in parts]) for parts in layer] for layer in learned]
    state = tuple(LSTM.State(*(part if bidirectional else part[0] for part in parts)) for parts in rows)
    given = outputs_and_gradients(layer, normal(T, B, D), state, lengths)
    own = outputs_and_gradients(layer, normal(T, B, D), None, lengths)
    assert_close([own["y"], own["final"], own["d_x"]], [given["y"], given["final"], given["d_x"]])
    for k in range(2):
        for i, name in enumerate("hc"):
            expected = given["d_state"][2 * k + i].reshape(directions, B, H).sum(1)
            for d in range(directions):
                assert_close(own["d_weights"][f"layers.{k}.{d}.initial_{name}"], expected[d])


def test_a_learned_state_starts_at_zero_and_gives_way_to_a_given_one():
    layer = Recurrent("lstm", D, H, initial_state="learned", dtype=torch.float64)
    plain = Recurrent("lstm", D, H, dtype=torch.float64)
    missing, unexpected = plain.load_state_dict(layer.state_dict(), strict=False)
    assert (missing, unexpected) == ([], ["layers.0.0.initial_h", "layers.0.0.initial_c"])
    x, state = normal(T, B, D), state_of(layer, B)
    assert_close(layer(x), plain(x))
    torch.nn.init.ones_(layer.layers[0][0].initial_h)
    assert_close(layer(x, state), plain(x, state))


def test_a_random_state_is_small_noise_in_training_and_zero_otherwise():
    layer, plain = (layer_of("elman", D, H, initial_state=kind) for kind in ("random", "zero"))
    x = normal(T, B, D)
    torch.manual_seed(0)
    first, second = layer(x)[0], layer(x)[0]
    torch.manual_seed(0)
    assert_close(layer(x)[0], first)
    assert not torch.equal(first, second)
    assert_close(layer(x, state_of(layer, B)), plain(x, state_of(layer, B)))
    layer.eval()
    assert_close(layer(x), plain(x))
    layer.train()
    _, (state,) = layer(x.new_zeros(0, 20_000, D))
    assert state.h.mean().item() == pytest.approx(0, abs=0.003)
    assert state.h.std().item() == pytest.approx(0.1, rel=0.02)


# ---- dropout


def test_dropout_acts_between_layers_in_training_only():
    torch.manual_seed(0)
    layer, plain = (layer_of("gru", D, H, num_layers=2, dropout=p) for p in (0.5, 0.0))
    x = normal(T, B, D)
    dropped = layer(x)
    assert not torch.equal(dropped[0], layer(x)[0])
    assert_close(dropped[1][0], plain(x)[1][0], "the first layer is not dropped")
    layer.eval()
    assert_close(layer(x), plain(x))


def test_dropout_drops_its_share_of_what_the_second_layer_reads():
    """The second layer is made to copy its input: h = max(x, 0), of a first layer that puts out ones."""
    layer = layer_of("elman_relu", D, 50, num_layers=2, dropout=0.2)
    with torch.no_grad():
        for part in layer.parameters():
            part.zero_()
        layer.layers[0][0].W_bias.fill_(1.0)
        layer.layers[1][0].W.copy_(torch.eye(50))
    torch.manual_seed(0)
    y, _ = layer(normal(20, 20, D))
    assert set(y.unique().tolist()) == {0.0, 1.25}
    assert (y == 0).double().mean().item() == pytest.approx(0.2, abs=0.02)


def test_a_single_layer_has_nothing_to_drop():
    layer = layer_of("gru", D, H, dropout=0.9)
    x = normal(T, B, D)
    assert_close(layer(x), layer(x))


# ---- copies


# Two directions are twice as wide as what a cell that reads the input itself could take in a second layer.
STACKABLE = [cell for cell in CELLS.values() if not cell.program.reads_raw_input]


@pytest.mark.parametrize("cell", [*STACKABLE, EXAMPLES["peephole"], EXAMPLES["rotation"]])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_compute_the_same_with_weights_of_their_own(cell, duplicate):
    widths = {"P": P} if "P" in cell.program.width_letters else None
    layer = layer_of(cell, D, H, num_layers=2, bidirectional=True, initial_state="learned", widths=widths)
    x = normal(T, B, D)
    expected = outputs_and_gradients(layer, x)
    twin = duplicate(layer)
    assert twin.cell == layer.cell
    assert_close(outputs_and_gradients(twin, x), expected)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.zero_()
    assert_close(outputs_and_gradients(layer, x), expected)


def test_a_state_dict_goes_to_another_layer_and_to_a_cell_read_from_data():
    layer = layer_of(EXAMPLES["peephole"], D, H, num_layers=2)
    other = Recurrent(Cell.from_data(layer.cell.to_data()), D, H, num_layers=2, dtype=torch.float64)
    other.load_state_dict(layer.state_dict())
    assert_close(outputs_and_gradients(other, normal(T, B, D)), outputs_and_gradients(layer, normal(T, B, D)))


def test_a_layer_goes_from_one_type_to_another():
    layer = Recurrent("lstm", D, H, num_layers=2, initial_state="learned")
    x = normal(T, B, D, dtype=torch.float32)
    single, state = layer(x)
    double, _ = copy.deepcopy(layer).double()(x.double())
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert_close(double, single)
    assert {part.dtype for parts in state for part in parts} == {torch.float32}


def test_a_frozen_layer_still_passes_the_gradient_on():
    layer = layer_of("lstm", D, H).requires_grad_(False)
    x = normal(T, B, D).requires_grad_()
    layer(x)[0].sum().backward()
    free = layer_of("lstm", D, H)
    assert_close(
        x.grad, outputs_and_gradients(free, x, None, None, torch.ones(T, B, H), [torch.zeros(B, H)] * 2)["d_x"]
    )


# ---- refusals


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"hidden_size": 0}, "hidden_size must be a whole number of at least 1, not 0.", None),
        ({"hidden_size": -3}, "hidden_size must be a whole number of at least 1, not -3.", None),
        ({"hidden_size": 3.0}, "hidden_size must be a whole number of at least 1, not 3.0.", None),
        ({"hidden_size": "3"}, "hidden_size must be a whole number of at least 1, not '3'.", None),
        ({"hidden_size": True}, "hidden_size must be a whole number of at least 1, not True.", None),
        ({"input_size": 0}, "input_size must be a whole number of at least 1, not 0.", None),
        ({"num_layers": 0}, "num_layers must be a whole number of at least 1, not 0.", None),
        ({"dropout": 1.0}, "dropout must be at least 0 and less than 1, not 1.0.", None),
        ({"dropout": -0.1}, "dropout must be at least 0 and less than 1, not -0.1.", None),
        ({"dropout": math.nan}, "dropout must be at least 0 and less than 1, not nan.", None),
        ({"dropout": "0.5"}, "dropout must be at least 0 and less than 1, not '0.5'.", None),
        ({"initial_state": "zeros"}, "there is no initial state 'zeros'.", "did you mean 'zero'?"),
        ({"initial_state": None}, "there is no initial state None.", "known here: zero, learned, random."),
        ({"cell": "lstmm"}, "there is no cell named 'lstmm'.", "did you mean 'lstm'?"),
        (
            {"cell": len},
            "a cell or the name of one was expected, not a builtin_function_or_method.",
            "decorate the function",
        ),
        ({"widths": {"P": 3}}, "widths names 'P', which the cell does not use.", "known here: ."),
        (
            {"cell": "projected_lstm"},
            "this cell has a width P beside H, which needs a size.",
            'give it as widths={"P": 64}.',
        ),
        (
            {"cell": "projected_lstm", "widths": {"P": 0}},
            "widths['P'] must be a whole number of at least 1, not 0.",
            None,
        ),
        (
            {"cell": "projected_lstm", "widths": {"P": 2, "Q": 2}},
            "widths names 'Q', which the cell does not use.",
            "known here: P.",
        ),
    ],
    ids=str,
)
def test_an_impossible_option_is_refused(options, message, hint):
    with pytest.raises(OptionError) as error:
        Recurrent(**({"cell": "lstm", "input_size": D, "hidden_size": H} | options))
    assert error.value.message == message
    assert (error.value.hint or "").startswith(hint or "")
    assert bool(error.value.hint) == bool(hint)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="proj_size"):
        Recurrent("lstm", D, H, proj_size=2)


def test_raw_input_must_be_as_wide_as_the_units():
    with pytest.raises(ShapeError, match=r"uses x\.raw, the input itself, so D must equal H=5; got D=3"):
        Recurrent(EXAMPLES["leaky"], 3, 5)


@pytest.mark.parametrize(
    ("batch_first", "shape", "message", "hint"),
    [
        (False, (T, B, 12), "expected x of shape [T, B, D=3], got [5, 4, 12].", "the data has 12 features; build the "),
        (True, (B, T, 12), "expected x of shape [B, T, D=3], got [4, 5, 12].", "the data has 12 features; build the "),
        (False, (T, D), "expected x of shape [T, B, D=3], got [5, 3].", None),
        (False, (D,), "expected x of shape [T, B, D=3], got [3].", None),
        (False, (1, T, B, D), "expected x of shape [T, B, D=3], got [1, 5, 4, 3].", None),
    ],
)
def test_an_input_of_another_shape_is_refused(batch_first, shape, message, hint):
    layer = Recurrent("lstm", D, H, batch_first=batch_first)
    for use in (layer, layer.engine_call):
        with pytest.raises(ShapeError) as error:
            use(torch.zeros(shape))
        assert error.value.message == f"Recurrent(lstm) {message}"
        assert (error.value.hint or "").startswith(hint or "")
    if hint:
        assert str(error.value).endswith("\n  hint: the data has 12 features; build the layer with input_size=12.")


@pytest.mark.parametrize("lengths", [[1, 2], [1, 2, 3, T + 1], [1, 2, 3, -1], [1.0, 2.0, 3.0, 4.0], 3])
@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_that_do_not_fit_are_refused(lengths, batch_first):
    layer = Recurrent("lstm", D, H, batch_first=batch_first)
    x = torch.zeros((B, T, D) if batch_first else (T, B, D))
    for use in (layer, layer.engine_call):
        with pytest.raises(ShapeError) as error:
            use(x, lengths=lengths)
        assert error.value.message == (
            f"Recurrent(lstm) expected lengths: 4 whole numbers between 0 and T=5, got {lengths!r}."
        )
        assert error.value.hint == "give the number of steps of each sequence in the batch."


ZERO = torch.zeros(B, H)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ((), "expected a state of 2 layers with h c each."),
        (((ZERO, ZERO),), "expected a state of 2 layers with h c each."),
        ((ZERO, ZERO), "expected a state of 2 layers with h c each."),
        (((ZERO,), (ZERO,)), "expected a state of 2 layers with h c each."),
        ((torch.zeros(2, B, H), torch.zeros(2, B, H)), "expected a state of 2 layers with h c each."),
        (torch.zeros(2, 2, B, H), "expected a state of 2 layers with h c each."),
        (((ZERO, ZERO), (ZERO, ZERO[:1])), "expected state[1].c of shape [B=4, H=3], got [1, 3]."),
        (((ZERO[:, :1], ZERO), (ZERO, ZERO)), "expected state[0].h of shape [B=4, H=3], got [4, 1]."),
        (((ZERO[None], ZERO), (ZERO, ZERO)), "expected state[0].h of shape [B=4, H=3], got [1, 4, 3]."),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, message):
    with pytest.raises(ShapeError) as error:
        Recurrent("lstm", D, H, num_layers=2)(torch.zeros(T, B, D), state)
    assert error.value.message == f"Recurrent(lstm) {message}"
    assert (error.value.hint or "").startswith(
        "give the state that an earlier call returned" if "layers" in message else ""
    )


def test_a_state_of_one_direction_is_refused_by_a_layer_of_two():
    with pytest.raises(ShapeError) as error:
        Recurrent("gru", D, H, bidirectional=True)(torch.zeros(T, B, D), ((ZERO,),))
    assert error.value.message == "Recurrent(gru) expected state[0].h of shape [2, B=4, H=3], got [4, 3]."


def test_torch_is_named_when_it_is_missing():
    """Seen from an interpreter in which torch cannot be imported."""
    code = "import sys; sys.modules['torch'] = None; import ostinato.nn"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "needs torch, which is not installed." in ran.stderr
    assert "hint: pip install 'ostinato[train]'" in ran.stderr
