"""The simple recurrent network."""

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
