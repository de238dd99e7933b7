"""The core's functions and operations: the bounds that `core/functions.h` states, at every level of this machine.

A sample; `core/tests/functions.cpp` takes as many arguments as there are.
"""

import numpy as np
import pytest

from ostinato import _core
from ostinato.engine.plan import OPCODES
from ostinato.program.operations import ELEMENTWISE

from ..program.programs import FORMULAS
from .problems import level
from .test_interpreters import arguments_of

ULPS = 4
NEAR_ZERO, ABSOLUTE = 1e-3, 2e-7
"""Closer than this to a zero other than 0, sine and cosine are bounded absolutely."""
LAST_REDUCED = 8192.0
TINY = np.finfo(np.float32).tiny


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


def softplus(x):
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "softplus": softplus,
    "sin": np.sin,
    "cos": np.cos,
}
FUSED = {
    "multiply_add": lambda a, b, c: a * b + c,
    "multiply_subtract": lambda a, b, c: a * b - c,
    "subtract_multiply": lambda a, b, c: c - a * b,
}
ALL = {name: np.vectorize(formula) for name, formula in FORMULAS.items()} | FUSED | {"copy": lambda a: a}


def evaluate(name, *given):
    """Return an operation of the core on arrays of any one size and type."""
    count, padded = given[0].size, -(-given[0].size // _core.PANEL) * _core.PANEL
    full = [np.concatenate([values, np.zeros(padded - count, values.dtype)]) for values in given]
    result = np.empty(padded, given[0].dtype)
    _core.evaluate(name, *(full + full[:1] * 2)[:3], result)
    return result[:count]


def some_floats():
    """Every 40,009th float, those around where something changes, and those around multiples of π/2."""
    bits = np.arange(0, 2**32, 40_009, dtype=np.uint64)
    turns = np.array(
        [1e-4, 1.0, 0.1732868, 0.3465736, 0.6931472, 0.7, 1.4, 9.1, 87.33654, 88.0, 88.72283, 103.972, 8192]
    )
    centres = np.concatenate([turns, np.arange(1, 5216) * np.pi / 2]).astype(np.float32).view(np.uint32)
    around = centres[:, None].astype(np.int64) + np.arange(-8, 9)
    near = around.ravel().astype(np.uint32).view(np.float32)
    return np.concatenate([bits.astype(np.uint32).view(np.float32), near, -near])


def share_of_bound(name, x, value):
    """Return the error as a part of what is allowed, wherever the exact result is a normal number of float32."""
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](x.astype(np.float64))
    normal = np.isfinite(exact) & (np.abs(exact) >= TINY) & (np.abs(exact) <= np.finfo(np.float32).max)
    x, value, exact = x[normal], value[normal].astype(np.float64), exact[normal]
    allowed = ULPS * np.exp2(np.floor(np.log2(np.abs(exact))) - 23)
    if name in ("sin", "cos"):
        near = (np.abs(x) > 1) & (np.abs(exact) < np.sin(NEAR_ZERO)) & (np.abs(x) <= LAST_REDUCED)
        allowed = np.where(near, ABSOLUTE, allowed)
    return np.abs(value - exact) / allowed


@pytest.fixture(params=_core.levels(), autouse=True)
def each_level(request):
    with level(request.param):
        yield


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_are_within_the_stated_bounds(name):
    x = some_floats()
    x = x[~np.isnan(x)]
    share = share_of_bound(name, x, evaluate(name, x))
    assert share.size > 1_000
    assert share.max() <= 1.0, f"{name}: {ULPS * share.max():.2f} ULP"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_larger_error_would_be_seen(name):
    x = some_floats()
    x = x[np.isfinite(x) & (np.abs(x) > 0.1) & (np.abs(x) < 1.0)]
    x = np.abs(x) if name == "log" else x
    value = evaluate(name, x).view(np.int32)
    for ulps in (-9, 9):
        assert share_of_bound(name, x, (value + ulps).view(np.float32)).min() > 1.0


SPECIAL = {
    "exp": [(-np.inf, 0.0), (np.inf, np.inf), (0.0, 1.0), (1e4, np.inf), (-1e4, 0.0)],
    "log": [(0.0, -np.inf), (-0.0, -np.inf), (1.0, 0.0), (np.inf, np.inf), (-1.0, np.nan)],
    "sigmoid": [(-np.inf, 0.0), (np.inf, 1.0), (0.0, 0.5)],
    "tanh": [(-np.inf, -1.0), (np.inf, 1.0), (0.0, 0.0), (-0.0, -0.0), (30.0, 1.0)],
    "softplus": [(-np.inf, 0.0), (np.inf, np.inf)],
    "sin": [(np.inf, np.nan), (0.0, 0.0), (-0.0, -0.0)],
    "cos": [(-np.inf, np.nan), (0.0, 1.0)],
}


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values_are_as_in_c(name, kind):
    given, expected = np.array([*SPECIAL[name], (np.nan, np.nan)], kind).T
    value = evaluate(name, np.ascontiguousarray(given))
    small = np.abs(value) < TINY
    np.testing.assert_array_equal(np.where(small, np.copysign(0, value), value), expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(value[numbers]), np.signbit(expected[numbers]))


def test_tanh_is_never_beyond_one():
    x = some_floats()
    assert np.abs(evaluate("tanh", x[~np.isnan(x)])).max() == 1.0


def as_mask(condition):
    """Return a condition as the core holds one: all bits of an element, or none."""
    return evaluate("greater", condition.astype(np.float64), np.zeros(condition.shape))


@pytest.mark.parametrize("name", OPCODES)
def test_every_operation_equals_its_formula_in_float64(name):
    if name in FUSED:
        given = list(np.random.default_rng(0).normal(size=(3, 100)))
    else:
        given = arguments_of("negate" if name == "copy" else name)
    actual = evaluate(name, *(as_mask(values) if values.dtype == bool else values for values in given))
    if name in ELEMENTWISE and ELEMENTWISE[name].yields_mask:
        actual = evaluate("where", actual, np.ones(actual.size), np.zeros(actual.size))
    expected = ALL[name](*given).astype(np.float64)
    assert actual.tolist() == pytest.approx(expected.tolist(), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 33, 48])
def test_a_value_does_not_depend_on_its_place(count):
    x = np.linspace(-3, 3, count, dtype=np.float32)
    for name in ("exp", "tanh", "sin"):
        alone = np.concatenate([evaluate(name, x[i : i + 1]) for i in range(count)])
        assert evaluate(name, x).tobytes() == alone.tobytes()
