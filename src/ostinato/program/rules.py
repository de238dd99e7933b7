"""The derivative of each operation: from the gradient of its result to that of each argument."""

from __future__ import annotations

from collections.abc import Callable

from .trace import Value, apply

Rule = Callable[["Use"], Value]


class Use:
    """One use of an operation in a program, with the gradient `d` of its result.

    Its arguments `a`, `b`, `c` and its `result` are asked for only where a rule needs them, since each may have to be
    kept from the forward pass.
    """

    def __init__(self, d: Value, arguments: tuple[int, ...], slot: int, value: Callable[[int], Value]) -> None:
        self.d = d
        self._arguments, self._slot, self._value = arguments, slot, value

    @property
    def a(self) -> Value:
        return self._value(self._arguments[0])

    @property
    def b(self) -> Value:
        return self._value(self._arguments[1])

    @property
    def result(self) -> Value:
        return self._value(self._slot)


def where(condition: Value, a: Value | float, b: Value | float) -> Value:
    """Choose a where the condition holds, else b."""
    return apply("where", condition, a, b)


def _same(use: Use) -> Value:
    return use.d


def _opposite(use: Use) -> Value:
    return -use.d


def _times_second(use: Use) -> Value:
    return use.d * use.b


def _times_first(use: Use) -> Value:
    return use.d * use.a


def _dividend(use: Use) -> Value:
    return use.d / use.b


def _divisor(use: Use) -> Value:
    return -(use.d / use.b * use.result)


def _chosen(use: Use) -> Value:
    return where(use.a, use.d, 0.0)


def _not_chosen(use: Use) -> Value:
    return where(use.a, 0.0, use.d)


def _larger(use: Use) -> Value:
    return where(use.a == use.b, 0.5 * use.d, where(use.a > use.b, use.d, 0.0))


def _smaller(use: Use) -> Value:
    return where(use.a == use.b, 0.5 * use.d, where(use.a > use.b, 0.0, use.d))


def _sigmoid(use: Use) -> Value:
    y = use.result
    return use.d * (y - y * y)


def _tanh(use: Use) -> Value:
    y = use.result
    return use.d * (1 - y * y)


def _relu(use: Use) -> Value:
    return where(use.result > 0, use.d, 0.0)


def _exp(use: Use) -> Value:
    return use.d * use.result


def _log(use: Use) -> Value:
    return use.d / use.a


def _softplus(use: Use) -> Value:
    return use.d * apply("sigmoid", use.a)


def _sqrt(use: Use) -> Value:
    return 0.5 * use.d / use.result


def _square(use: Use) -> Value:
    return 2 * use.d * use.a


def _abs(use: Use) -> Value:
    return where(use.a > 0, use.d, where(use.a < 0, -use.d, 0.0))


def _sin(use: Use) -> Value:
    return use.d * apply("cos", use.a)


def _cos(use: Use) -> Value:
    return -(use.d * apply("sin", use.a))


RULES: dict[tuple[str, int], Rule] = {
    ("add", 0): _same,
    ("add", 1): _same,
    ("subtract", 0): _same,
    ("subtract", 1): _opposite,
    ("multiply", 0): _times_second,
    ("multiply", 1): _times_first,
    ("divide", 0): _dividend,
    ("divide", 1): _divisor,
    ("negate", 0): _opposite,
    ("where", 1): _chosen,
    ("where", 2): _not_chosen,
    ("maximum", 0): _larger,
    ("maximum", 1): _smaller,
    ("minimum", 0): _smaller,
    ("minimum", 1): _larger,
    ("sigmoid", 0): _sigmoid,
    ("tanh", 0): _tanh,
    ("relu", 0): _relu,
    ("exp", 0): _exp,
    ("log", 0): _log,
    ("softplus", 0): _softplus,
    ("sqrt", 0): _sqrt,
    ("square", 0): _square,
    ("abs", 0): _abs,
    ("sin", 0): _sin,
    ("cos", 0): _cos,
    ("sum", 0): _same,
}
"""The rule for each operation and argument; comparisons, and the first argument of `where`, pass nothing on.

At corners: `relu` and `abs` give 0 at 0, equal arguments of `maximum` and `minimum` take half each. A `sum` gives each
unit the gradient of the row's number.
"""
