"""Matrices in fewer bytes: every candidate against a formula, every level and any company to the bit."""

import numpy as np
import pytest

from ostinato import _core, cells
from ostinato.engine import prepare
from ostinato.engine.call import Call
from ostinato.engine.numpy import Interpreted
from ostinato.engine.packing import Packing
from ostinato.errors import OptionError, ShapeError
from ostinato.stored import Bfloat16Matrix, Int8Matrix, kind_of, stored_as, unpacked
from tests.comparison import assert_close
from tests.quick import some_quick

from .problems import level, threads

CELLS = [cell for cell in cells.CELLS.values() if cell.program.recurrent_gates or cell.program.input_gates]
KINDS = ("bfloat16", "int8")
SHAPES = [(1, 1, 1, 1, 1), (7, 13, 5, 6, 1), (33, 48, 9, 3, 2), (130, 96, 1, 4, 3), (16, 64, 19, 2, 1)]
"""D, H, B, T and heads."""


class Problem:
    """A cell with random weights of some size, stored in fewer bytes."""

    def __init__(self, cell, kind, shape, seed=0):
        D, H, B, T, heads = shape
        self.program = program = cell.program
        D = H if program.reads_raw_input else D
        heads = heads if program.recurrent_gates and set(program.width_letters) == {"H"} else 1
        widths = dict.fromkeys(program.width_letters, H)
        random = np.random.default_rng(seed)
        shapes = program.weight_shapes(D, widths, heads=heads)
        whole = {n: random.normal(size=s, scale=0.4).astype(np.float32) for n, s in shapes.items()}
        self.weights = stored_as(kind, whole)
        self.x = random.normal(size=(T, B, D)).astype(np.float32)
        self.state = [random.normal(size=(B, widths[w]), scale=0.3).astype(np.float32) for _, w in program.states]
        self.lengths = random.integers(0, T + 1, B)
        self.lengths[0] = T

    def run(self, lengths=None):
        y, state = prepare(self.program, self.weights).sequence(self.x, self.state, lengths)
        return [y, *state]

    def interpreted(self, weights, lengths):
        T, B, _ = self.x.shape
        call = Call(self.program, weights, self.x, Packing.of(T, B, lengths, reverse=False))
        y, state = Interpreted(self.program, weights, np.dtype(np.float32)).run(call, self.state)
        return [y, *state]


def assert_bits(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", some_quick(CELLS), ids=lambda cell: cell.name)
def test_the_core_gives_what_the_interpreter_gives(cell, kind):
    for shape in SHAPES[:3]:
        given = Problem(cell, kind, shape)
        expected = given.interpreted(given.weights, given.lengths)
        for found, wanted in zip(given.run(given.lengths), expected, strict=True):
            # A rounding error may move a value over the border between two bytes.
            scale = max(1.0, np.abs(wanted).max())
            assert np.median(np.abs(found - wanted)) <= 1e-6 * scale
            assert np.abs(found - wanted).max() <= (2e-2 if kind == "int8" else 1e-3) * scale


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", [cells.lstm, cells.gru_v1, cells.projected_lstm], ids=lambda cell: cell.name)
def test_bfloat16_has_the_bits_of_the_floats_that_it_stands_for(cell, shape):
    given = Problem(cell, "bfloat16", shape)
    for name in _core.levels():
        with level(name):
            found = given.run(given.lengths)
            y, state = prepare(given.program, unpacked(given.weights)).sequence(given.x, given.state, given.lengths)
            assert_bits(found, [y, *state])


def formula(matrix, bias, x):
    """The product of rows x with a matrix of bytes, in float64, from its definition."""
    scale = np.abs(x).max(axis=1, keepdims=True).astype(np.float64) / 127
    whole = np.rint(x / np.where(scale > 0, scale, 1))
    return whole @ matrix.values.T.astype(np.float64) * scale * matrix.scales + bias


@pytest.mark.parametrize("name", _core.levels())
@pytest.mark.parametrize(
    ("D", "units", "B"), [(1, 1, 1), (3, 16, 2), (16, 17, 4), (31, 80, 5), (257, 33, 7), (1000, 64, 3)]
)
def test_a_product_of_bytes_is_its_formula(name, D, units, B):
    random = np.random.default_rng(D)
    weight = Int8Matrix.of(random.normal(size=(units, D)).astype(np.float32))
    bias = random.normal(size=units).astype(np.float32)
    x = random.normal(size=(B, D)).astype(np.float32) * 10.0 ** random.integers(-8, 8, (B, 1)).astype(np.float32)
    from ostinato.runtime import Feedforward

    with level(name):
        y, _ = Feedforward.linear(weight, bias).step(x)
    expected = formula(weight, bias, x)
    assert np.abs(y - expected).max(axis=1).max() <= 1e-6 * np.abs(expected).max()
    with pytest.raises(AssertionError):
        assert_close(y, formula(weight, bias + 0.01 * np.abs(expected).max(), x).astype(np.float32), "y")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_equal_bits_in_any_company_at_any_level_on_any_number_of_threads(kind, shape):
    given = Problem(cells.lstm, kind, shape)
    whole, baseline = given.run(), None
    for name in _core.levels():
        with level(name):
            for count in (1, 2, 3):
                with threads(count):
                    found = given.run()
                if name == "baseline":
                    baseline = found if baseline is None else baseline
                    assert_bits(found, baseline)
                else:
                    assert_bits(found, whole)
    prepared, state, steps = prepare(given.program, given.weights), given.state, []
    for x in given.x:
        y, state = prepared.step(x, state)
        steps.append(y)
    assert_bits([np.stack(steps), *state], whole)
    for b in range(given.x.shape[1]):
        y, state = prepared.sequence(given.x[:, b : b + 1], [part[b : b + 1] for part in given.state])
        assert_bits([y[:, 0], *(part[0] for part in state)], [whole[0][:, b], *(part[b] for part in whole[1:])])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_number_stays_in_its_row(kind):
    given = Problem(cells.gru, kind, (9, 20, 6, 1, 1))
    clean = given.run()[0]
    given.x[0, 2, 3], given.x[0, 4, 5] = np.nan, np.inf
    found = given.run()[0]
    assert_bits([found[:, [0, 1, 3, 5]]], [clean[:, [0, 1, 3, 5]]])
    assert np.isnan(found[0, 2]).any()
    if kind == "int8":
        assert np.isnan(found[0, [2, 4]]).all()


def test_rows_of_zeros_and_of_almost_nothing():
    weight = Int8Matrix.of(np.array([[0, 0, 0], [1e-38, 0, 0], [1, -2, 3]], np.float32))
    assert weight.scales.tolist()[:2] == [0, 0]
    from ostinato.runtime import Feedforward

    x = np.array([[0, 0, 0], [1e-39, -1e-39, 0], [1, 1, 1]], np.float32)
    y, _ = Feedforward.linear(weight).step(x)
    assert y[:2].tolist() == [[0, 0, 0]] * 2
    assert_close(
        y[2], np.array([0, 0, 2], np.float32) + (y[2] - [0, 0, 2]).astype(np.float32), "exact but for rounding"
    )
    assert abs(y[2, 2] - 2) < 0.03


# ---- the matrices


def test_rounding_to_bfloat16_is_to_nearest_and_to_even():
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32) * 10.0 ** np.arange(-20, 20)
    values = np.concatenate([values.astype(np.float32), np.array([[1 + 2**-8, 1 + 3 * 2**-8] * 20], np.float32)])
    expected = torch.from_numpy(values).bfloat16().float().numpy()
    matrix = Bfloat16Matrix.of(values)
    assert matrix.unpacked().tobytes() == expected.tobytes()
    assert matrix.take(np.array([[3, 1]])).tobytes() == expected[[[3, 1]]].tobytes()
    assert matrix.nbytes == values.nbytes // 2


def test_rounding_to_bytes_is_within_half_a_step_of_its_row():
    values = np.random.default_rng(0).normal(size=(30, 41)).astype(np.float32) * np.logspace(-9, 9, 30)[:, None]
    values = values.astype(np.float32)
    matrix = Int8Matrix.of(values)
    error = np.abs(matrix.unpacked() - values)
    assert (error <= 0.5001 * matrix.scales[:, None]).all()
    assert (np.abs(matrix.values).max(axis=1) == 127).all()
    assert matrix.nbytes == values.size + 4 * 30


def test_vectors_stay_whole_and_nothing_is_stored_twice():
    whole = {"W": np.ones((4, 3), np.float32), "W_bias": np.ones(4, np.float32)}
    small = stored_as("int8", whole)
    assert small["W_bias"] is whole["W_bias"]
    assert (kind_of(whole), kind_of(small)) == ("float32", "int8")
    with pytest.raises(OptionError, match="are int8 already"):
        stored_as("bfloat16", small)
    with pytest.raises(OptionError, match="cannot be stored as 'int4'"):
        stored_as("int4", whole)
    with pytest.raises(TypeError, match="no array"):
        np.asarray(small["W"])


def test_wrong_shapes_are_told():
    given = Problem(cells.gru, "int8", (7, 13, 5, 6, 1))
    given.weights["W"] = given.weights["W"][:-1]
    with pytest.raises(ShapeError, match="weight 'R'"):
        given.run()
