"""The simple recurrent network, and the one whose units stand alone."""

from .initialisers import uniform
from .language import cell, relu, sigmoid, tanh


@cell(gates="h", state="h")
def elman(x, R, s):
    """Simple recurrent network (Elman 1990), with tanh: that of torch.nn.RNN.

    h = tanh(W x + b + R h)
    """
    return tanh(x.h + R.h(s.h))


@cell(gates="h", state="h")
def elman_relu(x, R, s):
    """Simple recurrent network with relu: torch.nn.RNN(nonlinearity="relu").

    h = max(W x + b + R h, 0)

    Le et al. 2015 start R at the identity; here it is orthogonal, which keeps lengths as well.
    """
    return relu(x.h + R.h(s.h))


@cell(gates="h", state="h")
def elman_sigmoid(x, R, s):
    """Simple recurrent network with the logistic function, as Elman 1990 first used it.

    h = σ(W x + b + R h)
    """
    return sigmoid(x.h + R.h(s.h))


@cell(gates="h", state="h", vectors="u", init={"u": uniform(0.0, 1.0)})
def indrnn(x, s, p):
    """Independently recurrent network (Li et al. 2018): each unit sees only itself of the step before.

    h = max(W x + b + u ⊙ h, 0)

    u starts evenly in (0, 1): units of short and of long memory, none of which explodes. The paper also keeps
    |u| ≤ 2^(1/T) in training, for sequences of T steps; that is left to the training loop.
    """
    return relu(x.h + p.u * s.h)
