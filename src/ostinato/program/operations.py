"""The operations that a program may hold: their names, how many arguments they take, how they print.

Every interpreter has one entry for each name in `ELEMENTWISE` (a test holds them to it).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Operation:
    """An elementwise operation. `text` is its printed form, with one ``{}`` an argument."""

    name: str
    arity: int
    text: str
    yields_mask: bool = False
    takes_mask: bool = False


def _function(name: str, arity: int = 1, takes_mask: bool = False) -> Operation:
    return Operation(name, arity, f"{name}({', '.join(['{}'] * arity)})", takes_mask=takes_mask)


ELEMENTWISE: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("add", 2, "{} + {}"),
        Operation("subtract", 2, "{} - {}"),
        Operation("multiply", 2, "{} * {}"),
        Operation("divide", 2, "{} / {}"),
        Operation("negate", 1, "-{}"),
        Operation("less", 2, "{} < {}", yields_mask=True),
        Operation("less_equal", 2, "{} <= {}", yields_mask=True),
        Operation("greater", 2, "{} > {}", yields_mask=True),
        Operation("greater_equal", 2, "{} >= {}", yields_mask=True),
        Operation("equal", 2, "{} == {}", yields_mask=True),
        Operation("not_equal", 2, "{} != {}", yields_mask=True),
        _function("where", 3, takes_mask=True),
        *map(_function, ("sigmoid", "tanh", "relu", "exp", "log", "softplus", "sqrt", "square", "abs")),
        *map(_function, ("sin", "cos")),
        _function("maximum", 2),
        _function("minimum", 2),
    )
}
"""Elementwise operations by name. `relu` is max(v, 0), `softplus` log(1 + exp v), `where` takes a comparison first."""

SOURCES = ("input", "raw", "state", "vector", "constant", "size", "stream")
"""Where values come from: ``x.<gate>``, ``x.raw``, ``s.<state>``, ``p.<vector>``, numbers, the number of units of a
width (``size(H)``), and streams: values that come with each step beside the input, and have no weight."""

PRODUCTS = ("recurrent", "matrix")
"""Matrix products: ``R.<gate>(v)`` and ``M.<matrix>(v)``."""

REDUCTIONS = ("sum",)
"""From a vector to one number a row: `sum` adds up its units."""
