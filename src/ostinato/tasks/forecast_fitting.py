"""What a forecaster is fitted with: how the table is read, the sizes, the linear model, and what is told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..cells import Cell
from ..data.calendar import phases, recurring
from ..data.counts import check_counts
from ..data.extension import known_ends
from ..data.forecast_encoder import ForecastEncoder
from ..data.grid import written
from ..data.layout import Layout, Table
from ..data.panel import Panel, Roles
from ..data.splits import Parts, split
from ..data.windows import Encoded, Origins, Scaling, origins
from ..distributions import distribution_of, is_of_counts
from ..errors import DataError, OptionError
from ..evaluate.cycles import telling
from ..evaluate.linear import Ridge
from ..evaluate.windows import Range, Rows
from ..forecast_architecture import ForecastArchitecture
from .forecast_options import ForecastOptions, sized

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


@dataclass(frozen=True)
class Series:
    """What a network learns from: encoded series, the windows to train on and to judge by, and a digest of it all.

    panel: the series before they were encoded.
    """

    encoded: Encoded
    train: Origins
    valid: Origins
    scaling: Scaling
    digest: str
    panel: Panel

    def names(self, windows: Origins) -> list[str]:
        """Return what people call windows: the series, where it has a name, and the time from which is forecast."""
        series = np.searchsorted(self.panel.starts, windows.rows, side="right") - 1
        times = written(self.panel.times[windows.rows])
        ids = [self.panel.ids[number] for number in series]
        return [f"{name or 'the forecast'} from {time}" for name, time in zip(ids, times, strict=True)]


@dataclass(frozen=True)
class Prepared:
    """A table, ready for a network to learn from. options: with every size set. season: the rows of one."""

    options: ForecastOptions
    season: int
    linear: Ridge | None
    encoder: ForecastEncoder
    architecture: ForecastArchitecture
    series: Series


def prepare(table: Table, cell: Cell, options: ForecastOptions, report: Any, parts: Parts | None = None) -> Prepared:
    """Choose sizes, fit the linear model and the encoder, and find the windows to learn from.

    parts: those of the series, where they are not what the options' split gives.

    Raises DataError where no window validates, or a likelihood of counts meets what is none; OptionError.
    """
    panel, roles = table.panel, table.roles
    if is_of_counts(options.likelihood):
        check_counts(panel, roles.targets)
    season = options.season or (1 if panel.frequency is None else panel.frequency.season)
    options, parts = _with_sizes(panel, roles, options, season, parts)
    report.say(told(panel, parts, options, season))
    linear = linear_model(panel, roles, parts, options, report)
    cycles = cycles_of(panel, roles, parts, options, linear)
    if cycles:
        report.say(f"of the calendar: {', '.join(cycles)}")
    scaling: Scaling = options.scaling or "level"
    encoder = ForecastEncoder.fit(panel, roles, rows_before(panel, parts.train), scaling == "level", cycles)
    encoded = encoder.encode(panel)
    least, masked = _least_history(panel, parts, options, season, encoded)
    architecture = architecture_of(cell, options, encoder, masked)
    horizon = architecture.horizon
    train = origins(panel.starts, panel.starts[:-1], parts.train, horizon, least)
    valid = origins(panel.starts, parts.train, parts.valid, horizon)
    if not len(valid):
        raise DataError(
            f"no series has the {horizon} rows after its training part that are needed to validate.",
            "give longer series, a shorter --horizon, or another --split.",
        )
    series = Series(encoded, train, valid, scaling, digest_of(encoder, encoded), panel)
    return Prepared(options, season, linear, encoder, architecture, series)


def _with_sizes(
    panel: Panel, roles: Roles, options: ForecastOptions, season: int, parts: Parts | None
) -> tuple[ForecastOptions, Parts]:
    """Return the options with every size set, and the parts of the series."""
    begins, ends = panel.starts[:-1], known_ends(panel, roles.targets)
    horizon = options.horizon or max(1, min(season, int((ends - begins).max(initial=0)) // 4))
    parts = parts or split(panel, ends, options.split, horizon)
    learned = parts.train - begins
    windows = int(np.maximum(learned - horizon, 0).sum())
    options = msgspec.structs.replace(options, horizon=horizon)
    return sized(options, int(learned.max()), windows, panel.num_series, len(roles.targets), season), parts


def _least_history(
    panel: Panel, parts: Parts, options: ForecastOptions, season: int, encoded: Encoded
) -> tuple[int, bool]:
    """Return the rows before an origin that a window to train on has at least, and whether values of some are missing.

    It is the whole lookback, if every series is long enough for one such window.
    """
    lookback, horizon = options.lookback or 1, options.horizon or 1
    learned = parts.train - panel.starts[:-1]
    if (learned >= lookback + horizon).all():
        return lookback, bool(np.isnan(encoded.targets[rows_before(panel, parts.valid)]).any())
    return max(1, min(lookback, season, int(np.median(learned)) // 2)), True


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
    """Return the linear model; None without any: for counts, which a straight line is not, or too short series."""
    if options.linear == "never" or is_of_counts(options.likelihood):
        return None
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
