"""The interpreters over NumPy and torch equal each other and an evaluator that shares nothing with them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.cells import CELLS
from ostinato.engine import numpy as numpy_engine
from ostinato.engine import sequence
from ostinato.engine import torch as torch_engine
from ostinato.engine.dispatch import CANDIDATES
from ostinato.program.operations import ELEMENTWISE, REDUCTIONS

from ..candidates import use_table
from ..comparison import assert_close
from ..example_cells import EXAMPLES
from ..program.programs import FORMULAS, STREAMS, evaluate, programs

T, H, P = 4, 3, 2
WIDTHS = {"H": H, "P": P}
INTERPRETERS = {"numpy": numpy_engine, "torch": torch_engine}


@pytest.fixture(autouse=True, scope="module")
def interpreters():
    with pytest.MonkeyPatch.context() as patch:
        use_table(patch, "interpreters")
        yield


def problem(program, lengths, kind=np.float64, seed=0):
    """Return random weights, input [T, B, D] and state for a program."""
    random = np.random.default_rng(seed)
    input_size = H
    weights = {n: random.normal(size=s).astype(kind) for n, s in program.weight_shapes(input_size, WIDTHS).items()}
    x = random.normal(size=(T, len(lengths), input_size)).astype(kind)
    state = [random.normal(size=(len(lengths), WIDTHS[width])).astype(kind) for _, width in program.states]
    return weights, x, state


def streams_of(program, lengths, kind=np.float64, seed=0):
    """Return random values for a program's streams, by name."""
    random = np.random.default_rng(seed + 1000)
    return {n: random.normal(size=(T, len(lengths), WIDTHS[width])).astype(kind) for n, width in program.streams}


def run_numpy(program, weights, x, state, lengths, streams=None):
    return sequence(program, weights, x, state, np.asarray(lengths, dtype=np.int64), streams=streams)


def run_torch(program, weights, x, state, lengths, streams=None):
    tensors = {name: torch.from_numpy(values) for name, values in weights.items()}
    parts = [torch.from_numpy(part) for part in state]
    flows = {name: torch.from_numpy(values) for name, values in (streams or {}).items()}
    return sequence(program, tensors, torch.from_numpy(x), parts, np.asarray(lengths, dtype=np.int64), streams=flows)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@settings(max_examples=150)
@given(
    program=programs() | programs(STREAMS),
    lengths=st.lists(st.integers(0, T), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_random_programs_run_alike_in_numpy_torch_and_plain_python(kind, program, lengths, seed):
    weights, x, state = problem(program, lengths, kind, seed)
    streams = streams_of(program, lengths, kind, seed)
    expected = evaluate(program, weights, x.astype(np.float64), state, lengths, streams)
    for run in (run_numpy, run_torch):
        y, final = run(program, weights, x, state, lengths, streams)
        assert_close([y, final], expected, run.__name__)
        assert {str(part.dtype).removeprefix("torch.") for part in (y, *final)} == {np.dtype(kind).name}


@pytest.mark.parametrize("cell", (CELLS | EXAMPLES).values(), ids=lambda c: c.name)
def test_every_cell_runs_alike_in_numpy_torch_and_plain_python(cell):
    lengths = [2, T, 0]
    given = problem(cell.program, lengths)
    expected = evaluate(cell.program, *given, lengths)
    assert_close(run_numpy(cell.program, *given, lengths), list(expected))
    assert_close(run_torch(cell.program, *given, lengths), list(expected))


@pytest.mark.parametrize("engine", INTERPRETERS.values(), ids=INTERPRETERS)
def test_every_operation_has_an_entry_in_each_interpreter_and_in_the_evaluator(engine):
    assert set(engine.LIBRARY.operations) == set(ELEMENTWISE) == set(FORMULAS)
    assert set(engine.LIBRARY.reductions) == set(REDUCTIONS)


GRID = [-700.0, -21.0, -1.0, -0.3, -1e-9, 0.0, 1e-9, 0.3, 1.0, 21.0, 700.0]
DOMAINS = {"exp": (-700, 700), "log": (1e-9, 700), "sqrt": (0, 700)}
EVERYWHERE = (-700, 700)


def arguments_of(name):
    low, high = DOMAINS.get(name, EVERYWHERE)
    values = np.array([v for v in GRID if low <= v <= high])
    pairs = np.stack(np.meshgrid(values, values[values != 0] if name == "divide" else values)).reshape(2, -1)
    if name == "where":
        return [pairs[0] > pairs[1], *pairs]
    return list(pairs[: ELEMENTWISE[name].arity])


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("engine", INTERPRETERS)
def test_each_operation_equals_its_formula_from_the_smallest_to_the_largest(engine, name):
    given = arguments_of(name)
    convert = torch.from_numpy if engine == "torch" else np.asarray
    with np.errstate(all="ignore"):
        actual = np.asarray(INTERPRETERS[engine].LIBRARY.operations[name](*map(convert, given)))
    expected = np.vectorize(FORMULAS[name])(*given)
    assert actual.dtype == (bool if ELEMENTWISE[name].yields_mask else np.float64)
    assert actual.tolist() == pytest.approx(expected.tolist(), rel=1e-12, abs=1e-300)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(
    ("name", "given", "gradients"),
    [
        ("relu", [0.0], [0.0]),
        ("abs", [0.0], [0.0]),
        ("maximum", [2.0, 2.0], [0.5, 0.5]),
        ("minimum", [2.0, 2.0], [0.5, 0.5]),
        ("softplus", [21.0], [1 / (1 + np.exp(-21.0))]),
        ("softplus", [0.0], [0.5]),
        ("softplus", [-50.0], [np.exp(-50.0)]),
    ],
)
def test_derivatives_at_corners_are_the_stated_ones(name, given, gradients):
    values = [tensor(value) for value in given]
    torch_engine.LIBRARY.operations[name](*values).backward()
    assert [value.grad.item() for value in values] == pytest.approx(gradients, rel=1e-12)


@pytest.mark.parametrize("run", [run_numpy, run_torch])
def test_overflow_gives_the_same_infinities_and_no_warning(run):
    weights, x, state = problem(CELLS["elman_relu"].program, [T])
    weights = {name: np.abs(values) * 1e200 for name, values in weights.items()}
    x = np.abs(x) + 1
    y, (h,) = run(CELLS["elman_relu"].program, weights, x, state, [T])
    assert np.isinf(np.asarray(y)[1:]).all()
    assert np.isinf(np.asarray(h)).all()


def test_the_interpreters_stand_last():
    assert [c.name for c in CANDIDATES if "NumPy array" in c.takes][-1] == "numpy"
    assert [c.name for c in CANDIDATES if "torch tensor" in c.takes][-1] == "torch"
