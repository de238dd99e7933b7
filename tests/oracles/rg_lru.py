"""Real-gated linear recurrent unit of Griffin (De et al. 2024): h' = a h + √(1 - a²) (i x).

a = exp(-8 r log(1 + exp(Λ))), with gates r and i of x alone, and Λ named ``p_decay``.
"""

import numpy as np

from .gates import input_sum, input_sum_backward, sigmoid
from .sequence import Oracle


def step(w, x, s):
    r, i = (sigmoid(input_sum(w, gate, x)) for gate in "ri")
    log_a = -8 * r * np.log1p(np.exp(w["p_decay"]))
    a, root = np.exp(log_a), np.sqrt(-np.expm1(2 * log_a))
    return {"h": a * s["h"] + root * i * x}, (r, i, a, root)


def step_backward(w, x, s, memory, d_new, gradients):
    (r, i, a, root), d_h = memory, d_new["h"]
    d_log_a = d_h * (a * s["h"] - a**2 / root * i * x)
    gradients["p_decay"] += (d_log_a * -8 * r * sigmoid(w["p_decay"])).sum(axis=0)
    d_r = d_log_a * -8 * np.log1p(np.exp(w["p_decay"]))
    d_x = d_h * root * i
    d_x = d_x + input_sum_backward(w, "r", d_r * r * (1 - r), x, gradients)
    d_x = d_x + input_sum_backward(w, "i", d_h * root * x * i * (1 - i), x, gradients)
    return d_x, {"h": d_h * a}


rg_lru = Oracle(("h",), ("r", "i"), step, step_backward, vectors=("p_decay",), recurrent=(), takes_raw_input=True)
