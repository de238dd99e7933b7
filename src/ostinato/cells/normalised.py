"""Cells with layer normalisation: every sum of a gate is centred and scaled over its units (Ba et al. 2016)."""

from .initialisers import constant
from .language import cell, layer_norm, sigmoid, tanh

_GRU = [f"{part}_{side}{gate}" for gate in "rzn" for side in "xh" for part in ("scale", "shift")]
_LSTM = [f"{part}_{side}{gate}" for gate in "ifgo" for side in "xh" for part in ("scale", "shift")]
_LSTM += ["scale_c", "shift_c"]


def _starts(vectors: list[str]) -> dict[str, constant]:
    """Every scale starts at 1 and every shift at 0."""
    return {name: constant(1.0 if name.startswith("scale") else 0.0) for name in vectors}


@cell(gates="i f g o", state="h c", vectors=" ".join(_LSTM), init=_starts(_LSTM))
def layer_norm_lstm(x, R, s, p):
    """LSTM with layer normalisation (Ba et al. 2016): of the input's and the state's products apart, and of c.

    i = σ(LN(W_i x + b_i) + LN(R_i h + d_i))      input gate
    f = σ(LN(W_f x + b_f) + LN(R_f h + d_f))      forget gate
    g = tanh(LN(W_g x + b_g) + LN(R_g h + d_g))   candidate
    o = σ(LN(W_o x + b_o) + LN(R_o h + d_o))      output gate
    c = f ⊙ c + i ⊙ g
    h = o ⊙ tanh(LN(c))

    Each LN has a scale and a shift of its own: `scale_xi` and `shift_xi` for i's input, `scale_hi` and `shift_hi`
    for its state, … `scale_c` and `shift_c` for c. Mean and variance are those of one gate's units, where the paper
    takes all four gates' together; the biases b and d inside LN are ours. Gate order i f g o, as in `lstm`.
    """
    i = sigmoid(layer_norm(x.i, p.scale_xi, p.shift_xi) + layer_norm(R.i(s.h), p.scale_hi, p.shift_hi))
    f = sigmoid(layer_norm(x.f, p.scale_xf, p.shift_xf) + layer_norm(R.f(s.h), p.scale_hf, p.shift_hf))
    g = tanh(layer_norm(x.g, p.scale_xg, p.shift_xg) + layer_norm(R.g(s.h), p.scale_hg, p.shift_hg))
    o = sigmoid(layer_norm(x.o, p.scale_xo, p.shift_xo) + layer_norm(R.o(s.h), p.scale_ho, p.shift_ho))
    c = f * s.c + i * g
    return o * tanh(layer_norm(c, p.scale_c, p.shift_c)), c


@cell(gates="r z n", state="h", vectors=" ".join(_GRU), init=_starts(_GRU))
def layer_norm_gru(x, R, s, p):
    """GRU with layer normalisation (Ba et al. 2016) of the input's and the state's products apart.

    r = σ(LN(W_r x + b_r) + LN(R_r h + d_r))          reset gate
    z = σ(LN(W_z x + b_z) + LN(R_z h + d_z))          update gate
    n = tanh(LN(W_n x + b_n) + r ⊙ LN(R_n h + d_n))   candidate
    h = (1 - z) ⊙ n + z ⊙ h

    Each LN has a scale and a shift of its own, named as in `layer_norm_lstm`, and takes one gate's units, where the
    paper takes those of r and z together; the biases b and d inside LN are ours. z keeps the old state, as in
    `gru`; the paper's lets the candidate in. Gate order r z n, as in `gru`.
    """
    r = sigmoid(layer_norm(x.r, p.scale_xr, p.shift_xr) + layer_norm(R.r(s.h), p.scale_hr, p.shift_hr))
    z = sigmoid(layer_norm(x.z, p.scale_xz, p.shift_xz) + layer_norm(R.z(s.h), p.scale_hz, p.shift_hz))
    n = tanh(layer_norm(x.n, p.scale_xn, p.shift_xn) + r * layer_norm(R.n(s.h), p.scale_hn, p.shift_hn))
    return (1 - z) * n + z * s.h
