"""Long short-term memory."""

from .language import cell, sigmoid, tanh


@cell(gates="i f g o", state="h c")
def lstm(x, R, s):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), with the forget gate of Gers et al. 2000.

    i = σ(W_i x + b_i + R_i h)      input gate
    f = σ(W_f x + b_f + R_f h)      forget gate
    g = tanh(W_g x + b_g + R_g h)   candidate
    o = σ(W_o x + b_o + R_o h)      output gate
    c = f ⊙ c + i ⊙ g
    h = o ⊙ tanh(c)

    No peepholes. Gate order i f g o: that of torch.nn.LSTM. Biases start at zero: a forget bias of 1
    (Jozefowicz et al. 2015) keeps more from the start, and learned character text more slowly when
    measured here; a cell of your own says so with ``init={"f": bias(1.0)}``.
    """
    i = sigmoid(x.i + R.i(s.h))
    f = sigmoid(x.f + R.f(s.h))
    g = tanh(x.g + R.g(s.h))
    o = sigmoid(x.o + R.o(s.h))
    c = f * s.c + i * g
    h = o * tanh(c)
    return h, c
