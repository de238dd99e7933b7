"""Linear recurrent units: each unit of the state is multiplied by a number of its own, and the input added."""

import math
from typing import Any

from ..program.trace import Value
from .initialisers import constant, uniform
from .language import cell, cos, exp, layer_norm, maximum, sigmoid, sin, softplus, sqrt, tanh

SLOWEST, FASTEST = 0.999, 0.9
"""Where decays start: they keep 1/e of the past for about 1,000 and 10 steps."""
SHARPNESS = 8.0
"""c of De et al. 2024: how far the gate r can move a decay."""
_FLOOR = 1e-12


def _root_of_loss(rate: Value) -> Value:
    """√(1 - exp(-2 rate)), for rate ≥ 0: what keeps the state's size as exp(-rate) shrinks it.

    1 - exp(-2v) = 2 tanh(v) / (1 + tanh(v)), which keeps every digit of a small v. Below the floor, √ would have a
    derivative without bound.
    """
    t = tanh(rate)
    return sqrt(maximum(2 * t / (1 + t), _FLOOR))


def _turn(p: Any) -> tuple[Value, Value, Value]:
    """Return the real and the imaginary part of λ, and γ, of `lru`."""
    rate, angle = exp(p.nu_log), exp(p.theta_log)
    size = exp(-rate)
    return size * cos(angle), size * sin(angle), _root_of_loss(rate)


@cell(
    gates="re im",
    state="re im",
    vectors="nu_log theta_log",
    output="re im",
    init={
        "nu_log": uniform(math.log(-math.log(SLOWEST)), math.log(-math.log(FASTEST))),
        "theta_log": uniform(math.log(math.pi / 1000), math.log(math.pi)),
    },
)
def lru(x, s, p):
    """Linear recurrent unit (Orvieto et al. 2023): a complex number a unit, which turns and shrinks.

    h = λ ⊙ h + γ ⊙ (W x + b),   h = re + i im,   W = W_re + i W_im,   b = b_re + i b_im
    λ = exp(-exp(ν_log) + i exp(θ_log)),   γ = √(1 - |λ|²)

    Written out in the real and the imaginary part; the output is both, 2 H wide, and what reads it stands for the
    paper's C and D. γ follows |λ|, where the paper learns it from this start; b is ours (``bias=False`` has none).

    |λ| starts in 0.9 … 0.999 and the angle in π/1000 … π, a half turn, as its other half mirrors it. The logarithms
    are even there: as many units for each span of memory, where the paper is even over the area of the ring. Gate
    order re im.
    """
    along, across, gamma = _turn(p)
    re = along * s.re - across * s.im + gamma * x.re
    im = across * s.re + along * s.im + gamma * x.im
    return re, im


@cell(
    state="y re im",
    vectors="scale shift nu_log theta_log skip gate_shift",
    matrices="in_re[H,H] in_im[H,H] out_re[H,H] out_im[H,H] gate_re[H,H] gate_im[H,H]",
    init=dict(lru.init)
    | {"scale": constant(1.0), "shift": constant(0.0), "skip": constant(1.0), "gate_shift": constant(0.0)},
)
def lru_block(x, s, p, M):
    """A residual block around a linear recurrent unit, as deep stacks of it are built (Orvieto et al. 2023).

    u = LN(x)                                             with a scale and a shift
    h = λ ⊙ h + γ ⊙ W u                                   as `lru`: h = re + i im, W = in_re + i in_im
    v = out_re re + out_im im + skip ⊙ u                  the paper's C and D, over real numbers
    y = x + v ⊙ σ(gate_re re + gate_im im + gate_shift)    a gated linear unit, and the input again

    A stack of `lru` by itself is one linear map; this one has what lies between in the cell, so that layers can be
    stacked, streamed and saved as any others. The gate reads h itself, where the paper's reads what a non-linear v
    gives, and there is no dropout. The input itself enters, so D must equal H. λ, γ and how they start: as in `lru`.
    """
    u = layer_norm(x.raw, p.scale, p.shift)
    along, across, gamma = _turn(p)
    re = along * s.re - across * s.im + gamma * M.in_re(u)
    im = across * s.re + along * s.im + gamma * M.in_im(u)
    v = M.out_re(re) + M.out_im(im) + p.skip * u
    return x.raw + v * sigmoid(M.gate_re(re) + M.gate_im(im) + p.gate_shift), re, im


@cell(
    gates="r i",
    state="h",
    vectors="decay",
    init={
        "decay": uniform(
            math.log(math.expm1(-math.log(SLOWEST) / SHARPNESS)), math.log(math.expm1(-math.log(FASTEST) / SHARPNESS))
        )
    },
)
def rg_lru(x, s, p):
    """Real-gated linear recurrent unit of Griffin (De et al. 2024).

    r = σ(W_r x + b_r)               recurrence gate
    i = σ(W_i x + b_i)               input gate
    a = exp(-c softplus(Λ) ⊙ r)      c = 8; Λ is the vector `decay`
    h = a ⊙ h + √(1 - a²) ⊙ i ⊙ x

    The input itself enters, so D must equal H. W_r and W_i are full matrices, where Griffin's are block-diagonal;
    Griffin's convolution before and gated output after this recurrence are not part of it. exp(-c softplus(Λ)),
    the strongest decay, starts in 0.9 … 0.999. Gate order r i.
    """
    r = sigmoid(x.r)
    i = sigmoid(x.i)
    rate = SHARPNESS * softplus(p.decay) * r
    return exp(-rate) * s.h + _root_of_loss(rate) * (i * x.raw)
