"""Cells that do not come with Ostinato, each for a part of the language that those do not use."""

from ostinato.cells import bias, cell, constant, cos, exp, sigmoid, sin, softplus, tanh, uniform, where


@cell(gates="f g o", state="h c", vectors="f_peep o_peep", init={"f": bias(1.0)})
def peephole(x, R, s, p):
    """LSTM with peepholes and coupled gates: learned vectors."""
    f = sigmoid(x.f + R.f(s.h) + p.f_peep * s.c)
    c = f * s.c + (1 - f) * tanh(x.g + R.g(s.h))
    o = sigmoid(x.o + R.o(s.h) + p.o_peep * c)
    return o * tanh(c), c


@cell(gates="u", state="re im", vectors="angle decay", output="re im", init={"decay": constant(-1.0)})
def rotation(x, s, p):
    """A linear recurrence that turns and shrinks a plane: joined output, no recurrent matrix."""
    size = exp(-softplus(p.decay))
    re = size * (cos(p.angle) * s.re - sin(p.angle) * s.im) + x.u
    im = size * (sin(p.angle) * s.re + cos(p.angle) * s.im)
    return re, im


@cell(gates="z", state="h", vectors="keep", init={"keep": uniform(0.5, 0.9)})
def leaky(x, R, s, p):
    """Reads the input itself, and chooses by a comparison."""
    product = R.z(s.h)
    return where(product > 0.1, p.keep * s.h + (1 - p.keep) * x.raw, x.raw * sigmoid(x.z + product))


@cell(gates="a", state="h seen fixed", vectors="level")
def odd_places(x, R, s, p):
    """New states that depend on the input alone, and on parameters alone."""
    return tanh(x.a + R.a(s.h) + s.seen * s.fixed), tanh(x.a), tanh(p.level) * 2


@cell(gates="f g", state="h c", matrices="mix[H,H]")
def shared(x, R, s, M):
    """One matrix multiplies two states, and two matrices one: gradients that are added up, and some that are not."""
    f = sigmoid(x.f + R.f(s.h) + R.f(s.c) + M.mix(s.h))
    c = f * s.c + (1 - f) * tanh(x.g + R.g(f * s.h) + M.mix(s.c))
    return tanh(c), c


EXAMPLES = {c.name: c for c in (peephole, rotation, leaky, odd_places, shared)}
