"""LSTM with coupled gates, i = 1 - f, without peepholes (Greff et al. 2017): c' = f c + (1 - f) g."""

import numpy as np

from .gates import gate_sum, gate_sum_backward, sigmoid
from .sequence import Oracle


def step(w, x, s):
    f, o = (sigmoid(gate_sum(w, gate, x, s["h"])) for gate in "fo")
    g = np.tanh(gate_sum(w, "g", x, s["h"]))
    c = g + f * (s["c"] - g)
    return {"h": o * np.tanh(c), "c": c}, (f, g, o, c)


def step_backward(w, x, s, memory, d_new, gradients):
    f, g, o, c = memory
    squashed = np.tanh(c)
    d_c = d_new["c"] + d_new["h"] * o * (1 - squashed**2)
    d_sums = {
        "f": d_c * (s["c"] - g) * f * (1 - f),
        "g": d_c * (1 - f) * (1 - g**2),
        "o": d_new["h"] * squashed * o * (1 - o),
    }
    below = [gate_sum_backward(w, gate, d, x, s["h"], gradients) for gate, d in d_sums.items()]
    return sum(d_x for d_x, _ in below), {"h": sum(d_h for _, d_h in below), "c": d_c * f}


coupled_lstm = Oracle(("h", "c"), ("f", "g", "o"), step, step_backward)
