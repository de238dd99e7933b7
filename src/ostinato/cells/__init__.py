"""The equations: the cells that come with Ostinato, a file a family, and the language they are written in."""

from ..errors import OptionError, closest
from .diagonal import lru, lru_block, rg_lru
from .elman import elman, elman_relu, elman_sigmoid, indrnn
from .gru import gru, gru_v1, mgu
from .initialisers import bias, constant, identity, normal, orthogonal, uniform
from .language import (
    Cell,
    cell,
    cos,
    exp,
    layer_norm,
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
from .lstm import coupled_lstm, lstm, peephole_lstm, projected_lstm
from .minimal import min_gru, min_lstm
from .normalised import layer_norm_gru, layer_norm_lstm
from .slstm import slstm

CELLS: dict[str, Cell] = {
    c.name: c
    for c in (
        *(elman, elman_relu, elman_sigmoid, indrnn),
        *(gru, gru_v1, mgu, layer_norm_gru),
        *(lstm, peephole_lstm, coupled_lstm, projected_lstm, layer_norm_lstm, slstm),
        *(min_gru, min_lstm, lru, lru_block, rg_lru),
    )
}
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
    "coupled_lstm",
    "elman",
    "elman_relu",
    "elman_sigmoid",
    "exp",
    "find",
    "gru",
    "gru_v1",
    "identity",
    "indrnn",
    "layer_norm",
    "layer_norm_gru",
    "layer_norm_lstm",
    "log",
    "lru",
    "lru_block",
    "lstm",
    "maximum",
    "mgu",
    "min_gru",
    "min_lstm",
    "minimum",
    "normal",
    "orthogonal",
    "peephole_lstm",
    "projected_lstm",
    "relu",
    "rg_lru",
    "sigmoid",
    "sin",
    "slstm",
    "softplus",
    "sqrt",
    "square",
    "tanh",
    "uniform",
    "where",
]
