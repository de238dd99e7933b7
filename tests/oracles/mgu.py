"""Minimal gated unit (Zhou et al. 2016): n = tanh(W x + b + R (f h)),  h' = (1 - f) h + f n."""

import numpy as np

from .gates import gate_sum, gate_sum_backward, sigmoid
from .sequence import Oracle


def step(w, x, s):
    f = sigmoid(gate_sum(w, "f", x, s["h"]))
    n = np.tanh(gate_sum(w, "n", x, f * s["h"]))
    return {"h": s["h"] + f * (n - s["h"])}, (f, n)


def step_backward(w, x, s, memory, d_new, gradients):
    (f, n), h, d_h = memory, s["h"], d_new["h"]
    d_x_n, d_reset = gate_sum_backward(w, "n", d_h * f * (1 - n**2), x, f * h, gradients)
    d_f = d_h * (n - h) + d_reset * h
    d_x_f, d_h_f = gate_sum_backward(w, "f", d_f * f * (1 - f), x, h, gradients)
    return d_x_n + d_x_f, {"h": d_h * (1 - f) + d_reset * f + d_h_f}


mgu = Oracle(("h",), ("f", "n"), step, step_backward)
