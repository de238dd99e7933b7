"""The sLSTM of xLSTM (Beck et al. 2024), with exp as the input gate and the logistic function as the forget gate.

m' = max(log f + m, log i),  c' = exp(log f + m - m') c + exp(log i - m') z,  n' the same with 1 for z,
h' = o c' / n'
"""

import numpy as np

from .gates import gate_sum, gate_sum_backward, sigmoid
from .sequence import Oracle


def step(w, x, s):
    sums = {gate: gate_sum(w, gate, x, s["h"]) for gate in "ifzo"}
    z, o = np.tanh(sums["z"]), sigmoid(sums["o"])
    kept, added = np.log(sigmoid(sums["f"])) + s["m"], sums["i"]
    m = np.where(kept > added, kept, added)
    f, i = np.exp(kept - m), np.exp(added - m)
    c, n = f * s["c"] + i * z, f * s["n"] + i
    return {"h": o * c / n, "c": c, "n": n, "m": m}, (kept > added, sigmoid(sums["f"]), f, i, z, o, c, n)


def step_backward(w, x, s, memory, d_new, gradients):
    keeps, forget, f, i, z, o, c, n = memory
    d_c = d_new["c"] + d_new["h"] * o / n
    d_n = d_new["n"] - d_new["h"] * o * c / n**2
    d_f = (d_c * s["c"] + d_n * s["n"]) * f
    d_i = (d_c * z + d_n) * i
    # m stands in both exponents with a minus, and is one of them without.
    d_m = d_new["m"] - d_f - d_i
    d_kept = d_f + np.where(keeps, d_m, 0.0)
    d_sums = {
        "i": d_i + np.where(keeps, 0.0, d_m),
        "f": d_kept * (1 - forget),
        "z": d_c * i * (1 - z**2),
        "o": d_new["h"] * c / n * o * (1 - o),
    }
    below = [gate_sum_backward(w, gate, d, x, s["h"], gradients) for gate, d in d_sums.items()]
    d_s = {"h": sum(d_h for _, d_h in below), "c": d_c * f, "n": d_n * f, "m": d_kept}
    return sum(d_x for d_x, _ in below), d_s


slstm = Oracle(("h", "c", "n", "m"), ("i", "f", "z", "o"), step, step_backward, positive=("n",))
