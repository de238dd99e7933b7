"""Long short-term memory: the plain form, and those with peepholes, coupled gates and a projected state."""

from .initialisers import bias
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


@cell(gates="i f g o", state="h c", vectors="pi pf po")
def peephole_lstm(x, R, s, p):
    """LSTM whose gates also see the cell: peepholes, one weight a unit (Gers et al. 2002).

    i = σ(W_i x + b_i + R_i h + p_i ⊙ c)    input gate
    f = σ(W_f x + b_f + R_f h + p_f ⊙ c)    forget gate
    g = tanh(W_g x + b_g + R_g h)           candidate
    c = f ⊙ c + i ⊙ g
    o = σ(W_o x + b_o + R_o h + p_o ⊙ c)    output gate, which sees the new c
    h = o ⊙ tanh(c)

    Both squashing functions are tanh: the "vanilla" LSTM of Greff et al. 2017. Gate order i f g o, as in `lstm`.
    """
    i = sigmoid(x.i + R.i(s.h) + p.pi * s.c)
    f = sigmoid(x.f + R.f(s.h) + p.pf * s.c)
    g = tanh(x.g + R.g(s.h))
    c = f * s.c + i * g
    o = sigmoid(x.o + R.o(s.h) + p.po * c)
    return o * tanh(c), c


@cell(gates="f g o", state="h c", init={"f": bias(1.0)})
def coupled_lstm(x, R, s):
    """LSTM whose input gate is what the forget gate leaves (Greff et al. 2017, "CIFG"), without peepholes.

    f = σ(W_f x + b_f + R_f h)      forget gate
    g = tanh(W_g x + b_g + R_g h)   candidate
    o = σ(W_o x + b_o + R_o h)      output gate
    c = f ⊙ c + (1 - f) ⊙ g
    h = o ⊙ tanh(c)

    Gate order f g o. The forget bias starts at 1, so that a new network forgets slowly.
    """
    f = sigmoid(x.f + R.f(s.h))
    g = tanh(x.g + R.g(s.h))
    o = sigmoid(x.o + R.o(s.h))
    c = f * s.c + (1 - f) * g
    return o * tanh(c), c


@cell(gates="i f g o", state="h[P] c", matrices="project[P,H]")
def projected_lstm(x, R, s, M):
    """LSTM with a projected output, P wide (Sak et al. 2014): that of torch.nn.LSTM(proj_size=P).

    i = σ(W_i x + b_i + R_i h)      input gate
    f = σ(W_f x + b_f + R_f h)      forget gate
    g = tanh(W_g x + b_g + R_g h)   candidate
    o = σ(W_o x + b_o + R_o h)      output gate
    c = f ⊙ c + i ⊙ g
    h = P (o ⊙ tanh(c))             P wide, without a bias

    The recurrent matrices are H × P. Sak's peepholes and second, non-recurrent projection are left out, as in
    torch. Gate order i f g o: that of torch.nn.LSTM. The layer gives P a size: ``widths={"P": 64}``.
    """
    i = sigmoid(x.i + R.i(s.h))
    f = sigmoid(x.f + R.f(s.h))
    g = tanh(x.g + R.g(s.h))
    o = sigmoid(x.o + R.o(s.h))
    c = f * s.c + i * g
    return M.project(o * tanh(c)), c
