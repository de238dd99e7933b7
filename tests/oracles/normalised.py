"""LSTM and GRU with layer normalisation (Ba et al. 2016), gate by gate: LN(W x + b) + LN(R h + d).

LN(v) = scale (v - mean) / √(variance + 1e-5) + shift, over the units of a row. A gate's scale and shift are named
``p_scale_x<gate>`` for the input's product and ``p_scale_h<gate>`` for the state's; d is named ``d_<gate>``.
"""

import numpy as np

from .gates import input_sum, input_sum_backward, sigmoid
from .sequence import Oracle


def _norm(w, name, v):
    """Return LN(v), and the normalised values with the deviation, for `_norm_backward`."""
    deviation = np.sqrt(v.var(axis=1, keepdims=True) + 1e-5)
    normalised = (v - v.mean(axis=1, keepdims=True)) / deviation
    return w[f"p_scale_{name}"] * normalised + w[f"p_shift_{name}"], (normalised, deviation)


def _norm_backward(w, name, memory, d, gradients):
    normalised, deviation = memory
    gradients[f"p_scale_{name}"] += (d * normalised).sum(axis=0)
    gradients[f"p_shift_{name}"] += d.sum(axis=0)
    d = d * w[f"p_scale_{name}"]
    along = (d * normalised).mean(axis=1, keepdims=True)
    return (d - d.mean(axis=1, keepdims=True) - normalised * along) / deviation


def _parts(w, gate, x, h):
    """Return LN of the input's and of the state's product, and what to remember."""
    from_x, memory_x = _norm(w, f"x{gate}", input_sum(w, gate, x))
    from_h, memory_h = _norm(w, f"h{gate}", h @ w[f"R_{gate}"].T + w[f"d_{gate}"])
    return from_x, from_h, (memory_x, memory_h)


def _parts_backward(w, gate, memory, d_from_x, d_from_h, x, h, gradients):
    """Add the weights' gradients, given those of the two parts; return those of x and h."""
    memory_x, memory_h = memory
    d_product = _norm_backward(w, f"h{gate}", memory_h, d_from_h, gradients)
    gradients[f"R_{gate}"] += d_product.T @ h
    gradients[f"d_{gate}"] += d_product.sum(axis=0)
    d_sum = _norm_backward(w, f"x{gate}", memory_x, d_from_x, gradients)
    return input_sum_backward(w, gate, d_sum, x, gradients), d_product @ w[f"R_{gate}"]


def step_lstm(w, x, s):
    parts = {gate: _parts(w, gate, x, s["h"]) for gate in "ifgo"}
    i, f, o = (sigmoid(parts[gate][0] + parts[gate][1]) for gate in "ifo")
    g = np.tanh(parts["g"][0] + parts["g"][1])
    c = f * s["c"] + i * g
    level, memory_c = _norm(w, "c", c)
    memories = {gate: memory for gate, (_, _, memory) in parts.items()}
    return {"h": o * np.tanh(level), "c": c}, (i, f, g, o, np.tanh(level), memory_c, memories)


def step_backward_lstm(w, x, s, memory, d_new, gradients):
    i, f, g, o, squashed, memory_c, memories = memory
    d_level = d_new["h"] * o * (1 - squashed**2)
    d_c = d_new["c"] + _norm_backward(w, "c", memory_c, d_level, gradients)
    d_sums = {
        "i": d_c * g * i * (1 - i),
        "f": d_c * s["c"] * f * (1 - f),
        "g": d_c * i * (1 - g**2),
        "o": d_new["h"] * squashed * o * (1 - o),
    }
    below = [_parts_backward(w, gate, memories[gate], d, d, x, s["h"], gradients) for gate, d in d_sums.items()]
    return sum(d_x for d_x, _ in below), {"h": sum(d_h for _, d_h in below), "c": d_c * f}


def step_gru(w, x, s):
    parts = {gate: _parts(w, gate, x, s["h"]) for gate in "rzn"}
    r, z = (sigmoid(parts[gate][0] + parts[gate][1]) for gate in "rz")
    n = np.tanh(parts["n"][0] + r * parts["n"][1])
    memories = {gate: memory for gate, (_, _, memory) in parts.items()}
    return {"h": (1 - z) * n + z * s["h"]}, (r, z, n, parts["n"][1], memories)


def step_backward_gru(w, x, s, memory, d_new, gradients):
    (r, z, n, held, memories), d_h = memory, d_new["h"]
    d_n = d_h * (1 - z) * (1 - n**2)
    d_sums = {
        "r": (d_n * held * r * (1 - r),) * 2,
        "z": (d_h * (s["h"] - n) * z * (1 - z),) * 2,
        "n": (d_n, d_n * r),
    }
    below = [_parts_backward(w, gate, memories[gate], *d, x, s["h"], gradients) for gate, d in d_sums.items()]
    return sum(d_x for d_x, _ in below), {"h": sum(d_below for _, d_below in below) + d_h * z}


def _vectors(gates):
    parts = [f"{side}{gate}" for gate in gates for side in "xh"]
    return tuple(f"d_{gate}" for gate in gates) + tuple(f"p_{kind}_{part}" for part in parts for kind in KINDS)


KINDS = ("scale", "shift")
layer_norm_lstm = Oracle(
    ("h", "c"),
    ("i", "f", "g", "o"),
    step_lstm,
    step_backward_lstm,
    vectors=(*_vectors("ifgo"), "p_scale_c", "p_shift_c"),
)
layer_norm_gru = Oracle(("h",), ("r", "z", "n"), step_gru, step_backward_gru, vectors=_vectors("rzn"))
