"""A residual block around a linear recurrent unit: z' = λ z + γ W u, y = x + (Re(C z') + skip u) σ(Re(G z') + b).

u = LN(x). W = in_re + i in_im, C = out_re - i out_im, G = gate_re - i gate_im: complex matrices, of whose products with
z the real part counts. λ and γ: as `lru` has them. The states are y and the parts of z, of which y is never read.
"""

import numpy as np

from .gates import sigmoid
from .lru import factors
from .sequence import Oracle


def step(w, x, s):
    factor, gamma = factors(w)
    deviation = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    normalised = (x - x.mean(axis=1, keepdims=True)) / deviation
    u = w["p_scale"] * normalised + w["p_shift"]
    v = u @ (w["M_in_re"] + 1j * w["M_in_im"]).T
    z = factor * (s["re"] + 1j * s["im"]) + gamma * v
    value = (z @ (w["M_out_re"] - 1j * w["M_out_im"]).T).real + w["p_skip"] * u
    gate = sigmoid((z @ (w["M_gate_re"] - 1j * w["M_gate_im"]).T).real + w["p_gate_shift"])
    return {"y": x + value * gate, "re": z.real, "im": z.imag}, (deviation, normalised, u, v, z, value, gate)


def step_backward(w, x, s, memory, d_new, gradients):
    deviation, normalised, u, v, z_new, value, gate = memory
    (factor, gamma), z = factors(w), s["re"] + 1j * s["im"]
    d_value = d_new["y"] * gate
    d_sum = d_new["y"] * value * gate * (1 - gate)
    d = d_new["re"] + 1j * d_new["im"]
    for name, d_out in (("out", d_value), ("gate", d_sum)):
        # Re((a - i b) z) = a re + b im
        d = d + d_out @ (w[f"M_{name}_re"] + 1j * w[f"M_{name}_im"])
        gradients[f"M_{name}_re"] += d_out.T @ z_new.real
        gradients[f"M_{name}_im"] += d_out.T @ z_new.imag
    gradients["p_gate_shift"] += d_sum.sum(axis=0)
    gradients["p_skip"] += (d_value * u).sum(axis=0)
    d_log = (np.conj(factor * z) * d).sum(axis=0)
    d_gamma = (np.conj(v) * d).real.sum(axis=0)
    rate = np.exp(w["p_nu_log"])
    gradients["p_nu_log"] += rate * (d_gamma * np.exp(-2 * rate) / gamma - d_log.real)
    gradients["p_theta_log"] += np.exp(w["p_theta_log"]) * d_log.imag
    d_v = gamma * d
    gradients["M_in_re"] += d_v.real.T @ u
    gradients["M_in_im"] += d_v.imag.T @ u
    d_u = d_v.real @ w["M_in_re"] + d_v.imag @ w["M_in_im"] + d_value * w["p_skip"]
    gradients["p_scale"] += (d_u * normalised).sum(axis=0)
    gradients["p_shift"] += d_u.sum(axis=0)
    d_normal = d_u * w["p_scale"]
    along = (d_normal * normalised).mean(axis=1, keepdims=True)
    d_x = d_new["y"] + (d_normal - d_normal.mean(axis=1, keepdims=True) - normalised * along) / deviation
    d_z = np.conj(factor) * d
    return d_x, {"y": np.zeros_like(s["y"]), "re": d_z.real, "im": d_z.imag}


lru_block = Oracle(
    ("y", "re", "im"),
    (),
    step,
    step_backward,
    vectors=("p_scale", "p_shift", "p_nu_log", "p_theta_log", "p_skip", "p_gate_shift"),
    recurrent=(),
    matrices=tuple((f"M_{name}_{part}", "H", "H") for name in ("in", "out", "gate") for part in ("re", "im")),
    output=("y",),
    takes_raw_input=True,
)
