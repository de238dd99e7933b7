"""What a forecaster's network says of each step ahead: quantiles as they are, or a distribution by its parameters.

Every target of every step has P outputs. With shift and scale those of the window (`data.windows.Batch`), m and s
its last value and its size:

    quantiles           Q outputs: m + s · output is the quantile of each level, from the smallest
    normal              2: y = m + s · (a + b ε), a the first output, b = softplus(second) + 0.001, ε standard normal
    student-t           3: the same with ε of Student's t, 2 + softplus(third) degrees of freedom: b is its scale, not
                        its deviation
    negative-binomial   2, for counts: the mean is softplus(m + s · first), so in the unit of the data; the variance is
                        mean + d · mean², d = softplus(second) + 10⁻⁶ (as in DeepAR, Salinas et al. 2020)

Here are their quantiles, with NumPy alone; the losses that they are learned by are in `nn.likelihood`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .quantile_functions import negative_binomial_quantile, normal_quantile, student_quantile

Array = NDArray[Any]
Likelihood = Literal["quantiles", "normal", "student-t", "negative-binomial"]
LEAST_SCALE = 1e-3
"""Of the size of a window: a series that stands still would ask for none, and then have no end of density."""
LEAST_FREEDOM = 2.0
"""Of Student's t: with fewer degrees of freedom it has no deviation."""
LEAST_DISPERSION = 1e-6
"""Of counts: below, the distribution is that of Poisson for any mean that matters."""
USUAL_FREEDOM = 6.0
"""Degrees of freedom that training begins with."""


class Distribution(Protocol):
    """One way to read outputs [R, h, J, P] of R sequences, h steps ahead and J targets of a sequence."""

    outputs: int
    """P."""
    middle: int
    """The output that says where the distribution lies."""

    def quantiles(self, outputs: Array, levels: Array, shift: Array, scale: Array) -> Array:
        """Return quantiles [R, h, J, N], float64, in the unit of the targets.

        levels: [N], or levels for each value [R, h, J, N]. shift, scale: of the window [R, 1, J].
        """
        ...

    def start(self, truth: Array, shift: Array, scale: Array) -> Array:
        """Return outputs [w, J, P] that suit truth [S, w, J] as the network sees it, not-a-number where missing.

        shift, scale: broadcast against truth. Of every step and target something is known.
        """
        ...


class Quantiles:
    """The quantiles themselves, of levels [Q] that rise, of which one is 0.5."""

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = tuple(levels)
        self.outputs, self.middle = len(self.levels), self.levels.index(0.5)

    def quantiles(self, outputs: Array, levels: Array, shift: Array, scale: Array) -> Array:
        """Return the outputs in the unit of the targets; there are no levels but those of the network."""
        assert levels.shape == (self.outputs,)
        return np.asarray(outputs * scale[..., None] + shift[..., None])

    def start(self, truth: Array, shift: Array, scale: Array) -> Array:
        """Return the quantiles of truth."""
        return np.moveaxis(np.nanquantile(truth, np.array(self.levels, np.float32), axis=0), 0, -1)


class Normal:
    """The normal distribution: location and scale."""

    outputs, middle = 2, 0

    def quantiles(self, outputs: Array, levels: Array, shift: Array, scale: Array) -> Array:
        """Return location + scale · z, z a normal quantile, in the unit of the targets."""
        return _in_units(outputs, normal_quantile(levels), shift, scale)

    def start(self, truth: Array, shift: Array, scale: Array) -> Array:
        """Return mean and deviation of truth."""
        return np.stack([np.nanmean(truth, axis=0), _scale_output(np.nanstd(truth, axis=0))], axis=-1)


class StudentT:
    """Student's t: location, scale and degrees of freedom."""

    outputs, middle = 3, 0

    def quantiles(self, outputs: Array, levels: Array, shift: Array, scale: Array) -> Array:
        """Return location + scale · t, t a quantile of the standard distribution, in the unit of the targets."""
        freedom = LEAST_FREEDOM + softplus(outputs[..., 2, None])
        return _in_units(outputs, student_quantile(levels, freedom), shift, scale)

    def start(self, truth: Array, shift: Array, scale: Array) -> Array:
        """Return median, and the scale that gives truth's deviation with the usual degrees of freedom."""
        width = np.nanstd(truth, axis=0) * np.sqrt(1 - 2 / USUAL_FREEDOM)
        freedom = np.full(truth.shape[1:], _softplus_inverse(USUAL_FREEDOM - LEAST_FREEDOM))
        return np.stack([np.nanmedian(truth, axis=0), _scale_output(width), freedom], axis=-1)


class NegativeBinomial:
    """The negative binomial distribution of counts: mean and dispersion."""

    outputs, middle = 2, 0

    def quantiles(self, outputs: Array, levels: Array, shift: Array, scale: Array) -> Array:
        """Return counts: the least that are not exceeded with at least the probability of the level."""
        mean = softplus(shift + scale * outputs[..., 0])
        dispersion = LEAST_DISPERSION + softplus(outputs[..., 1])
        return negative_binomial_quantile(levels, mean[..., None], dispersion[..., None])

    def start(self, truth: Array, shift: Array, scale: Array) -> Array:
        """Return what gives the mean of the counts, found by Newton's method, and their dispersion around that."""
        is_known, location = ~np.isnan(truth), np.nanmean(truth, axis=0)
        counts = np.where(is_known, shift + scale * truth, 0)
        for _ in range(20):
            raw = shift + scale * location
            slope = (is_known * scale / (1 + np.exp(-np.clip(raw, -30, 30)))).sum(axis=0)
            location = location - (is_known * (softplus(raw) - counts)).sum(axis=0) / slope
        mean = is_known * softplus(shift + scale * location)
        excess, square = ((counts - mean) ** 2 - mean).sum(axis=0), (mean**2).sum(axis=0)
        dispersion = np.clip(np.divide(excess, square, out=np.ones_like(location), where=square > 0), 0.01, 10)
        return np.stack([location, _softplus_inverse(dispersion)], axis=-1)


def distribution_of(likelihood: Likelihood, levels: Sequence[float]) -> Distribution:
    """Return the distribution of a likelihood; levels: of the quantiles, for which the network may have outputs."""
    return Quantiles(levels) if likelihood == "quantiles" else PARAMETRIC[likelihood]


PARAMETRIC: dict[str, Distribution] = {
    "normal": Normal(),
    "student-t": StudentT(),
    "negative-binomial": NegativeBinomial(),
}
"""The distributions that are given by parameters: they have quantiles at any level."""


def is_of_counts(likelihood: Likelihood) -> bool:
    """Tell whether a likelihood is one of whole numbers, 0 and more, whose size is that of the data."""
    return likelihood == "negative-binomial"


def read_on(likelihood: Likelihood, location: Array, shift: Array | None, scale: Array | None) -> Array:
    """Return what stands for a step ahead where it is read as a step of the past, in the window's unit.

    location: the middle output, of any shape that shift and scale broadcast against. Of counts it is the mean.
    """
    if not is_of_counts(likelihood):
        return location
    assert shift is not None
    assert scale is not None
    return np.asarray((softplus(shift + scale * location) - shift) / scale).astype(location.dtype)


def softplus(values: Array) -> Array:
    """Return log(1 + exp(v)), in float64."""
    return np.logaddexp(0.0, values.astype(np.float64))


def _softplus_inverse(values: Any) -> Array:
    return np.asarray(values + np.log(-np.expm1(-np.asarray(values, np.float64))))


def _scale_output(width: Array) -> Array:
    """Return the output that stands for a scale."""
    return _softplus_inverse(np.maximum(width - LEAST_SCALE, LEAST_SCALE))


def _in_units(outputs: Array, deviates: Array, shift: Array, scale: Array) -> Array:
    """Return location + scale · deviate, of deviates [N] or [R, h, J, N], in the unit of the targets."""
    location, width = outputs[..., 0, None].astype(np.float64), LEAST_SCALE + softplus(outputs[..., 1, None])
    return np.asarray((location + width * deviates) * scale[..., None] + shift[..., None])
