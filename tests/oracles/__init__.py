"""Recurrences in float64 NumPy, written from their papers, with derivatives by hand.

They import nothing of what they judge, and no torch. An oracle's weights are a dict: ``W_<gate>``
[H, D], ``b_<gate>`` [H], ``R_<gate>`` [H, H], ``p_<vector>`` [H], and what else its own file names. A state
is a dict of arrays [B, H].
"""

from .coupled import coupled_lstm
from .elman import elman, elman_relu, elman_sigmoid
from .gru import gru, gru_v1
from .indrnn import indrnn
from .lru import lru
from .lru_block import lru_block
from .lstm import lstm
from .mgu import mgu
from .minimal import min_gru, min_lstm
from .normalised import layer_norm_gru, layer_norm_lstm
from .peephole import peephole, peephole_lstm
from .projected import projected_lstm
from .rg_lru import rg_lru
from .sequence import Oracle, backpropagate, run, widths
from .slstm import slstm

ORACLES = {
    "elman": elman,
    "elman_relu": elman_relu,
    "elman_sigmoid": elman_sigmoid,
    "indrnn": indrnn,
    "gru": gru,
    "gru_v1": gru_v1,
    "mgu": mgu,
    "layer_norm_gru": layer_norm_gru,
    "lstm": lstm,
    "peephole": peephole,
    "peephole_lstm": peephole_lstm,
    "coupled_lstm": coupled_lstm,
    "projected_lstm": projected_lstm,
    "layer_norm_lstm": layer_norm_lstm,
    "slstm": slstm,
    "min_gru": min_gru,
    "min_lstm": min_lstm,
    "lru": lru,
    "lru_block": lru_block,
    "rg_lru": rg_lru,
}

__all__ = ["ORACLES", "Oracle", "backpropagate", "run", "widths"]
