"""Gated recurrent units: the form of torch and cuDNN, the form of the paper, and the one with a single gate."""

from .language import cell, sigmoid, tanh


@cell(gates="r z n", state="h")
def gru(x, R, s):
    """Gated recurrent unit in the form of torch.nn.GRU and cuDNN: the reset gate acts after the product.

    r = σ(W_r x + b_r + R_r h)                  reset gate
    z = σ(W_z x + b_z + R_z h)                  update gate
    n = tanh(W_n x + b_n + r ⊙ (R_n h + d_n))   candidate; its product has a bias d of its own
    h = (1 - z) ⊙ n + z ⊙ h

    Cho et al. 2014 with that change (Keras: reset_after=True, ONNX: linear_before_reset=1). Gate
    order r z n: that of torch.nn.GRU.
    """
    r = sigmoid(x.r + R.r(s.h))
    z = sigmoid(x.z + R.z(s.h))
    n = tanh(x.n + r * R.n(s.h))
    return (1 - z) * n + z * s.h


@cell(gates="r z n", state="h")
def gru_v1(x, R, s):
    """Gated recurrent unit as Cho et al. 2014 published it: the reset gate acts before the product.

    r = σ(W_r x + b_r + R_r h)           reset gate
    z = σ(W_z x + b_z + R_z h)           update gate
    n = tanh(W_n x + b_n + R_n (r ⊙ h))  candidate
    h = (1 - z) ⊙ n + z ⊙ h

    z keeps the old state, as in the paper. Gate order r z n, as in `gru`.
    """
    r = sigmoid(x.r + R.r(s.h))
    z = sigmoid(x.z + R.z(s.h))
    n = tanh(x.n + R.n(r * s.h))
    return (1 - z) * n + z * s.h


@cell(gates="f n", state="h")
def mgu(x, R, s):
    """Minimal gated unit (Zhou et al. 2016): a GRU of which one gate both resets and updates.

    f = σ(W_f x + b_f + R_f h)           forget gate
    n = tanh(W_n x + b_n + R_n (f ⊙ h))  candidate
    h = (1 - f) ⊙ h + f ⊙ n

    f lets the candidate in, as in the paper; z in `gru` keeps the old state. Gate order f n.
    """
    f = sigmoid(x.f + R.f(s.h))
    n = tanh(x.n + R.n(f * s.h))
    return (1 - f) * s.h + f * n
