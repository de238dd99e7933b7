"""Long short-term memory with a forget gate (Gers et al. 2000), without peepholes.

c' = f c + i g,  h' = o tanh(c')
"""

import numpy as np

from .gates import gate_sum, gate_sum_backward, sigmoid
from .sequence import Oracle


def step(w, x, s):
    i, f, o = (sigmoid(gate_sum(w, gate, x, s["h"])) for gate in "ifo")
    g = np.tanh(gate_sum(w, "g", x, s["h"]))
    c = f * s["c"] + i * g
    return {"h": o * np.tanh(c), "c": c}, (i, f, g, o, c)


def step_backward(w, x, s, memory, d_new, gradients):
    i, f, g, o, c = memory
    d_h, squashed = d_new["h"], np.tanh(c)
    d_c = d_new["c"] + d_h * o * (1 - squashed**2)
    d_sums = {
        "i": d_c * g * i * (1 - i),
        "f": d_c * s["c"] * f * (1 - f),
        "g": d_c * i * (1 - g**2),
        "o": d_h * squashed * o * (1 - o),
    }
    below = [gate_sum_backward(w, gate, d, x, s["h"], gradients) for gate, d in d_sums.items()]
    return sum(d_x for d_x, _ in below), {"h": sum(d_h for _, d_h in below), "c": d_c * f}


lstm = Oracle(("h", "c"), ("i", "f", "g", "o"), step, step_backward)
