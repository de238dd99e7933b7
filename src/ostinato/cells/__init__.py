"""The equations: the cells that come with Ostinato, a file a family, and the language they are written in."""

from ..errors import OptionError, closest
from .elman import elman, elman_relu, elman_sigmoid
from .gru import gru, gru_v1
from .initialisers import bias, constant, identity, normal, orthogonal, uniform
from .language import (
    Cell,
    cell,
    cos,
    exp,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    sin,
    softplus,
    sqrt,
    square,
    tanh,
    where,
)
from .lstm import lstm

CELLS: dict[str, Cell] = {c.name: c for c in (elman, elman_relu, elman_sigmoid, gru, gru_v1, lstm)}
"""The cells that come with Ostinato, by name."""


def find(cell: Cell | str) -> Cell:
    """Return a cell given itself or the name of one that comes with Ostinato.

    Raises OptionError for an unknown name.
    """
    if isinstance(cell, Cell):
        return cell
    if not isinstance(cell, str):
        raise OptionError(
            f"a cell or the name of one was expected, not a {type(cell).__name__}.",
            "decorate the function of its equations with ostinato.cells.cell.",
        )
    if cell not in CELLS:
        raise OptionError(f"there is no cell named {cell!r}.", closest(cell, CELLS))
    return CELLS[cell]


__all__ = [
    "CELLS",
    "Cell",
    "bias",
    "cell",
    "constant",
    "cos",
    "elman",
    "elman_relu",
    "elman_sigmoid",
    "exp",
    "find",
    "gru",
    "gru_v1",
    "identity",
    "log",
    "lstm",
    "maximum",
    "minimum",
    "normal",
    "orthogonal",
    "relu",
    "sigmoid",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "tanh",
    "uniform",
    "where",
]
