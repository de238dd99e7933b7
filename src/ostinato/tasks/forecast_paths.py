"""Sample paths: what may come, step by step and target by target, as one draw of all.

The margins are those of the forecast. How steps and targets go together is that of the truth in validation windows:
there a forecast was made, and of each step and target is kept which rank the truth's probability under its forecast
has among these windows. A path takes one window and a number u between 0 and 1; of K windows, a rank r gives the
probability (r + u) / K, at which the margin is read. So paths are as smooth, or as rough, as the truth was around its
forecasts, and targets move together as they did. This is the Schaake shuffle (Clark et al. 2004,
doi:10.1175/1525-7541(2004)005<0243:TSSAMF>2.0.CO;2) over the ranks of forecasts' errors.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import margins
from ..data.panel import Panel
from ..data.windows import Encoded, Origins
from ..errors import FileFormatError, OptionError
from ..forecast_architecture import ForecastArchitecture

if TYPE_CHECKING:
    from .forecast import Forecaster

Array = NDArray[Any]
MOST_WINDOWS = 128
"""Windows K whose ranks are kept; more would fill the gaps between ranks, and the file."""
FEWEST_WINDOWS = 16
MOST_RANKS = 2**20
"""Ranks that are kept, K · h · C, a byte each: where there would be more, windows are fewer, down to the fewest."""
MOST_VALUES = 10**8
"""Values that are drawn at a time."""


def ranks_of(model: Forecaster, panel: Panel, encoded: Encoded, windows: Origins) -> Array | None:
    """Return the ranks [K, h, C], uint8, of the truth in windows that are spread over those given.

    Each step and target has every rank once. The rank of missing truth is drawn, and so is the order of equals. None
    where the forecast has but one quantile, which says nothing of what lies around it.
    """
    sizes = model.architecture_
    is_parametric = sizes.likelihood != "quantiles"
    levels = margins.LEVELS if is_parametric else model.options_.quantiles
    if len(levels) < 2:
        return None
    few = windows.take(_spread(len(windows), sizes))
    quantiles = [each for _, each in model.forecasts(panel, encoded, few, np.array(levels) if is_parametric else None)]
    truth = panel.matrix(model.encoder_.roles.targets)[few.rows[:, None] + np.arange(sizes.horizon)]
    random = np.random.default_rng(model.options_.seed)
    place, equals = random.random(truth.shape), random.random(truth.shape)
    less, least = margins.probabilities(truth, np.concatenate(quantiles), levels)
    probability = np.where(np.isnan(truth), place, less + place * (least - less))
    in_order = np.lexsort((equals, probability), axis=0)
    ranks: Array = np.argsort(in_order, axis=0).astype(np.uint8)
    return ranks


def sampled(model: Forecaster, panel: Panel, windows: Origins, paths: int, seed: int) -> Array:
    """Return N paths [S, h, C, N] from the windows of S series, one of each.

    What is drawn for a series depends on seed and name of the series alone.

    Raises OptionError where they would be too many for the memory.
    """
    assert model.ranks_ is not None
    _, horizon, channels = model.ranks_.shape
    size = len(windows) * horizon * channels * paths
    if size > MOST_VALUES:
        raise OptionError(
            f"{paths:,} paths of {len(windows):,} series are {size:,} values, more than {MOST_VALUES:,}.",
            "take fewer paths, or some of the series at a time.",
        )
    at = np.empty((len(windows), horizon, channels, paths))
    for place, name in enumerate(panel.ids):
        at[place] = _probabilities(model.ranks_, name, paths, seed)
    encoded = model.encoder_.encode(panel)
    is_parametric = model.architecture_.likelihood != "quantiles"
    forecasts = model.forecasts(panel, encoded, windows, at if is_parametric else None)
    found = np.concatenate([each for _, each in forecasts])
    return found if is_parametric else margins.read(found, model.options_.quantiles, at)


def check_ranks(path: str | os.PathLike[str], ranks: Any, sizes: ForecastArchitecture) -> Array:
    """Return the ranks of a file, where they are what `ranks_of` returns. Raises FileFormatError."""
    shape = (len(ranks) if getattr(ranks, "ndim", 0) else 0, sizes.horizon, sizes.channels)
    if ranks.dtype != np.uint8 or ranks.shape != shape or not 0 < len(ranks) <= MOST_WINDOWS:
        raise FileFormatError(f"{path} is damaged: its ranks are {ranks.dtype} {list(ranks.shape)}.")
    if not (np.sort(ranks, axis=0) == np.arange(len(ranks))[:, None, None]).all():
        raise FileFormatError(f"{path} is damaged: its ranks are not in an order.")
    found: Array = ranks
    return found


def _spread(count: int, sizes: ForecastArchitecture) -> Array:
    """Return the places of windows, spread evenly over so many."""
    most = min(MOST_WINDOWS, max(FEWEST_WINDOWS, MOST_RANKS // (sizes.horizon * sizes.channels)))
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _probabilities(ranks: Array, name: str, paths: int, seed: int) -> Array:
    """Return the probabilities [h, C, N] at which the margins of a series are read.

    All windows are taken before one is taken again, so that few paths, too, spread over the whole of each margin.
    """
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).digest()
    random = np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
    count = len(ranks)
    taken = np.concatenate([random.permutation(count) for _ in range(-(-paths // count))])[:paths]
    found = (ranks[taken] + random.random(paths)[:, None, None]) / count
    return np.asarray(np.clip(np.moveaxis(found, 0, -1), 1e-9, 1 - 1e-9))
