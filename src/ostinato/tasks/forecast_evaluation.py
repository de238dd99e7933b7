"""How a forecaster does on a test part, beside the baselines: one walk over the origins for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..data.panel import Panel
from ..data.windows import Origins
from ..evaluate.backtest import Forecaster as Method
from ..evaluate.backtest import Windows, backtest, baselines
from ..evaluate.forecast_metrics import Scores, owa, seasonal_scale

if TYPE_CHECKING:
    from .forecast import Forecaster

Array = NDArray[Any]
Figures = dict[str, float]
NAIVE2_ORIGINS = 3
"""Naive2 and OWA are for competitions, of few origins a series; with more than so many they are left out."""


class ForecastEvaluation(msgspec.Struct, frozen=True):
    """Figures of a forecaster beside those of the baselines on the same windows.

    part: ``"test"``; ``"validation"`` where nothing is left for a test; ``"last"`` where windows at the end were asked
    for. refits: how often the model learned anew on the way. measure: the figure by which the best is told: the mean
    squared error of one series, MASE of many, among which the largest would decide otherwise. by_step, by_series: the
    model's figures for each step ahead [h], and for each target of each series.
    """

    task: str
    part: str
    windows: int
    refits: int
    measure: str
    metrics: Figures
    baselines: dict[str, Figures]
    by_step: dict[str, list[float]]
    by_series: dict[str, dict[str, float]]

    @property
    def winner(self) -> str | None:
        """The best baseline, where it is better than the model."""
        best = min(self.baselines, key=lambda name: self.baselines[name][self.measure], default=None)
        beats = best is not None and self.baselines[best][self.measure] < self.metrics[self.measure]
        return best if beats else None


Watch = Callable[[Panel, Origins, Array], None]
"""Is shown forecasts as they are made: the panel, windows of it, and the quantiles of their horizons [B, h, C, Q]."""


class Tested(NamedTuple):
    """What is tested, and what figures are of.

    panel, windows: every window is one of the panel. part: their name. begins: the first row that is tested, of each
    series [S]; MASE's scale is of the rows before it. season: of MASE and the baselines. standardised: figures are of
    targets less their training mean over their training deviation.
    """

    panel: Panel
    windows: Origins
    part: str
    begins: Array
    season: int
    standardised: bool


def evaluated(
    model: Forecaster,
    tested: Tested,
    walk: Iterable[tuple[Forecaster, Origins]],
    watch: Watch | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> ForecastEvaluation:
    """Return the figures of a model and of the baselines.

    walk: the windows that are tested, in one stretch or several, and the forecaster of each, whose linear part is the
    linear baseline there: the model itself, or others that learned what it did not.
    """
    panel, targets, levels = tested.panel, model.encoder_.roles.targets, model.options_.quantiles
    shift, unit = _units(model, tested.standardised)
    values = (panel.matrix(targets) - shift) / unit
    series = [values[panel.rows(number)] for number in range(panel.num_series)]
    scale = _scales(panel, series, tested)
    is_competition = max(map(len, _places(panel, tested.windows))) <= NAIVE2_ORIGINS
    scores: dict[str, Scores] = {}
    stretches: list[set[str]] = []
    done = refits = 0
    for learned, windows in walk:
        methods = _methods(learned, tested, is_competition, watch)
        for name in {"model", "linear"} & methods.keys():
            methods[name] = _with_units(methods[name], shift, unit)
        scores = backtest(
            series,
            _places(panel, windows),
            methods,
            lookback=_lookback(learned, tested, is_competition),
            horizon=model.horizon_,
            levels=levels,
            scale=scale,
            progress=_part_of(progress, done, len(windows), len(tested.windows)),
            onto=scores,
        )
        stretches.append(set(methods))
        done, refits = done + len(windows), refits + (learned is not model)
    own = scores.pop("model")
    # A baseline that one stretch lacks, as where no linear model could be fitted, has not the same windows.
    beside = {name: found.overall() for name, found in scores.items() if all(name in names for names in stretches)}
    metrics = own.overall()
    if "Naive2" in beside:
        for figures in (metrics, *beside.values()):
            figures["owa"] = owa(figures, beside["Naive2"])
    by_step, by_series = _by_step(own), _by_series(own, panel, targets)
    measure = "mase" if panel.num_series > 1 and np.isfinite(metrics["mase"]) else "mse"
    return ForecastEvaluation(
        "forecast", tested.part, len(tested.windows), refits, measure, metrics, beside, by_step, by_series
    )


def _units(model: Forecaster, standardised: bool) -> tuple[Array, Array]:
    """Return what is taken off each target, and what it is then divided by [C]."""
    means, deviations = np.array(model.encoder_.means), np.array(model.encoder_.deviations)
    return (means, deviations) if standardised else (np.zeros_like(means), np.ones_like(deviations))


def _scales(panel: Panel, series: list[Array], tested: Tested) -> Array:
    """Return MASE's scale for each series and target [S, C]."""
    lengths = tested.begins - panel.starts[:-1]
    return np.stack([seasonal_scale(one[:rows], tested.season) for one, rows in zip(series, lengths, strict=True)])


def _places(panel: Panel, windows: Origins) -> list[Array]:
    """Return the origins of each series, as rows of it."""
    number = np.searchsorted(panel.starts, windows.rows, side="right") - 1
    within = windows.rows - panel.starts[number]
    return np.split(within, np.searchsorted(number, np.arange(1, panel.num_series)))


def _methods(model: Forecaster, tested: Tested, is_competition: bool, watch: Watch | None) -> dict[str, Method]:
    """Return what is compared: the model, and the baselines, by name."""
    methods = {"model": _model(model, tested.panel, watch)}
    methods |= baselines(model.horizon_, _season(tested), model.options_.quantiles, model.linear_)
    if not is_competition:
        del methods["Naive2"]
    return methods


def _lookback(model: Forecaster, tested: Tested, is_competition: bool) -> int:
    """Return the rows that the methods are handed: what each needs at most, and Naive2 takes all that there are."""
    linear = 0 if model.linear_ is None else model.linear_.lookback
    whole = int(tested.panel.lengths.max()) if is_competition else 0
    return max(model.architecture_.lookback, 2 * _season(tested), linear, whole)


def _season(tested: Tested) -> int:
    """Return the season of the baselines: one that is longer than every series is none, and takes no memory."""
    return min(tested.season, int(tested.panel.lengths.max()) + 1)


def _part_of(progress: Callable[[float], None], done: int, part: int, total: int) -> Callable[[float], None]:
    """Return what is told the share of a part, and tells that of all."""
    return lambda share: progress((done + share * part) / total)


def _model(model: Forecaster, panel: Panel, watch: Watch | None) -> Method:
    """Return the model as the back-test asks it: by series and row, since its further inputs lie there too."""
    encoded, middle = model.encoder_.encode(panel), model.options_.quantiles.index(0.5)

    def forecast(asked: Windows) -> tuple[Array, Array]:
        rows = panel.starts[asked.series] + asked.origins
        windows = Origins(rows, panel.starts[asked.series], panel.starts[asked.series + 1])
        quantiles = np.concatenate([found for _, found in model.forecasts(panel, encoded, windows)])
        if watch is not None:
            watch(panel, windows, quantiles)
        return quantiles[..., middle], quantiles

    return forecast


def _with_units(method: Method, shift: Array, unit: Array) -> Method:
    """Return a method that works in the units of the data, for a back-test in others."""

    def forecast(asked: Windows) -> tuple[Array, Array | None]:
        point, quantiles = method(asked._replace(history=asked.history * unit + shift))
        scaled = None if quantiles is None else (np.asarray(quantiles) - shift[:, None]) / unit[:, None]
        return (np.asarray(point) - shift) / unit, scaled

    return forecast


def _by_step(scores: Scores) -> dict[str, list[float]]:
    return {name: [float(value) for value in values] for name, values in scores.by_step().items()}


def _by_series(scores: Scores, panel: Panel, targets: list[str]) -> dict[str, dict[str, float]]:
    names = [f"{series} {target}".strip() for series in panel.ids for target in targets]
    figures = scores.by_series()
    return {
        name: {figure: float(values[place]) for figure, values in figures.items()} for place, name in enumerate(names)
    }
