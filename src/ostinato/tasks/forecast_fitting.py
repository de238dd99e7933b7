"""What a forecaster is fitted with: how the table is read, the sizes, the linear model, and what is told."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..cells import Cell
from ..data.calendar import phases, recurring
from ..data.forecast_encoder import ForecastEncoder
from ..data.layout import Layout
from ..data.panel import Panel, Roles
from ..data.splits import Parts
from ..data.windows import Encoded
from ..distributions import distribution_of
from ..errors import DataError, OptionError
from ..evaluate.cycles import telling
from ..evaluate.linear import Ridge
from ..evaluate.windows import Range, Rows
from ..forecast_architecture import ForecastArchitecture
from .forecast_options import ForecastOptions

Array = NDArray[Any]
LINEAR_LOOKBACK = 336
"""Steps that the linear forecast looks back at most: more gains little, and takes memory and time."""
RESIDUALS = 65
"""Errors that the linear model keeps of each step, evenly spread over all in order, for its quantiles."""
FEW_RESIDUALS = 20
"""With fewer errors a step, those of all steps are taken together."""


def layout_of(options: ForecastOptions, roles: Roles | None = None) -> Layout:
    """Return how to read a table: as the options say, and where there is a model as it was read in training."""
    if roles is None:
        return Layout(
            time_column=options.time_column,
            targets="all" if options.target == ("all",) else list(options.target) or None,
            series=options.series,
            known=list(options.known),
            past=list(options.past) or None,
            static=list(options.static),
            rows_are_series=options.rows_are_series,
            irregular=options.irregular,
        )
    return Layout(
        time_column=roles.time,
        targets=roles.targets,
        series=roles.series,
        known=roles.known,
        past=roles.past,
        static=roles.static,
        rows_are_series=options.rows_are_series,
        irregular=options.irregular,
    )


def architecture_of(
    cell: Cell, options: ForecastOptions, encoder: ForecastEncoder, masked: bool
) -> ForecastArchitecture:
    """Return what suits the options. masked: windows lack values, or begin before their series."""
    if options.decoder == "stepwise" and encoder.past:
        raise OptionError(
            "the stepwise decoder reads inputs that are known ahead alone.",
            "leave out --past, or use --decoder direct.",
        )
    distribution = distribution_of(options.likelihood, options.quantiles)
    return ForecastArchitecture(
        cell,
        options.hidden_size or 1,
        options.num_layers,
        len(encoder.means),
        options.lookback or 1,
        options.horizon or 1,
        options.segment or 1,
        distribution.outputs,
        encoder.past_size,
        encoder.future_size,
        options.channels == "mixed",
        masked,
        options.decoder == "stepwise",
        distribution.middle,
        options.likelihood,
    )


def linear_model(panel: Panel, roles: Roles, parts: Parts, options: ForecastOptions, report: Any) -> Ridge | None:
    """Return the linear model; None where no window is long enough for one."""
    values = panel.matrix(roles.targets)
    lookback = min(LINEAR_LOOKBACK, options.lookback or 1)
    series = [values[panel.rows(number)] for number in range(panel.num_series)]
    learned, checked = _ranges(panel, parts)
    report.say("the linear model …")
    try:
        linear = Ridge(lookback, options.horizon or 1, shared=panel.num_series > 1).fit(series, learned, checked)
    except DataError as error:
        report.say(f"no linear model: {error.message}")
        return None
    errors = linear.residuals_
    if len(errors) < FEW_RESIDUALS:
        # Too few to tell the steps apart: those of all steps stand for each.
        pooled = np.sort(errors.reshape(-1, 1, errors.shape[2]), axis=0)
        errors = np.repeat(pooled, errors.shape[1], axis=1)
    few = np.linspace(0, len(errors) - 1, min(RESIDUALS, len(errors))).round().astype(np.int64)
    # As the file will have it, so that a model that was saved and opened forecasts the same.
    linear.matrices_, linear.residuals_ = _rounded(linear.matrices_), _rounded(errors[few])
    return linear


def cycles_of(panel: Panel, roles: Roles, parts: Parts, options: ForecastOptions, linear: Ridge | None) -> list[str]:
    """Return the cycles of the calendar that are inputs.

    Those that recur in the training rows, if asked for or where there is no linear model; by default, of these, those
    that tell what the linear model does not know.
    """
    if options.calendar is False or panel.times.dtype.kind != "M":
        return []
    found = recurring(panel.times[rows_before(panel, parts.train)], panel.frequency)
    if options.calendar or linear is None:
        return found
    every = phases(panel.times, panel.frequency)
    rows = Rows(panel.matrix(roles.targets), panel.starts)
    return telling(linear, rows, {name: every[name] for name in found}, *_ranges(panel, parts))


def _ranges(panel: Panel, parts: Parts) -> tuple[list[Range], list[Range]]:
    """Return the rows of each series that are learned from, and those that validate."""
    begins = panel.starts[:-1]
    learned, checked = (parts.train - begins).tolist(), (parts.valid - begins).tolist()
    return [(0, last) for last in learned], list(zip(learned, checked, strict=True))


def _rounded(values: Array) -> Array:
    return values.astype(np.float32).astype(np.float64)


def rows_before(panel: Panel, ends: Array) -> Array:
    """Return which rows lie before their series' end, as a mask [N]."""
    return np.arange(len(panel.times)) < np.repeat(ends, panel.lengths)


def digest_of(encoder: ForecastEncoder, encoded: Encoded) -> str:
    """Return a digest of all that is learned from; the encoder, too: series that are shifted are encoded alike."""
    digest = hashlib.sha256(msgspec.json.encode(encoder))
    for part in (encoded.targets, encoded.past, encoded.future, encoded.starts):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def frequency_name(panel: Panel) -> str:
    """Return how far apart rows are, in words."""
    return "irregular" if panel.frequency is None else panel.frequency.name


def told(panel: Panel, parts: Parts, options: ForecastOptions, season: int) -> str:
    """Return what was chosen, for a person."""
    begins = panel.starts[:-1]
    train, valid, test = (
        int(rows.sum()) for rows in (parts.train - begins, parts.valid - parts.train, parts.test - parts.valid)
    )
    return (
        f"split: {train:,} rows train, {valid:,} validate, {test:,} test; horizon {options.horizon}, "
        f"lookback {options.lookback}, season {season}"
    )
