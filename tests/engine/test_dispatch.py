"""Who runs a sequence, what `explain` says of it, and that no way of asking gives wrong numbers."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jvp, vmap

from ostinato.cells import CELLS, find
from ostinato.engine import aten, core, dispatch, explain, sequence
from ostinato.engine.call import Call
from ostinato.engine.packing import Packing
from ostinato.nn import Recurrent

from ..comparison import assert_close
from ..example_cells import EXAMPLES
from ..quick import some_quick

# torch's own forward-mode formulas use what torch itself deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")

T, B, D, H = 4, 3, 2, 5
NO_CORE = "core   refused: it computes in float32 or float64, all of one kind, not float16"
CORE_RUNS = "core   runs: the compiled core"
NOT_TORCHS = "aten   refused: the cell is not exactly torch's RNN, LSTM or GRU"
ATEN_RUNS = "aten   runs: torch's own kernel for this cell"
TORCH_RUNS = "torch  runs: the program, interpreted over torch"
NOT_NUMPY = "numpy  refused: x is a torch tensor"


def layer_of(cell, dtype=torch.float64, **options):
    torch.manual_seed(0)
    program = find(cell).program
    widths = {"P": 2} if "P" in program.width_letters else None
    return Recurrent(cell, H if program.reads_raw_input else D, H, widths=widths, dtype=dtype, **options)


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def only(monkeypatch, *names):
    """Leave only the named candidates in the table."""
    kept = tuple(candidate for candidate in dispatch.CANDIDATES if candidate.name in names)
    monkeypatch.setattr(dispatch, "CANDIDATES", kept)


@pytest.fixture
def without_core(monkeypatch):
    """Take the core out of the table: what runs where it was not built."""
    only(monkeypatch, "aten", "torch", "numpy")


# ---- what is said


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("lengths", [None, [4, 0, 2], [0, 0, 0]])
@pytest.mark.parametrize("name", CELLS)
def test_the_core_runs_every_cell(name, lengths, dtype):
    layer = layer_of(CELLS[name], dtype)
    said = explain(layer, normal(T, B, layer.input_size, dtype=dtype), lengths)
    assert said.runner == "core"
    assert str(said).splitlines()[0] == CORE_RUNS
    assert said.others["torch"] == "not needed: core comes first"
    assert list(said.others) == ["aten", "torch", "numpy"]


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (normal(T, B, D).half(), "it computes in float32 or float64, all of one kind, not float16 and float64"),
        (normal(T, B, D).float(), "it computes in float32 or float64, all of one kind, not float32 and float64"),
        (normal(T, B, D).to("meta"), "x is on meta, and it runs on the CPU"),
        (normal(T, B, D).to_sparse(), "x is no plain dense tensor"),
        (torch.nn.Parameter(normal(T, B, D)), "x is no plain dense tensor"),
    ],
)
def test_the_core_says_what_it_does_not_take(x, reason):
    call = replace(layer_of("lstm").engine_call(normal(T, B, D)), x=x)
    assert core.refuse(call) == reason


def test_the_core_has_no_gradients_of_streams_and_says_so():
    call = replace(layer_of("lstm").engine_call(normal(T, B, D)), streams={"e": normal(T, B, H).requires_grad_()})
    assert core.refuse(call) == "it has no gradients of streams"
    with torch.no_grad():
        assert core.refuse(call) is None


@pytest.mark.parametrize("cell", ["elman", "elman_relu", "lstm", "gru"])
@pytest.mark.parametrize("lengths", [None, [4, 0, 2]])
def test_torchs_kernel_runs_torchs_cells_where_the_core_does_not(without_core, cell, lengths):
    said = explain(layer_of(cell), normal(T, B, D), lengths)
    assert said.runner == "aten"
    assert str(said).splitlines() == [ATEN_RUNS, "torch  not needed: aten comes first", NOT_NUMPY]


@pytest.mark.parametrize("cell", ["elman_sigmoid", "gru_v1", EXAMPLES["peephole"]])
def test_the_interpreter_runs_other_cells_where_the_core_does_not(without_core, cell):
    said = explain(layer_of(cell), normal(T, B, D))
    assert said.runner == "torch"
    assert repr(said).splitlines() == [TORCH_RUNS, NOT_TORCHS, NOT_NUMPY]


@pytest.mark.parametrize(("steps", "batch", "lengths"), [(0, B, None), (T, 0, None), (T, 2, [0, 0])])
def test_torchs_kernels_refuse_what_has_no_step(without_core, steps, batch, lengths):
    said = explain(layer_of("lstm"), normal(steps, batch, D), lengths)
    assert str(said).splitlines() == [
        TORCH_RUNS,
        "aten   refused: torch's kernels need at least one row and one step",
        NOT_NUMPY,
    ]


class OverArrays:
    """What has NumPy weights, and can be explained as a layer can."""

    def engine_call(self, x, lengths=None):
        return Call(CELLS["lstm"].program, {}, x, Packing.of(x.shape[0], x.shape[1], lengths, reverse=False))


@pytest.mark.parametrize(
    ("dtype", "lines"),
    [
        (np.float64, [CORE_RUNS, "numpy  not needed: core comes first"]),
        (np.float16, ["numpy  runs: the program, interpreted over NumPy", NO_CORE]),
    ],
)
def test_numpy_arrays_are_run_by_the_core_or_by_numpy(dtype, lines):
    runs, other = lines
    refused = [f"{name:6} refused: x is a NumPy array" for name in ("aten", "torch")]
    expected = [runs, *refused, other] if runs == CORE_RUNS else [runs, other, *refused]
    assert str(explain(OverArrays(), np.zeros((T, B, D), dtype))).splitlines() == expected


def test_transforms_of_torch_func_and_forward_mode_are_told():
    layer, x, said = layer_of("lstm"), normal(T, B, D), []

    def asked(x):
        said.append(str(explain(layer, x)).splitlines())
        return x

    vmap(asked)(x[None])
    grad(lambda x: asked(x).sum())(x)
    with forward_ad.dual_level():
        asked(forward_ad.make_dual(x, x))
    transform, forward = (
        [
            TORCH_RUNS,
            f"core   refused: the core's operators {reason}",
            f"aten   refused: torch's kernels {reason}",
            NOT_NUMPY,
        ]
        for reason in ("do not know torch.func's transforms", "have no forward-mode derivative")
    )
    assert said == [transform, transform, forward]
    assert explain(layer, x).runner == "core", "and nothing of it stays"


# ---- what is computed


@pytest.fixture(params=["elman", "elman_relu", "lstm", "gru", "gru_v1", "peephole", "rotation"])
def layer(request):
    return layer_of((CELLS | EXAMPLES)[request.param])


def y_of(layer, x, weights=None, state=None, lengths=None):
    y, final = functional_call(layer, weights or {}, (x, state, lengths))
    return torch.cat([y.flatten(), *(part.flatten() for part in final[0])])


def weights_of(layer):
    return {name: weight.detach() for name, weight in layer.named_parameters()}


def starts(layer, seed, *leading):
    return (layer.cell.State(*(normal(*leading, B, H, seed=seed + k) for k in range(len(layer.cell.states)))),)


@pytest.mark.parametrize("lengths", [None, [2, 4, 0]])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("mapped", ["x", "weights", "state"])
def test_vmap_equals_a_loop(layer, mapped, lengths, dtype):
    layer.to(dtype)
    x = normal(3, T, B, D, dtype=dtype)
    weights = {
        name: torch.stack([weight * (1 + k / 4) for k in range(3)]) for name, weight in weights_of(layer).items()
    }
    state = (layer.cell.State(*(part.to(dtype) for part in starts(layer, 7, 3)[0])),)
    functions = {
        "x": (lambda x: y_of(layer, x, lengths=lengths), [(part,) for part in x], (x,)),
        "weights": (
            lambda w: y_of(layer, x[0], w, lengths=lengths),
            [({name: weight[k] for name, weight in weights.items()},) for k in range(3)],
            (weights,),
        ),
        "state": (
            lambda s: y_of(layer, x[0], state=s, lengths=lengths),
            [((layer.cell.State(*(part[k] for part in state[0])),),) for k in range(3)],
            (state,),
        ),
    }
    function, one_by_one, together = functions[mapped]
    assert_close(vmap(function)(*together), torch.stack([function(*given) for given in one_by_one]))


def test_forward_mode_equals_reverse_mode(layer):
    """For a function f: <u, Df v> taken forwards is <Df' u, v> taken backwards."""
    given = (normal(T, B, D), weights_of(layer), starts(layer, 2))
    tangents = (normal(T, B, D, seed=8), {n: normal(*w.shape, seed=9) for n, w in given[1].items()}, starts(layer, 11))
    y, forwards = jvp(lambda x, w, s: y_of(layer, x, w, s), given, tangents)
    u = normal(*y.shape, seed=10)
    gradients = grad(lambda x, w, s: (u * y_of(layer, x, w, s)).sum(), argnums=(0, 1, 2))(*given)
    pairs = [(gradients[0], tangents[0]), *((gradients[1][name], tangents[1][name]) for name in given[1])]
    pairs += zip(gradients[2][0], tangents[2][0], strict=True)
    assert forwards.abs().max() > 0.01
    assert_close(y, y_of(layer, *given))
    assert_close((u * forwards).sum(), sum((gradient * tangent).sum() for gradient, tangent in pairs))


@pytest.mark.parametrize("dual", ["x", "weights", "state"])
def test_dual_tensors_have_the_derivative_of_differences(layer, dual):
    given = {"x": normal(T, B, D), "weights": weights_of(layer), "state": starts(layer, 2)}
    directions = {"x": normal(T, B, D, seed=3), "weights": given["weights"], "state": starts(layer, 4)}

    def moved(value, direction, move):
        if isinstance(value, dict):
            return {name: moved(value[name], direction[name], move) for name in value}
        if isinstance(value, tuple):
            parts = [moved(part, along, move) for part, along in zip(value, direction, strict=True)]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        return move(value, direction)

    def along(move):
        return y_of(layer, **(given | {dual: moved(given[dual], directions[dual], move)}))

    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(along(forward_ad.make_dual)).tangent
    above, below = (along(lambda v, d, sign=sign: v + sign * 1e-5 * d) for sign in (1, -1))
    assert ((above - below) / 2e-5).tolist() == pytest.approx(tangent.tolist(), rel=1e-5, abs=1e-6)


def test_a_derivative_of_a_derivative_is_the_same_either_way(layer):
    x, v = normal(T, B, D), normal(T, B, D, seed=5)
    loss = lambda x: y_of(layer, x).square().sum()  # noqa: E731
    forward_over_reverse = jvp(grad(loss), (x,), (v,))[1]
    reverse_over_reverse = grad(lambda x: (grad(loss)(x) * v).sum())(x)
    x.requires_grad_()
    (first,) = torch.autograd.grad(loss(x), x, create_graph=True)
    (plain,) = torch.autograd.grad((first * v).sum(), x)
    assert_close(forward_over_reverse, plain)
    assert_close(reverse_over_reverse, plain)


def test_gradients_of_each_sample_equal_those_of_each_alone(layer):
    x, weights = normal(T, B, D), weights_of(layer)

    def loss(weights, one):
        return y_of(layer, one[:, None], weights).square().sum()

    together = vmap(grad(loss), in_dims=(None, 1))(weights, x)
    for b in range(B):
        assert_close({name: gradient[b] for name, gradient in together.items()}, grad(loss)(weights, x[:, b]))


FAST = [candidate.name for candidate in dispatch.CANDIDATES if candidate.name not in ("torch", "numpy")]


@pytest.mark.parametrize("removed", [*([name] for name in FAST), FAST], ids=str)
@pytest.mark.parametrize("name", some_quick(CELLS))
@pytest.mark.parametrize("lengths", [None, [4, 0, 3], [0, 0, 0]])
def test_without_any_candidate_but_the_interpreter_everything_works(monkeypatch, removed, name, lengths):
    # Two directions are twice as wide as what a cell that reads the input itself could take in a second layer.
    num_layers = 1 if CELLS[name].program.reads_raw_input else 2
    layer = layer_of(name, num_layers=num_layers, bidirectional=True)
    x = normal(T, B, layer.input_size).requires_grad_()
    results = []
    for table in ("whole", "reduced"):
        if table == "reduced":
            only(monkeypatch, *({c.name for c in dispatch.CANDIDATES} - set(removed)))
        y, final = layer(x, lengths=lengths)
        total = y.square().sum() + sum(part.square().sum() for state in final for part in state)
        gradients = (
            torch.autograd.grad(total, (x, *layer.parameters()), allow_unused=True) if total.requires_grad else []
        )
        results.append([y, *final, [gradient for gradient in gradients if gradient is not None]])
        assert set(explain(layer, x, lengths).others).isdisjoint(removed if table == "reduced" else ())
    assert_close(results[1], results[0])


def test_numpy_alone_runs_arrays(monkeypatch):
    program = CELLS["gru"].program
    random = np.random.default_rng(0)
    weights = {name: random.normal(size=shape) for name, shape in program.weight_shapes(D, {"H": H}).items()}
    given = weights, random.normal(size=(T, B, D)), [np.zeros((B, H))]
    whole = sequence(program, *given)
    only(monkeypatch, "numpy")
    assert_close(sequence(program, *given), whole)


def test_an_error_in_a_candidate_surfaces(monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(core, "run", broken)
    with pytest.raises(ZeroDivisionError):
        layer_of("lstm")(normal(T, B, D))
    monkeypatch.setattr(aten, "run", broken)
    only(monkeypatch, "aten", "torch", "numpy")
    with pytest.raises(ZeroDivisionError):
        layer_of("lstm")(normal(T, B, D))
    layer_of("gru_v1")(normal(T, B, D))


def test_every_refusal_is_a_reason_or_none():
    layers = [layer_of(cell) for cell in CELLS.values()]
    calls = [layer.engine_call(normal(T, B, layer.input_size)) for layer in layers]
    for candidate in dispatch.CANDIDATES:
        assert {type(candidate.module.refuse(call)) for call in calls} <= {str, type(None)}
        assert candidate.module.DESCRIPTION


@pytest.mark.parametrize("steps", [0, T])
@pytest.mark.parametrize("batch", [0, B])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_arrays_without_rows_or_steps_have_outputs_without_them(steps, batch, kind):
    program = EXAMPLES["rotation"].program
    weights = {name: np.ones(shape, kind) for name, shape in program.weight_shapes(D, {"H": H}).items()}
    state = [np.ones((batch, H), kind), np.zeros((batch, H), kind)]
    y, final = sequence(program, weights, np.zeros((steps, batch, D), kind), state)
    assert (y.shape, y.dtype) == ((steps, batch, 2 * H), kind)
    assert [(part.shape, part.dtype) for part in final] == [((batch, H), kind)] * 2
    if not steps:
        assert_close(final, state)


IMPORTS = """
import sys
import numpy as np
from ostinato import cells, engine
program = cells.lstm.program
weights = {name: np.ones(shape) for name, shape in program.weight_shapes(2, {"H": 3}).items()}
engine.sequence(program, weights, np.ones((4, 1, 2)), [np.zeros((1, 3))] * 2)
print("torch" in sys.modules)
"""


@pytest.mark.parametrize("code", ["import sys, ostinato.engine; print('torch' in sys.modules)", IMPORTS])
def test_the_engine_imports_no_torch_and_runs_arrays_without_it(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
