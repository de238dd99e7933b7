"""The simple recurrent network: h' = f(W x + b + R h) (Elman 1990)."""

import numpy as np

from .gates import gate_sum, gate_sum_backward, sigmoid
from .sequence import Oracle


def _simple(f, derivative_from_output):
    def step(w, x, s):
        h = f(gate_sum(w, "h", x, s["h"]))
        return {"h": h}, h

    def step_backward(w, x, s, h, d_new, gradients):
        d_sum = d_new["h"] * derivative_from_output(h)
        d_x, d_h = gate_sum_backward(w, "h", d_sum, x, s["h"], gradients)
        return d_x, {"h": d_h}

    return Oracle(("h",), ("h",), step, step_backward)


elman = _simple(np.tanh, lambda h: 1 - h**2)
elman_relu = _simple(lambda a: np.where(a > 0, a, 0.0), lambda h: np.where(h > 0, 1.0, 0.0))
elman_sigmoid = _simple(sigmoid, lambda h: h * (1 - h))
