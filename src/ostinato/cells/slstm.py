"""The LSTM with exponential gates."""

from .initialisers import bias
from .language import cell, exp, maximum, sigmoid, softplus, tanh, where

_LEAST = 1e-30


@cell(gates="i f z o", state="h c n m", init={"f": bias(1.0)})
def slstm(x, R, s):
    """The sLSTM of xLSTM (Beck et al. 2024): an exponential input gate, a normaliser n and a stabiliser m.

    log_i = W_i x + b_i + R_i h           input gate, as a logarithm
    log_f = log σ(W_f x + b_f + R_f h)    forget gate, as a logarithm; of the paper's σ and exp, this is σ
    z = tanh(W_z x + b_z + R_z h)         candidate
    o = σ(W_o x + b_o + R_o h)            output gate
    m = max(log_f + s.m, log_i)           s.m is the m before this step
    i = exp(log_i - m)
    f = exp(log_f + s.m - m)
    c = f ⊙ c + i ⊙ z
    n = f ⊙ n + i
    h = o ⊙ c / n

    The state starts at zero, m too; h does not depend on where m starts. n is zero only before the first step,
    which adds i > 0 to it, so that dividing is safe; an i too small for a number gives h = 0 instead of 0 / 0.
    The paper's heads are the layer's ``heads=``. The authors spread the forget biases over the units; here they
    start at 1. Gate order i f z o.
    """
    log_i = x.i + R.i(s.h)
    log_f = -softplus(-(x.f + R.f(s.h)))
    z = tanh(x.z + R.z(s.h))
    o = sigmoid(x.o + R.o(s.h))
    m = maximum(log_f + s.m, log_i)
    i = exp(log_i - m)
    f = exp(log_f + s.m - m)
    c = f * s.c + i * z
    n = f * s.n + i
    return o * c / where(n < _LEAST, 1, n), c, n, m
