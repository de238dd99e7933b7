"""Gated recurrent units (Cho et al. 2014): h' = (1 - z) n + z h.

gru_v1, the paper's: n = tanh(W x + b + R (r h)). gru, that of cuDNN: n = tanh(W x + b + r (R h + d)),
with d named ``d_n``.
"""

import numpy as np

from .gates import gate_sum, gate_sum_backward, sigmoid
from .sequence import Oracle


def _mix(s, r, z, n):
    h = (1 - z) * n + z * s["h"]
    return {"h": h}, (r, z, n)


def _gates_backward(w, x, h, memory, d_h, d_r, gradients):
    """Go back through r and z; return the gradients of x and h that come from there and from z h."""
    r, z, n = memory
    d_z = d_h * (h - n)
    from_r = gate_sum_backward(w, "r", d_r * r * (1 - r), x, h, gradients)
    from_z = gate_sum_backward(w, "z", d_z * z * (1 - z), x, h, gradients)
    return from_r[0] + from_z[0], from_r[1] + from_z[1] + d_h * z


def step(w, x, s):
    r, z = (sigmoid(gate_sum(w, gate, x, s["h"])) for gate in "rz")
    n = np.tanh(x @ w["W_n"].T + w["b_n"] + r * (s["h"] @ w["R_n"].T + w["d_n"]))
    return _mix(s, r, z, n)


def step_backward(w, x, s, memory, d_new, gradients):
    (r, z, n), h, d_h = memory, s["h"], d_new["h"]
    d_n = d_h * (1 - z) * (1 - n**2)
    d_product = d_n * r
    d_x, d_s = _gates_backward(w, x, h, memory, d_h, d_n * (h @ w["R_n"].T + w["d_n"]), gradients)
    gradients["W_n"] += d_n.T @ x
    gradients["b_n"] += d_n.sum(axis=0)
    gradients["R_n"] += d_product.T @ h
    gradients["d_n"] += d_product.sum(axis=0)
    return d_x + d_n @ w["W_n"], {"h": d_s + d_product @ w["R_n"]}


def step_v1(w, x, s):
    r, z = (sigmoid(gate_sum(w, gate, x, s["h"])) for gate in "rz")
    return _mix(s, r, z, np.tanh(gate_sum(w, "n", x, r * s["h"])))


def step_backward_v1(w, x, s, memory, d_new, gradients):
    (r, z, n), h, d_h = memory, s["h"], d_new["h"]
    d_n = d_h * (1 - z) * (1 - n**2)
    d_x_n, d_held = gate_sum_backward(w, "n", d_n, x, r * h, gradients)
    d_x, d_s = _gates_backward(w, x, h, memory, d_h, d_held * h, gradients)
    return d_x + d_x_n, {"h": d_s + d_held * r}


gru = Oracle(("h",), ("r", "z", "n"), step, step_backward, vectors=("d_n",))
gru_v1 = Oracle(("h",), ("r", "z", "n"), step_v1, step_backward_v1)
