"""Linear recurrent unit (Orvieto et al. 2023), in complex numbers: z' = λ z + γ (W x + b).

λ = exp(-exp(ν) + i exp(θ)),  γ = √(1 - |λ|²). The state is kept as the parts ``re`` and ``im`` of z.

A complex gradient is d_re + i d_im. So where v = λ z, that of z is conj(λ) d and that of λ is conj(z) d.
"""

import numpy as np

from .gates import input_sum, input_sum_backward
from .sequence import Oracle


def factors(w):
    """Return λ and γ."""
    rate = np.exp(w["p_nu_log"])
    return np.exp(-rate + 1j * np.exp(w["p_theta_log"])), np.sqrt(-np.expm1(-2 * rate))


def step(w, x, s):
    factor, gamma = factors(w)
    v = input_sum(w, "re", x) + 1j * input_sum(w, "im", x)
    z = factor * (s["re"] + 1j * s["im"]) + gamma * v
    return {"re": z.real, "im": z.imag}, v


def step_backward(w, x, s, v, d_new, gradients):
    (factor, gamma), z = factors(w), s["re"] + 1j * s["im"]
    d = d_new["re"] + 1j * d_new["im"]
    # λ d/dλ in the logarithm of λ, of which -exp(ν) is the real part and exp(θ) the imaginary one.
    d_log = (np.conj(factor * z) * d).sum(axis=0)
    d_gamma = (np.conj(v) * d).real.sum(axis=0)
    rate = np.exp(w["p_nu_log"])
    gradients["p_nu_log"] += rate * (d_gamma * np.exp(-2 * rate) / gamma - d_log.real)
    gradients["p_theta_log"] += np.exp(w["p_theta_log"]) * d_log.imag
    d_x = input_sum_backward(w, "re", gamma * d.real, x, gradients)
    d_x = d_x + input_sum_backward(w, "im", gamma * d.imag, x, gradients)
    d_z = np.conj(factor) * d
    return d_x, {"re": d_z.real, "im": d_z.imag}


lru = Oracle(
    ("re", "im"),
    ("re", "im"),
    step,
    step_backward,
    vectors=("p_nu_log", "p_theta_log"),
    recurrent=(),
    output=("re", "im"),
)
