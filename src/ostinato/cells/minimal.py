"""Minimal gated networks: the gates see the input alone, so that the recurrence is linear in the state."""

from .language import cell, sigmoid, softplus


@cell(gates="z n", state="h")
def min_gru(x, s):
    """Minimal GRU (Feng et al. 2024), the plain form.

    z = σ(W_z x + b_z)    update gate
    n = W_n x + b_n       candidate
    h = (1 - z) ⊙ h + z ⊙ n

    The paper's log-space form, which keeps n and h positive for the sake of a parallel scan, is another function.
    z lets the candidate in, as in the paper. Gate order z n.
    """
    z = sigmoid(x.z)
    return (1 - z) * s.h + z * x.n


@cell(gates="f i n", state="h")
def min_lstm(x, s):
    """Minimal LSTM with gates that add up to one (Feng et al. 2024), the plain form.

    f = σ(W_f x + b_f)    forget gate
    i = σ(W_i x + b_i)    input gate
    n = W_n x + b_n       candidate
    h = f / (f + i) ⊙ h + i / (f + i) ⊙ n

    f / (f + i) is computed as σ(log f - log i), which is the same and never 0 / 0. The paper's log-space form is
    another function, as in `min_gru`. Gate order f i n.
    """
    kept = sigmoid(softplus(-x.i) - softplus(-x.f))
    return kept * s.h + (1 - kept) * x.n
