"""Recurrences in float64 NumPy, written from their papers, with derivatives by hand.

They import nothing of what they judge, and no torch. An oracle's weights are a dict: ``W_<gate>``
[H, D], ``b_<gate>`` [H], ``R_<gate>`` [H, H], and what else its own file names. A state is a dict of
arrays [B, H].
"""

from .elman import elman, elman_relu, elman_sigmoid
from .gru import gru, gru_v1
from .lstm import lstm
from .peephole import peephole
from .sequence import Oracle, backpropagate, run

ORACLES = {
    "elman": elman,
    "elman_relu": elman_relu,
    "elman_sigmoid": elman_sigmoid,
    "gru": gru,
    "gru_v1": gru_v1,
    "lstm": lstm,
    "peephole": peephole,
}

__all__ = ["ORACLES", "Oracle", "backpropagate", "run"]
