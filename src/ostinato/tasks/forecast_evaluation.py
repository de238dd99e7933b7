"""How a forecaster does on a test part, beside the baselines: one walk over the origins for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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
    for. by_step, by_series: the model's figures for each step ahead [h], and for each target of each series.
    """

    task: str
    part: str
    windows: int
    metrics: Figures
    baselines: dict[str, Figures]
    by_step: dict[str, list[float]]
    by_series: dict[str, dict[str, float]]

    @property
    def winner(self) -> str | None:
        """The baseline with the least mean squared error, where that is less than the model's."""
        best = min(self.baselines, key=lambda name: self.baselines[name]["mse"], default=None)
        return best if best is not None and self.baselines[best]["mse"] < self.metrics["mse"] else None


def evaluated(
    model: Forecaster,
    panel: Panel,
    windows: Origins,
    begins: Array,
    part: str,
    season: int,
    standardised: bool,
    progress: Callable[[float], None],
) -> ForecastEvaluation:
    """Return the figures of a model and of the baselines over windows of a panel.

    begins: the first row of the part that is tested, of each series [S]; MASE's scale is of the rows before it.
    """
    targets, levels = model.encoder_.roles.targets, model.options_.quantiles
    values = panel.matrix(targets)
    means, deviations = (np.array(part) for part in (model.encoder_.means, model.encoder_.deviations))
    shift, unit = (means, deviations) if standardised else (np.zeros_like(means), np.ones_like(deviations))
    in_units = (values - shift) / unit
    series = [in_units[panel.rows(number)] for number in range(panel.num_series)]
    number = np.searchsorted(panel.starts, windows.rows, side="right") - 1
    within = windows.rows - panel.starts[number]
    places = np.split(within, np.searchsorted(number, np.arange(1, panel.num_series)))
    methods: dict[str, Method] = {"model": _model(model, panel)}
    methods |= baselines(model.horizon_, season, levels, model.linear_)
    if max(map(len, places)) > NAIVE2_ORIGINS:
        del methods["Naive2"]
    for name in {"model", "linear"} & methods.keys():
        methods[name] = _with_units(methods[name], shift, unit)
    scale = np.stack(
        [
            seasonal_scale(one[: begin - start], season)
            for one, begin, start in zip(series, begins, panel.starts[:-1], strict=True)
        ]
    )
    lookback = max(model.architecture_.lookback, 2 * season, 0 if model.linear_ is None else model.linear_.lookback)
    if "Naive2" in methods:
        lookback = max(lookback, int(panel.lengths.max()))
    found = backtest(
        series,
        places,
        methods,
        lookback=lookback,
        horizon=model.horizon_,
        levels=levels,
        scale=scale,
        progress=progress,
    )
    own = found.pop("model")
    beside = {name: scores.overall() for name, scores in found.items()}
    metrics = own.overall()
    if "Naive2" in beside:
        for figures in (metrics, *beside.values()):
            figures["owa"] = owa(figures, beside["Naive2"])
    return ForecastEvaluation(
        "forecast", part, len(windows), metrics, beside, _by_step(own), _by_series(own, panel, targets)
    )


def _model(model: Forecaster, panel: Panel) -> Method:
    """Return the model as the back-test asks it: by series and row, since its further inputs lie there too."""
    encoded, middle = model.encoder_.encode(panel), model.options_.quantiles.index(0.5)

    def forecast(asked: Windows) -> tuple[Array, Array]:
        rows = panel.starts[asked.series] + asked.origins
        windows = Origins(rows, panel.starts[asked.series], panel.starts[asked.series + 1])
        quantiles = np.concatenate([found for _, found in model.forecasts(panel, encoded, windows)])
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
