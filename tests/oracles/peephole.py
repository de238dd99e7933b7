"""LSTM with peepholes (Gers et al. 2002), and that with coupled gates too, i = 1 - f (Greff et al. 2017).

i = σ(W_i x + b_i + R_i h + p_i c),  f the same,  c' = f c + i g,  o = σ(W_o x + b_o + R_o h + p_o c')
"""

import numpy as np

from .gates import gate_sum, gate_sum_backward, sigmoid
from .sequence import Oracle


def _step(w, x, s, in_name, forget_name, out_name):
    """Do a step with peepholes of the given names; without one for the input gate, that gate is 1 - f."""
    h, c_before = s["h"], s["c"]
    f = sigmoid(gate_sum(w, "f", x, h) + w[forget_name] * c_before)
    i = sigmoid(gate_sum(w, "i", x, h) + w[in_name] * c_before) if in_name else 1 - f
    g = np.tanh(gate_sum(w, "g", x, h))
    c = f * c_before + i * g
    o = sigmoid(gate_sum(w, "o", x, h) + w[out_name] * c)
    return {"h": o * np.tanh(c), "c": c}, (i, f, g, o, c)


def _step_backward(w, x, s, memory, d_new, gradients, in_name, forget_name, out_name):
    i, f, g, o, c = memory
    squashed = np.tanh(c)
    d_o = d_new["h"] * squashed * o * (1 - o)
    d_c = d_new["c"] + d_new["h"] * o * (1 - squashed**2) + d_o * w[out_name]
    d_i = d_c * g
    d_f = d_c * s["c"] - (0.0 if in_name else d_i)
    sums = {"f": d_f * f * (1 - f), "g": d_c * i * (1 - g**2), "o": d_o}
    d_c_before = d_c * f + sums["f"] * w[forget_name]
    gradients[out_name] += (d_o * c).sum(axis=0)
    gradients[forget_name] += (sums["f"] * s["c"]).sum(axis=0)
    if in_name:
        sums["i"] = d_i * i * (1 - i)
        d_c_before = d_c_before + sums["i"] * w[in_name]
        gradients[in_name] += (sums["i"] * s["c"]).sum(axis=0)
    below = [gate_sum_backward(w, gate, d, x, s["h"], gradients) for gate, d in sums.items()]
    return sum(d_x for d_x, _ in below), {"h": sum(d_h for _, d_h in below), "c": d_c_before}


def _with_peepholes(gates, in_name, forget_name, out_name):
    names = (in_name, forget_name, out_name)
    return Oracle(
        ("h", "c"),
        gates,
        lambda *given: _step(*given, *names),
        lambda *given: _step_backward(*given, *names),
        vectors=tuple(name for name in names if name),
    )


peephole = _with_peepholes(("f", "g", "o"), None, "p_f", "p_o")
peephole_lstm = _with_peepholes(("i", "f", "g", "o"), "p_pi", "p_pf", "p_po")
