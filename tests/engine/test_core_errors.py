"""What does not fit is named before the core reads it, and what the core's module itself refuses."""

import numpy as np
import pytest

from ostinato import _core
from ostinato.cells import CELLS
from ostinato.engine import prepare, sequence
from ostinato.engine.plan import ARRAYS, ITEMS, OPCODES, STARTS, lower
from ostinato.errors import ShapeError
from ostinato.program.hoist import hoist

from ..comparison import assert_close
from .problems import Sizes, problem, run_by

T, B, D, H = 4, 3, 5, 7
GIVEN = problem(CELLS["lstm"].program, Sizes(T, B, D, H), np.float32)
X, STATE = GIVEN.x, GIVEN.state


def prepared(**weights):
    """Return an LSTM with some of its weights replaced, or left out where None is given."""
    changed = {name: value for name, value in (GIVEN.weights | weights).items() if value is not None}
    return prepare(GIVEN.program, changed)


def state_with(part):
    return [part, STATE[1]]


# ---- arrays that do not fit

WRONG_SEQUENCES = [
    (X[0], STATE, "x of shape [T, B, D], got [3, 5]"),
    (X[..., :3], STATE, "x of shape [T, B, D=5], got [4, 3, 3]"),
    (np.concatenate([X, X], -1), STATE, "x of shape [T, B, D=5], got [4, 3, 10]"),
    (np.zeros((T, 100_000, D), np.float32), STATE, "state 'h' of shape [B=100000, H=7], got [3, 7]"),
    (X.astype(np.float64), STATE, "x as NumPy array of float32, got float64"),
    (X.astype(np.int64), STATE, "x as NumPy array of float32, got int64"),
    (X.astype(">f4"), STATE, "x as NumPy array of float32, got >f4"),
    (X, state_with(STATE[0].astype(np.float64)), "state 'h' as NumPy array of float32, got float64"),
    (X, state_with(STATE[0][:2]), "state 'h' of shape [B=3, H=7], got [2, 7]"),
    (X, state_with(STATE[0][:, :4]), "state 'h' of shape [B=3, H=7], got [3, 4]"),
    (X, STATE[::-1][:1], "a state of 2 (h c), got 1"),
    (X, STATE + STATE, "a state of 2 (h c), got 4"),
]
WRONG_STEPS = [
    (X, STATE, "x of shape [B, D], got [4, 3, 5]"),
    (X[0, 0], STATE, "x of shape [B, D], got [5]"),
    (np.ascontiguousarray(X[0][:, :2]), STATE, "x of shape [B, D=5], got [3, 2]"),
    (X[0, :2], STATE, "state 'h' of shape [B=2, H=7], got [3, 7]"),
    (X[0].tolist(), STATE, "x as NumPy array of float32, got list"),
    (X[0].astype(np.float64), STATE, "x as NumPy array of float32, got float64"),
    (X[0].astype(">f4"), STATE, "x as NumPy array of float32, got >f4"),
    (np.asfortranarray(X[0]), STATE, "x contiguous, got strides (4, 12)"),
    (X[0, :, ::2], STATE, "x of shape [B, D=5], got [3, 3]"),
    (X[0], state_with(STATE[0].astype(np.float64)), "state 'h' as NumPy array of float32, got float64"),
    (X[0], state_with(np.asfortranarray(STATE[0])), "state 'h' contiguous, got strides (4, 12)"),
    (X[0], state_with(STATE[0][:, :2].copy()), "state 'h' of shape [B=3, H=7], got [3, 2]"),
    (X[0], STATE[:1], "a state of 2 (h c), got 1"),
]


@pytest.mark.parametrize("used", [False, True], ids=["first", "later"])
@pytest.mark.parametrize(("x", "state", "said"), WRONG_SEQUENCES, ids=[said for _, _, said in WRONG_SEQUENCES])
def test_a_sequence_that_does_not_fit_is_named(x, state, said, used):
    lstm = prepared()
    if used:
        lstm.sequence(X, STATE)
    with pytest.raises(ShapeError) as error:
        lstm.sequence(x, state)
    assert error.value.message == f"Prepared.sequence expected {said}."


@pytest.mark.parametrize("used", [False, True], ids=["first", "later"])
@pytest.mark.parametrize(("x", "state", "said"), WRONG_STEPS, ids=[said for _, _, said in WRONG_STEPS])
def test_a_step_that_does_not_fit_is_named(x, state, said, used):
    lstm = prepared()
    if used:
        lstm.step(X[0], STATE)
        said = said.replace("[B, D]", "[B, D=5]")  # the width is known by now
    with pytest.raises(ShapeError) as error:
        lstm.step(x, state)
    assert error.value.message == f"Prepared.step expected {said}."
    y, _ = lstm.step(X[0], STATE)
    assert_close(y, prepared().sequence(X, STATE)[0][0])


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"R": None}, "a weight 'R', got W W_bias"),
        ({"W": GIVEN.weights["W"][:-4]}, "weight 'R' with 6 columns, or that divided by a number of heads, got 7"),
        ({"W": GIVEN.weights["W"][:, 0]}, "weight 'W' of shape [H, D], got [28]"),
        ({"W_bias": GIVEN.weights["W_bias"][:3]}, "weight 'W_bias' of shape [28], got [3]"),
        ({"R": GIVEN.weights["R"][:, :3]}, "weight 'R' with 7 columns, or that divided by a number of heads, got 3"),
        ({"R": GIVEN.weights["R"][:-1]}, "weight 'R' of shape [28, 7], got [27, 7]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_weights_that_do_not_fit_are_named(weights, said):
    for method, x in (("sequence", X), ("step", X[0])):
        with pytest.raises(ShapeError) as error:
            getattr(prepared(**weights), method)(x, STATE)
        assert error.value.message == f"Prepared.{method} expected {said}."


@pytest.mark.parametrize("name", ["W", "R"])
def test_a_weight_that_is_missing_is_named(name):
    with pytest.raises(ShapeError, match=f"expected a weight '{name}', got"):
        prepared(**{name: None}).sequence(X, STATE)


@pytest.mark.parametrize("strided", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2]])
def test_strided_arrays_of_a_sequence_are_read_right(strided):
    expected = prepared().sequence(X, STATE)
    weights = {name: strided(values) for name, values in GIVEN.weights.items()}
    actual = prepared(**weights).sequence(strided(X), [strided(part) for part in STATE])
    assert_close(actual, expected)


def test_what_cannot_be_written_can_be_read():
    x, state = X[0].copy(), [part.copy() for part in STATE]
    for values in (x, *state):
        values.flags.writeable = False
    assert_close(prepared().step(x, state), prepared().step(X[0], STATE))


def test_one_array_may_be_several_states():
    shared = [STATE[0], STATE[0]]
    assert_close(prepared().step(X[0], shared), prepared().step(X[0], [STATE[0], STATE[0].copy()]))


@pytest.mark.parametrize("after_a_step", [False, True])
def test_a_later_change_of_weights_is_not_seen(after_a_step):
    weights = {name: values.copy() for name, values in GIVEN.weights.items()}
    lstm = prepare(GIVEN.program, weights)
    if after_a_step:
        lstm.step(X[0], STATE)
    for values in weights.values():
        values[:] = np.nan
    assert_close(lstm.step(X[0], STATE), prepared().step(X[0], STATE))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["lstm", "gru", "elman_relu", "min_gru", "layer_norm_lstm"])
def test_what_is_no_number_goes_through_as_in_the_interpreter(name, value):
    program = CELLS[name].program
    given = problem(program, Sizes(T, B, D, H), np.float64)
    given.x[1, 1, 2] = value
    with run_by("numpy"):
        expected = sequence(program, given.weights, given.x, given.state)
    y, final = sequence(program, given.weights, given.x, given.state)
    assert_close([y, final], list(expected))
    np.testing.assert_array_equal(np.isfinite(y[:, [0, 2]]), True)


# ---- what the module refuses

PLAN = lower(hoist(GIVEN.program).step)
ROW_NUMBER = -1
ADD, TANH = OPCODES.index("add"), OPCODES.index("tanh")
SECTION, PRODUCTS, SUM, BARRIER = (ITEMS.index(name) for name in ("section", "products", "sum", "barrier"))
LOCAL, PANEL, RAW, VECTOR = (ARRAYS.index(name) for name in ("local", "panel", "raw", "vector"))
WIDE, NARROW, LEARNED = (LOCAL, 0, 0), (LOCAL, ROW_NUMBER, 0), (VECTOR, 0, 0)
TILE, CONSTANT, ARRAY = range(3)


def section(operands, *code, width=0, tiles=1):
    """Return a section; operands: (kind, index) each, code: (operation, result, a, b, c) each."""
    flat = [number for operand in operands for number in operand]
    return [SECTION, width, tiles, len(operands), *flat, len(code), *(number for line in code for number in line)]


def plan(arrays=(WIDE,), items=(), constants=(0.5,), sizes=(-1,)):
    return _core.Plan(1, list(arrays), list(constants), list(sizes), [list(item) for item in items])


def test_a_plan_that_is_right_is_taken():
    good = section([(ARRAY, 0), (CONSTANT, 0), (TILE, 0)], (ADD, 2, 0, 1, -1), (TANH, 0, 2, -1, -1))
    plan(items=[good, [PRODUCTS, 0, 1, 0, 0, STARTS.index("zero"), 0], [BARRIER]])
    plan(arrays=(WIDE, NARROW), items=[[SUM, 0, -1, 1]])
    _core.Plan(len(PLAN.letters), list(PLAN.arrays), list(PLAN.constants), list(PLAN.sizes), list(PLAN.items))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"arrays": [(len(ARRAYS), 0, 0)]}, "unknown kind of array"),
        ({"arrays": [(-1, 0, 0)]}, "unknown kind of array"),
        ({"arrays": [(LOCAL, 1, 0)]}, "an array's width or index is out of range"),
        ({"arrays": [(LOCAL, 0, -1)]}, "an array's width or index is out of range"),
        ({"arrays": [(RAW, ROW_NUMBER, 0)]}, "a number a row must be local"),
        ({"sizes": []}, "constants and sizes differ in number"),
        ({"sizes": [1]}, "a constant's width is out of range"),
        (
            {"arrays": [WIDE, NARROW], "items": [[PRODUCTS, 0, 1, 0, 0, STARTS.index("array"), 1]]},
            "products and sums need whole rows",
        ),
        ({"items": [[]]}, "a plan's item is too short"),
        ({"items": [[len(ITEMS)]]}, "a number out of range"),
        ({"items": [[BARRIER, 0]]}, "a plan's item is too long"),
        ({"items": [section([(ARRAY, 1)])]}, "a number out of range"),
        ({"items": [section([(CONSTANT, 1)])]}, "a number out of range"),
        ({"items": [section([(TILE, 1)])]}, "a number out of range"),
        ({"items": [section([(TILE, 0)], width=1)]}, "a number out of range"),
        ({"items": [section([(TILE, 0)], (len(OPCODES), 0, 0, -1, -1))]}, "a number out of range"),
        ({"items": [section([(TILE, 0)], (TANH, 1, 0, -1, -1))]}, "a number out of range"),
        ({"items": [section([(TILE, 0)], (TANH, 0, 1, -1, -1))]}, "a number out of range"),
        ({"items": [section([(TILE, 0)], (ADD, 0, 0, -1, -1))]}, "a number out of range"),
        ({"items": [section([(TILE, 0)], (TANH, 0, 0, 0, -1))]}, "a number out of range"),
        ({"items": [section([(TILE, 0)], (TANH, 0, 0, -1))]}, "a plan's item is too short"),
        ({"items": [section([(CONSTANT, 0)], (TANH, 0, 0, -1, -1))]}, "constants and vectors cannot be written"),
        (
            {"arrays": [WIDE, LEARNED], "items": [section([(ARRAY, 0), (ARRAY, 1)], (TANH, 1, 0, -1, -1))]},
            "constants and vectors cannot be written",
        ),
        ({"items": [section([(ARRAY, 0)], width=ROW_NUMBER)]}, "an operand's width is not its section's"),
        (
            {"arrays": [WIDE, NARROW], "items": [section([(ARRAY, 0), (ARRAY, 1)], (TANH, 1, 0, -1, -1))]},
            "a wide result cannot be one number a row",
        ),
        ({"items": [[SUM, 0, -1, 0]]}, "a sum is one number a row"),
        ({"items": [[SUM, 0, -1]]}, "a plan's item is too short"),
        ({"arrays": [WIDE, NARROW], "items": [[SUM, 1, -1, 1]]}, "products and sums need whole rows"),
        ({"arrays": [WIDE, NARROW], "items": [[SUM, 0, 1, 1]]}, "products and sums need whole rows"),
        ({"arrays": [LEARNED, NARROW], "items": [[SUM, 0, -1, 1]]}, "products and sums need whole rows"),
        ({"arrays": [WIDE, NARROW], "items": [[PRODUCTS, 1, 0]]}, "products and sums need whole rows"),
        ({"arrays": [WIDE, NARROW], "items": [[PRODUCTS, 0, 1, 0, 1, 0, 0]]}, "products and sums need whole rows"),
        ({"items": [[PRODUCTS, 0, 1, 0, 0, len(STARTS), 0]]}, "a number out of range"),
        ({"items": [[PRODUCTS, 0, 1, 0, 0, STARTS.index("array"), 1]]}, "a number out of range"),
        ({"items": [[PRODUCTS, 0, 2, 0, 0, 0, 0]]}, "a plan's item is too short"),
    ],
    ids=str,
)
def test_a_malformed_plan_is_refused(wrong, said):
    with pytest.raises(ValueError, match=rf"ostinato\._core: .*{said}"):
        plan(**wrong)


@pytest.mark.parametrize("cut", range(1, 6))
def test_an_item_cut_short_anywhere_is_refused(cut):
    for item in PLAN.items:
        if len(item) > cut:
            items = [list(item[:-cut])]
            with pytest.raises(ValueError, match=r"ostinato\._core: "):
                _core.Plan(len(PLAN.letters), list(PLAN.arrays), list(PLAN.constants), list(PLAN.sizes), items)


def integers(*numbers):
    return np.array(numbers, np.int64)


@pytest.mark.parametrize(
    ("counts", "sources", "order", "said"),
    [
        (integers(1, 2), integers(), integers(), "counts must be positive and never grow"),
        (integers(2, 0), integers(), integers(), "counts must be positive and never grow"),
        (integers(2, 1), integers(0, 1), integers(), "a source for each row"),
        (integers(2, 1), integers(), integers(0), "a place for each sequence"),
    ],
)
def test_rows_that_cannot_be_are_refused(counts, sources, order, said):
    with pytest.raises(ValueError, match=rf"ostinato\._core: {said}"):
        _core.Rows(counts, sources, order)


def test_levels_and_operations_that_are_not_there_are_refused():
    before, ones = _core.level(), np.ones(16, np.float32)
    with pytest.raises(ValueError, match=r"ostinato\._core: there is no level mmx"):
        _core.use_level("mmx")
    assert _core.level() == before
    with pytest.raises(ValueError, match=r"ostinato\._core: there is no operation cosh"):
        _core.evaluate("cosh", ones, ones, ones, ones)
    with pytest.raises(ValueError, match="a multiple of 16"):
        _core.evaluate("exp", ones[:3], ones[:3], ones[:3], ones[:3])
    with pytest.raises(ValueError, match="arrays of one size"):
        _core.evaluate("exp", np.ones(32, np.float32), ones, ones, ones)


def test_a_product_that_starts_from_another_width_is_refused():
    items = [[PRODUCTS, 0, 1, 0, 0, STARTS.index("array"), 1]]
    with pytest.raises(ValueError, match=r"ostinato\._core: a product starts from another width"):
        _core.Plan(2, [(LOCAL, 0, 0), (LOCAL, 1, 0)], [], [], items)
