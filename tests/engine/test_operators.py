"""The core as torch operators: what torch asks of operators, and every way of asking for a derivative."""

import re

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from ostinato.cells import CELLS, find
from ostinato.engine import explain, operators, sequence
from ostinato.errors import ShapeError
from ostinato.nn import Recurrent

from ..comparison import assert_close
from ..example_cells import EXAMPLES
from ..quick import some_quick

# torch's own forward-mode formulas use what torch itself deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")

T, B, D, H, P = 4, 3, 2, 3, 2
OPERATOR, BACKWARD = operators.SEQUENCE, torch.ops.ostinato.sequence_backward.default
EVERY = list((CELLS | EXAMPLES).values())
"""Every cell, among them some whose parameters are computed before the first step."""


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def problem(cell, dtype=torch.float64, wanted=True):
    """Return x, states, and weights by name, which ask for gradients."""
    program = find(cell).program
    size = H if program.reads_raw_input else D
    widths = {"H": H, "P": P}
    shapes = program.weight_shapes(size, widths)
    weights = {name: 0.5 * normal(*shape, seed=10 + k, dtype=dtype) for k, (name, shape) in enumerate(shapes.items())}
    state = [normal(B, widths[width], seed=40 + k, dtype=dtype) for k, (_, width) in enumerate(program.states)]
    x = normal(T, B, size, dtype=dtype)
    for part in (x, *state, *weights.values()):
        part.requires_grad_(wanted)
    return program, x, state, weights


def given_of(cell, lengths=None, reverse=False, every=0, **options):
    """Return what the operator takes."""
    program, x, state, weights = problem(cell, **options)
    lengths = None if lengths is None else torch.tensor(lengths)
    return [x, state, list(weights.values()), [], program.text, " ".join(weights), lengths, reverse, every, []]


def parts_of(given):
    return [given[0], *given[1], *given[2]]


def replaced(given, parts):
    """Return what the operator takes, with other tensors for x, states and weights."""
    end = 1 + len(given[1])
    return [parts[0], list(parts[1:end]), list(parts[end:]), *given[3:]]


def function_of(run, given):
    """Return y and final states as a function of x, states and weights."""

    def function(*parts):
        y, final, *_ = run(*replaced(given, parts))
        return (y, *final)

    return function


def interpreted(monkeypatch, given):
    """Return what the interpreter gives for what the operator takes, gradients included."""
    with monkeypatch.context() as context:
        context.setattr(operators, "missing", lambda: "not in this comparison")
        context.setattr("ostinato.engine.core.missing", lambda: "not in this comparison")
        out = function_of(OPERATOR, given)(*parts_of(given))
        return [*out, *torch.autograd.grad(sum(part.square().sum() for part in out), parts_of(given))]


# ---- what torch asks of an operator


RUNS = {"full": (None, 0), "ragged": ([4, 0, 2], 0), "states of every second step": (None, 2), "empty": ([0, 0, 0], 0)}
CHECKED = {"lstm": "full", "gru_v1": "ragged", "rg_lru": "states of every second step", "rotation": "empty"}
"""Cells, and the one run of each that is quick."""


@pytest.mark.parametrize(
    ("cell", "run"),
    [
        pytest.param(cell, run, marks=[] if run == quick else pytest.mark.slow)
        for cell, quick in CHECKED.items()
        for run in RUNS
    ],
)
def test_torchs_own_checks_of_operators_pass(cell, run):
    lengths, every = RUNS[run]
    cell = (CELLS | EXAMPLES)[cell]
    torch.library.opcheck(OPERATOR, given_of(cell, lengths, every=every))
    plain = given_of(cell, lengths, every=every, wanted=False)
    torch.library.opcheck(OPERATOR, plain)
    plain[-1] = [True] * len(plain[1])
    y, final, kept = OPERATOR(*plain)
    torch.library.opcheck(BACKWARD, [*plain, kept, torch.ones_like(y), [torch.ones_like(part) for part in final]])


@pytest.mark.parametrize("cell", EVERY, ids=lambda cell: cell.name)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("every", [0, 3])
def test_the_operator_equals_the_interpreter(monkeypatch, cell, reverse, every):
    given = given_of(cell, [4, 1, 3], reverse, every)
    expected = interpreted(monkeypatch, given)
    out = function_of(OPERATOR, given)(*parts_of(given))
    found = [*out, *torch.autograd.grad(sum(part.square().sum() for part in out), parts_of(given))]
    assert_close(found, expected)


@pytest.mark.parametrize("output", [0, 1, 2])
def test_a_gradient_of_one_output_alone(monkeypatch, output):
    given = given_of("lstm")
    out = function_of(OPERATOR, given)(*parts_of(given))
    found = torch.autograd.grad(out[output].square().sum(), parts_of(given))
    monkeypatch.setattr(operators, "missing", lambda: "not in this comparison")
    monkeypatch.setattr("ostinato.engine.core.missing", lambda: "not in this comparison")
    out = function_of(OPERATOR, given)(*parts_of(given))
    assert_close(found, torch.autograd.grad(out[output].square().sum(), parts_of(given)))


def test_one_tensor_in_several_places_has_the_sum_of_their_gradients():
    program, x, (h, _), weights = problem("lstm")
    for create_graph in (False, True):
        y, _ = sequence(program, weights, x, [h, h])
        (together,) = torch.autograd.grad(y.sum(), h, create_graph=create_graph)
        apart = [h.detach().requires_grad_(), h.detach().requires_grad_()]
        y, _ = sequence(program, weights, x, apart)
        assert_close(together, sum(torch.autograd.grad(y.sum(), apart)))


# ---- what does not fit


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({0: normal(T, B)}, "x of shape [T, B, D], got [4, 3]"),
        ({0: normal(T, B, D + 1)}, "W of shape [12, 3], got [12, 2]"),
        (
            {0: normal(T, B, D, dtype=torch.float32)},
            "streams of torch.float32 on the CPU, as x, got torch.float64",
        ),
        ({1: [normal(B, H)]}, "2 states and 0 streams, got 1 and 0"),
        ({1: [normal(B, H), normal(B, H + 1)]}, "state 'c' of shape [B=3, H=3], got [3, 4]"),
        ({1: [normal(B + 1, H), normal(B, H)]}, "state 'h' of shape [B=3, H=3], got [4, 3]"),
        ({2: [normal(12, 2), normal(12), normal(12)]}, "R of shape [rows, columns], got [12]"),
        ({2: [normal(12, 2), normal(11), normal(12, 3)]}, "W_bias of shape [12], got [11]"),
        ({5: "W W_bias Q"}, "the weights W W_bias R, got W W_bias Q"),
        ({5: "W R"}, "the weights W W_bias R, got W R"),
        ({6: torch.tensor([1, 2])}, "lengths: 3 whole numbers between 0 and T=4, got [1, 2]"),
        ({6: torch.tensor([1, 2, 5])}, "lengths: 3 whole numbers between 0 and T=4, got [1, 2, 5]"),
        ({6: torch.tensor([1, 2, -1])}, "lengths: 3 whole numbers between 0 and T=4, got [1, 2, -1]"),
        ({6: torch.tensor([1.0, 2.0, 3.0])}, "lengths [B] of torch.int64 on the CPU, got torch.float32"),
        ({3: [normal(T, B, H)]}, "2 states and 0 streams, got 2 and 1"),
    ],
    ids=lambda value: value.split(", got")[0] if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named(change, said):
    given = given_of("lstm", wanted=False)
    for place, value in change.items():
        given[place] = value
    with pytest.raises(ShapeError, match=re.escape(said)):
        OPERATOR(*given)


def test_strided_tensors_are_read_right():
    given = given_of("lstm", wanted=False)
    expected = OPERATOR(*given)
    strided = replaced(given, [torch.stack([part, part], -1)[..., 0] for part in parts_of(given)])
    assert not strided[0].is_contiguous()
    assert_close(OPERATOR(*strided)[:2], expected[:2])


def test_nothing_that_comes_out_shares_memory_with_what_went_in():
    for lengths in (None, [0, 0, 0]):
        given = given_of("lstm", lengths, wanted=False)
        y, final, kept = OPERATOR(*given)
        places = [part.data_ptr() for part in (*parts_of(given), y, *final, kept) if part.numel()]
        assert len(set(places)) == len(places)


@pytest.mark.parametrize("changed", ["x", "state", "weight", "lengths"])
def test_what_is_changed_before_the_way_back_is_noticed(changed):
    given = given_of("lstm", [4, 1, 3])
    y, _, _ = OPERATOR(*given)
    with torch.no_grad():
        {"x": given[0], "state": given[1][0], "weight": given[2][0], "lengths": given[6]}[changed].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


# ---- derivatives of derivatives


@pytest.mark.parametrize("cell", some_quick(EVERY), ids=lambda cell: cell.name)
def test_gradients_and_their_gradients_are_those_of_differences(cell):
    given = given_of(cell, [4, 0, 2])
    function = function_of(OPERATOR, given)
    assert gradcheck(function, parts_of(given), fast_mode=True)
    assert gradgradcheck(function, parts_of(given), fast_mode=True)


def layer_for(cell):
    torch.manual_seed(0)
    return Recurrent(cell, D, H, dtype=torch.float64)


@pytest.mark.parametrize("cell", ["lstm", "gru_v1"])
def test_jacobians_and_hessians_agree(cell):
    layer, x = layer_for(cell), normal(T, 1, D)
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}
    y_of = lambda x: functional_call(layer, weights, (x,))[0]  # noqa: E731
    forwards, backwards = jacfwd(y_of)(x), jacrev(y_of)(x)
    assert_close(forwards, backwards)
    assert_close(backwards, torch.autograd.functional.jacobian(lambda x: layer(x)[0], x))
    loss = lambda x: y_of(x).square().sum()  # noqa: E731
    assert_close(hessian(loss)(x), torch.autograd.functional.hessian(lambda x: layer(x)[0].square().sum(), x))
    assert forwards.abs().max() > 0.01


TRANSFORMS = {
    "vmap": lambda f, x: vmap(f)(torch.stack([x, x])),
    "grad": lambda f, x: grad(lambda x: f(x).sum())(x),
    "jvp": lambda f, x: jvp(f, (x,), (x,)),
    "jacrev": lambda f, x: jacrev(f)(x),
    "jacfwd": lambda f, x: jacfwd(f)(x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("wanted", [False, True])
def test_the_operator_itself_refuses_the_transforms_of_torch_func(name, wanted):
    given = given_of("lstm", wanted=wanted)
    with pytest.raises(RuntimeError):
        TRANSFORMS[name](lambda x: OPERATOR(x, *given[1:])[0], given[0].detach())


def test_the_operator_itself_refuses_dual_tensors_but_no_others():
    given = given_of("lstm")
    with forward_ad.dual_level():
        plain = OPERATOR(*given)[0]
        dual = forward_ad.make_dual(given[2][0].detach(), given[2][0].detach())
        given[2][0] = dual
        with pytest.raises(RuntimeError, match="have no forward-mode derivative"):
            OPERATOR(*given)
    assert plain.requires_grad


def test_the_operators_refuse_gradients_that_they_have_not():
    given = given_of("lstm")
    given[-1] = [True, True]
    with torch.no_grad():
        y, final, kept = OPERATOR(*given)
    with pytest.raises(RuntimeError, match="sequence_backward has no gradients"):
        BACKWARD(*given, kept, y, final)


def test_a_stream_that_asks_for_a_gradient_goes_to_the_interpreter():
    layer = Recurrent("lstm", D, H, zoneout={"c": 0.5})
    call = layer.engine_call(normal(T, B, D, dtype=torch.float32))
    assert operators.refuse(call) is None
    next(iter(call.streams.values())).requires_grad_()
    assert operators.refuse(call) == "it has no gradients of streams"
    given = (call.x, [torch.zeros(B, H)] * 2, list(call.weights.values()), list(call.streams.values()))
    with pytest.raises(RuntimeError, match="has no gradients of streams"):
        OPERATOR(*given, call.program.text, " ".join(call.weights), None, False, 0, [])


# ---- nothing to run


@pytest.mark.parametrize("core", [True, False])
@pytest.mark.parametrize(("steps", "batch", "lengths"), [(0, B, None), (T, 0, None), (T, B, [0] * B)])
def test_with_nothing_to_run_gradients_are_zero_and_those_of_the_state_pass(monkeypatch, core, steps, batch, lengths):
    if not core:
        monkeypatch.setattr("ostinato.engine.core.missing", lambda: "taken away")
    layer = Recurrent("gru", D, H)
    x, h = torch.randn(steps, batch, D, requires_grad=True), torch.randn(batch, H, requires_grad=True)
    y, (last,) = layer(x, (layer.cell.State(h),), lengths)
    assert y.requires_grad
    assert_close(y, torch.zeros(steps, batch, H))
    assert_close(last.h, h)
    (y.sum() + (3 * last.h).sum()).backward()
    assert_close(h.grad, torch.full((batch, H), 3.0))
    for part in (x, *layer.parameters()):
        assert_close(part.grad, torch.zeros(part.shape))


def test_explain_tells_who_runs_derivatives():
    layer, x = layer_for("gru"), normal(T, B, D)
    assert explain(layer, x).runner == "core"
    with forward_ad.dual_level():
        said = explain(layer, x)
    assert said.runner == "torch"
    assert said.others["core"] == "refused: the core's operators have no forward-mode derivative"


# ---- who watches


class Seen(TorchDispatchMode):
    """Gathers the names of the operators that run."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.append(function.name())
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize("backward", [False, True])
def test_a_mode_sees_the_operators_and_changes_nothing(forward, backward):
    layer, x = layer_for("lstm"), normal(T, B, D)
    (expected,) = torch.autograd.grad(layer(x)[0].sum(), layer.layers[0][0].R)
    seen = [Seen(), Seen()]
    if forward:
        with seen[0]:
            y = layer(x)[0]
    else:
        y = layer(x)[0]
    if backward:
        with seen[1]:
            (found,) = torch.autograd.grad(y.sum(), layer.layers[0][0].R)
    else:
        (found,) = torch.autograd.grad(y.sum(), layer.layers[0][0].R)
    assert_close(found, expected)
    assert ("ostinato::sequence" in seen[0].names) == forward
    assert ("ostinato::sequence_backward" in seen[1].names) == backward


def test_shapes_alone_go_through_a_layer():
    layer, x = layer_for("gru"), normal(T, B, D)
    assert layer_for("lstm").to("meta")(x.to("meta"))[0].shape == (T, B, H)
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        assert layer(fake.from_tensor(x))[0].shape == (T, B, H)
