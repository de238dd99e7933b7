"""The losses of a forecast: of quantiles, and how unlikely the truth is under a distribution.

What the outputs mean is said in `distributions`. Densities are taken in float64: of counts, float32 would lose what
tells one from the next.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..distributions import LEAST_DISPERSION, LEAST_FREEDOM, LEAST_SCALE, Likelihood


def losses(
    likelihood: Likelihood, outputs: Tensor, truth: Tensor, levels: Tensor, shift: Tensor, scale: Tensor
) -> Tensor:
    """Return the loss of each value [R, h, J], from outputs [R, h, J, P] and truth [R, h, J] in the window's unit.

    levels: of the quantiles [Q]. shift, scale: of the window [R, 1, J].

    Of quantiles 2 · max(q (y − ŷ), (q − 1) (y − ŷ)), averaged over levels q: for the median alone the absolute error.
    Of a distribution −log p(y): of y in the window's unit, but of counts in their own.
    """
    if likelihood == "quantiles":
        error = truth[..., None] - outputs
        return 2 * torch.maximum(levels * error, (levels - 1) * error).mean(-1)
    parameters, y = outputs.double().unbind(-1), truth.double()
    if likelihood == "normal":
        return _normal(y, *parameters)
    if likelihood == "student-t":
        return _student(y, *parameters)
    # The count itself: in the window's unit, and float32, it was a little off.
    return _negative_binomial(torch.round(shift + scale * y), shift + scale * parameters[0], parameters[1])


def read_on(likelihood: Likelihood, location: Tensor, shift: Tensor | None, scale: Tensor | None) -> Tensor:
    """Return what `distributions.read_on` does."""
    if likelihood != "negative-binomial":
        return location
    assert shift is not None
    assert scale is not None
    return ((_softplus(shift + scale * location.double()) - shift) / scale).to(location.dtype)


def _normal(y: Tensor, location: Tensor, width: Tensor) -> Tensor:
    scale = LEAST_SCALE + _softplus(width)
    return ((y - location) / scale) ** 2 / 2 + scale.log() + math.log(2 * math.pi) / 2


def _student(y: Tensor, location: Tensor, width: Tensor, tail: Tensor) -> Tensor:
    scale, freedom = LEAST_SCALE + _softplus(width), LEAST_FREEDOM + _softplus(tail)
    constant = torch.lgamma(freedom / 2) - torch.lgamma((freedom + 1) / 2) + (math.pi * freedom).log() / 2
    return constant + scale.log() + (freedom + 1) / 2 * torch.log1p(((y - location) / scale) ** 2 / freedom)


def _negative_binomial(count: Tensor, location: Tensor, dispersion: Tensor) -> Tensor:
    """location: what softplus makes the mean of. Far below 0 the mean is its exponential, so its logarithm itself."""
    mean, size = _softplus(location), 1 / (LEAST_DISPERSION + _softplus(dispersion))
    log_mean = torch.where(location < -30, location, _softplus(location.clamp(min=-30)).log())
    ways = torch.lgamma(count + 1) + torch.lgamma(size) - torch.lgamma(count + size)
    return ways + size * torch.log1p(mean / size) + count * ((size + mean).log() - log_mean)


def _softplus(values: Tensor) -> Tensor:
    """Return log(1 + exp(v)); that of torch.nn.functional is v above a threshold."""
    return torch.logaddexp(values, torch.zeros_like(values))
