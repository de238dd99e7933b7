"""Minimal gated networks in the plain form (Feng et al. 2024), whose gates see the input alone.

min_gru: h' = (1 - z) h + z n.  min_lstm: h' = (f h + i n) / (f + i).  n = W x + b
"""

from .gates import input_sum, input_sum_backward, sigmoid
from .sequence import Oracle


def step_gru(w, x, s):
    z, n = sigmoid(input_sum(w, "z", x)), input_sum(w, "n", x)
    return {"h": s["h"] + z * (n - s["h"])}, (z, n)


def step_backward_gru(w, x, s, memory, d_new, gradients):
    (z, n), d_h = memory, d_new["h"]
    d_z = d_h * (n - s["h"])
    d_x = input_sum_backward(w, "z", d_z * z * (1 - z), x, gradients)
    return d_x + input_sum_backward(w, "n", d_h * z, x, gradients), {"h": d_h * (1 - z)}


def step_lstm(w, x, s):
    f, i = (sigmoid(input_sum(w, gate, x)) for gate in "fi")
    n = input_sum(w, "n", x)
    return {"h": (f * s["h"] + i * n) / (f + i)}, (f, i, n)


def step_backward_lstm(w, x, s, memory, d_new, gradients):
    (f, i, n), d_h = memory, d_new["h"]
    both = f + i
    # The quotient rule: h' is f h + i n over f + i.
    d_f = d_h * i * (s["h"] - n) / both**2
    d_i = d_h * f * (n - s["h"]) / both**2
    sums = {"f": d_f * f * (1 - f), "i": d_i * i * (1 - i), "n": d_h * i / both}
    d_x = sum(input_sum_backward(w, gate, d, x, gradients) for gate, d in sums.items())
    return d_x, {"h": d_h * f / both}


min_gru = Oracle(("h",), ("z", "n"), step_gru, step_backward_gru, recurrent=())
min_lstm = Oracle(("h",), ("f", "i", "n"), step_lstm, step_backward_lstm, recurrent=())
