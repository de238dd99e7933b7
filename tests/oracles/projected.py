"""LSTM whose output is projected (Sak et al. 2014), without peepholes: h' = P (o tanh(c')).

The state h is as wide as P has rows; the projection is named ``M_project`` [P, H].
"""

from .lstm import lstm
from .sequence import Oracle


def step(w, x, s):
    new, memory = lstm.step(w, x, s)
    return {"h": new["h"] @ w["M_project"].T, "c": new["c"]}, (new["h"], memory)


def step_backward(w, x, s, memory, d_new, gradients):
    wide, below = memory
    gradients["M_project"] += d_new["h"].T @ wide
    return lstm.step_backward(w, x, s, below, {"h": d_new["h"] @ w["M_project"], "c": d_new["c"]}, gradients)


projected_lstm = Oracle(
    ("h", "c"),
    ("i", "f", "g", "o"),
    step,
    step_backward,
    matrices=(("M_project", "P", "H"),),
    projected=("h",),
)
