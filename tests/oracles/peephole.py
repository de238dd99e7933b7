"""LSTM with peepholes (Gers & Schmidhuber 2000) and coupled gates, i = 1 - f (Greff et al. 2017).

f = σ(W_f x + b_f + R_f h + p_f c),  c' = f c + (1 - f) g,  o = σ(W_o x + b_o + R_o h + p_o c')
"""

import numpy as np

from .gates import gate_sum, gate_sum_backward, sigmoid
from .sequence import Oracle


def step(w, x, s):
    h, c_before = s["h"], s["c"]
    f = sigmoid(gate_sum(w, "f", x, h) + w["p_f"] * c_before)
    g = np.tanh(gate_sum(w, "g", x, h))
    c = f * c_before + (1 - f) * g
    o = sigmoid(gate_sum(w, "o", x, h) + w["p_o"] * c)
    return {"h": o * np.tanh(c), "c": c}, (f, g, o, c)


def step_backward(w, x, s, memory, d_new, gradients):
    f, g, o, c = memory
    squashed = np.tanh(c)
    d_o = d_new["h"] * squashed * o * (1 - o)
    d_c = d_new["c"] + d_new["h"] * o * (1 - squashed**2) + d_o * w["p_o"]
    d_f = d_c * (s["c"] - g) * f * (1 - f)
    d_g = d_c * (1 - f) * (1 - g**2)
    gradients["p_o"] += (d_o * c).sum(axis=0)
    gradients["p_f"] += (d_f * s["c"]).sum(axis=0)
    sums = {"f": d_f, "g": d_g, "o": d_o}
    below = [gate_sum_backward(w, gate, d, x, s["h"], gradients) for gate, d in sums.items()]
    return sum(d_x for d_x, _ in below), {"h": sum(d_h for _, d_h in below), "c": d_c * f + d_f * w["p_f"]}


peephole = Oracle(("h", "c"), ("f", "g", "o"), step, step_backward, vectors=("p_f", "p_o"))
