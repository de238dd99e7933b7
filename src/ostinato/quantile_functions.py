"""Quantile functions of the normal, Student's t and the negative binomial distribution, for arrays, with NumPy alone.

The last two are inverses of the regularised incomplete beta function

    I_x(a, b) = ∫₀ˣ tᵃ⁻¹ (1 − t)ᵇ⁻¹ dt / B(a, b)

by its continued fraction (DLMF 8.17.22, https://dlmf.nist.gov/8.17.E22). What stands before that is taken from the
deviance of a binomial distribution and the remainders of Stirling's formula, as in Loader 2000, "Fast and Accurate
Computation of Binomial Probabilities": no large logarithms are subtracted, so counts of millions keep their digits.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
BLOCK = 1 << 14
"""Values that are worked on at a time, so that what lies between stays in the cache."""
MOST_TERMS = 100_000
"""Terms of a continued fraction at most; it takes about as many as the root of the larger of a and b."""
MOST_STEPS = 50
"""Steps of Newton's method at most; from 4 to 8 are usual."""
LARGEST_COUNT = 2.0**53
"""The largest count that float64 tells from its neighbours: no quantile of counts is larger."""

_normal, _inverse_normal = (np.frompyfunc(one, 1, 1) for one in (NormalDist().cdf, NormalDist().inv_cdf))


def normal_quantile(level: ArrayLike) -> Array:
    """Return the standard normal quantiles, also called normal scores, of levels above 0 and below 1."""
    return np.asarray(_inverse_normal(np.asarray(level, np.float64)), np.float64)


def normal_probability(score: ArrayLike) -> Array:
    """Return the probability not to exceed standard normal scores, which may be infinite."""
    return np.asarray(_normal(np.asarray(score, np.float64)), np.float64)


def student_quantile(level: ArrayLike, freedom: ArrayLike) -> Array:
    """Return the quantiles of Student's t at levels above 0 and below 1, of 2 or more degrees of freedom."""
    return _in_blocks(_student, level, freedom)


def negative_binomial_quantile(level: ArrayLike, mean: ArrayLike, dispersion: ArrayLike) -> Array:
    """Return the least counts whose probability not to be exceeded is at least the level.

    The variance is mean + dispersion · mean²; levels lie above 0 and below 1, dispersions above 0. Where mean or
    dispersion is not finite the quantile is not-a-number; none is larger than `LARGEST_COUNT`.
    """
    return _in_blocks(_negative_binomial, level, mean, dispersion)


def incomplete_beta(a: Array, b: Array, x: Array, rest: Array) -> Array:
    """Return I_x(a, b) for arrays of one shape, a and b above 0; rest is 1 − x, with the digits that x lacks."""
    is_far = x > (a + 1) / (a + b + 2)
    a, b = np.where(is_far, b, a), np.where(is_far, a, b)
    x, rest = np.where(is_far, rest, x), np.where(is_far, x, rest)
    found = _before_fraction(a, b, x, rest) * _fraction(a, b, x)
    return np.where(is_far, 1 - found, found)


def _student(level: Array, freedom: Array) -> Array:
    """Solve log P(T > t) = log p for log t, by Newton's method.

    The function falls ever more steeply, so that every step but the first comes from above. Normal quantiles lie below
    the solution and those of 2 degrees of freedom above it.
    """
    tail = np.minimum(level, 1 - level)
    least = -normal_quantile(tail)
    most = np.maximum((1 - 2 * tail) / np.sqrt(2 * tail * (1 - tail)), least)
    z, n = least, freedom
    guess = z + z * (z**2 + 1) / (4 * n) + z * (5 * z**4 + 16 * z**2 + 3) / (96 * n**2)
    t = np.clip(guess, least, most)
    left = np.flatnonzero(most > 0)
    for _ in range(MOST_STEPS):
        moved = np.clip(_student_step(t[left], tail[left], freedom[left]), least[left], most[left])
        is_off = np.abs(moved - t[left]) > 1e-12 * (moved + 1)
        t[left] = moved
        left = left[is_off]
        if not len(left):
            break
    return np.asarray(np.where(level < 0.5, -t, t))


def _student_step(t: Array, tail: Array, freedom: Array) -> Array:
    """Return where Newton's method goes from t."""
    half, share = np.full_like(t, 0.5), freedom / (freedom + t**2)
    rest = t**2 / (freedom + t**2)
    beyond = np.maximum(incomplete_beta(freedom / 2, half, share, rest) / 2, np.finfo(np.float64).tiny)
    # The density is x^a (1 - x)^b / (B(a, b) t), which is what stands before the fraction, times a / t.
    density = _before_fraction(freedom / 2, half, share, rest) * freedom / 2 / np.maximum(t, 1e-300)
    slope = np.maximum(t * density / beyond, 1e-300)
    step = np.log(beyond / tail) / slope
    return np.asarray(t * np.exp(np.clip(step, -2, 2)))


def _negative_binomial(level: Array, mean: Array, dispersion: Array) -> Array:
    """Search by probability, from where the first three moments point, in steps that double and are then halved."""
    found = np.where(np.isfinite(mean) & np.isfinite(dispersion), 0.0, np.nan)
    left = np.flatnonzero((mean > 0) & (found == 0))
    level, mean, dispersion = level[left], np.minimum(mean[left], LARGEST_COUNT), dispersion[left]
    variance = mean * (1 + dispersion * mean)
    z, skewness = normal_quantile(level), (1 + 2 * dispersion * mean) / np.sqrt(variance)
    guess = np.rint(mean + np.sqrt(variance) * (z + skewness * (z**2 - 1) / 6))
    probe, width = np.clip(np.nan_to_num(guess), 0, LARGEST_COUNT), np.ones_like(mean)
    below, above = np.full_like(mean, -1.0), np.full_like(mean, np.inf)
    while len(left):
        is_reached = (_at_most(probe, mean, dispersion) >= level) | (probe >= LARGEST_COUNT)
        above, below = np.where(is_reached, probe, above), np.where(is_reached, below, probe)
        is_found = above - below <= 1
        found[left[is_found]] = np.abs(above[is_found])  # Clipped, a guess may be −0.
        left, level, mean, dispersion, above, below, width = (
            each[~is_found] for each in (left, level, mean, dispersion, above, below, width)
        )
        middle = np.floor((below + np.where(np.isinf(above), below, above)) / 2)
        probe = np.where(below < 0, np.maximum(middle, above - width), middle)
        probe = np.where(np.isinf(above), np.minimum(below + width, LARGEST_COUNT), probe)
        width = 2 * width
    return found


def _at_most(count: Array, mean: Array, dispersion: Array) -> Array:
    """Return the probability of this count or less."""
    size = 1 / dispersion
    return incomplete_beta(size, count + 1, size / (size + mean), mean / (size + mean))


def _before_fraction(a: Array, b: Array, x: Array, rest: Array) -> Array:
    """Return xᵃ (1 − x)ᵇ / (a B(a, b))."""
    n = a + b
    deviance = _deviance(a, n * x) + _deviance(b, n * rest)
    remainders = _stirling_remainder(n) - _stirling_remainder(a) - _stirling_remainder(b)
    return np.asarray(np.sqrt(b / (2 * np.pi * a * n)) * np.exp(remainders - deviance))


def _deviance(value: Array, mean: Array) -> Array:
    """Return value · log(value / mean) + mean − value."""
    off = (mean - value) / value
    # Each logarithm where it keeps its digits: the one of nearly equal numbers, the other of very different ones.
    return np.asarray(value * (off - np.where(np.abs(off) < 0.5, np.log1p(off), np.log(mean / value))))


def _stirling_remainder(n: Array) -> Array:
    """Return log Γ(n + 1) − (n + ½) log n + n − ½ log 2π, for n above 0."""
    above, found = n.copy(), np.zeros_like(n)
    small = np.flatnonzero(above < 10)
    while len(small):
        each = above[small]
        found[small] += (each + 0.5) * np.log1p(1 / each) - 1
        above[small] = each + 1
        small = small[each + 1 < 10]
    square = above**-2
    series = 1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))
    return np.asarray(found + series / above)


def _fraction(a: Array, b: Array, x: Array) -> Array:
    """Return 1 / (1 + d₁ / (1 + d₂ / (1 + …))) by the method of Lentz; values that have converged drop out."""
    found, left = np.empty_like(x), np.arange(len(x))
    above, below = np.ones_like(x), 1 / _off_zero(1 + _coefficient(1, a, b, x))
    value = below
    for term in range(2, MOST_TERMS):
        d = _coefficient(term, a, b, x)
        above, below = _off_zero(1 + d / above), 1 / _off_zero(1 + d * below)
        change = above * below
        value = value * change
        if term % 4:
            continue
        # Written so that not-a-number counts as done.
        is_done = ~(np.abs(change - 1) > 4e-16)
        found[left[is_done]] = value[is_done]
        if is_done.all():
            return found
        left, value, above, below = left[~is_done], value[~is_done], above[~is_done], below[~is_done]
        a, b, x = a[~is_done], b[~is_done], x[~is_done]
    found[left] = value
    return found


def _coefficient(term: int, a: Array, b: Array, x: Array) -> Array:
    """Return d of the continued fraction."""
    m = term // 2
    if term % 2:
        return np.asarray(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)))
    return np.asarray(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)))


def _off_zero(values: Array) -> Array:
    return np.where(np.abs(values) < 1e-300, 1e-300, values)


def _in_blocks(function: Callable[..., Array], *given: ArrayLike) -> Array:
    """Apply a function of flat arrays to arrays that are broadcast against each other."""
    arrays = np.broadcast_arrays(*(np.asarray(each, np.float64) for each in given))
    found = np.empty(arrays[0].size)
    # Copied a block at a time: an array that was broadcast takes its whole size when it is made flat.
    rows = [each.reshape(-1) if each.flags.c_contiguous else each.flat for each in arrays]
    for begin in range(0, len(found), BLOCK):
        block = slice(begin, begin + BLOCK)
        with np.errstate(all="ignore"):
            found[block] = function(*(np.array(each[block]) for each in rows))
    return found.reshape(arrays[0].shape)
