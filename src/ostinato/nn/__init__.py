"""torch modules: layers made from any cell, and the drop-ins for torch's own. Needs the extra ``[train]``."""

from ..extras import require

require("torch", "train")

# ruff: noqa: E402 - what is required comes first
from .drop_in import GRU, LSTM, RNN
from .drop_in_cells import GRUCell, LSTMCell, RNNCell
from .recurrent import Recurrent, detach

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell", "Recurrent", "detach"]
