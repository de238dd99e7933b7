"""`Forecaster`: learns series, and says what comes next and how sure that is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import margins, model_file
from ..architecture import below
from ..cells import Cell
from ..data.arrays import is_arrays
from ..data.counts import check_counts
from ..data.extension import extended, known_ends
from ..data.forecast_encoder import ForecastEncoder
from ..data.forecast_table import forecast_like, paths_like, with_future
from ..data.frequency import Frequency
from ..data.layout import Table, panel_of
from ..data.panel import Panel
from ..data.splits import Parts, split
from ..data.windows import Encoded, Origins, by_sequence, by_window, gather, origins
from ..distributions import distribution_of, is_of_counts
from ..errors import DataError, FileFormatError, OptionError, OstinatoError
from ..evaluate.linear import Ridge
from ..evaluate.share import Pair, best_share
from ..forecast_architecture import ForecastArchitecture
from ..runtime.forecast import ForecastRuntime
from ..versions import versions
from .estimator import Estimator
from .forecast_evaluation import ForecastEvaluation, Tested, Watch, evaluated
from .forecast_file import Document, check_document, linear_of
from .forecast_fitting import frequency_name, layout_of, prepare
from .forecast_options import ForecastOptions
from .forecast_paths import check_ranks, ranks_of, sampled
from .forecast_refitting import options_of_refits, refitted, stretches
from .parts import network_of

if TYPE_CHECKING:
    from ..training.session import Session

Array = NDArray[Any]
TASK = "forecast"
BATCH_ROWS, BATCH_NUMBERS = 4096, 2**26
"""Sequences that are forecast at a time, and numbers that this takes; they bound memory."""
SHARE_SEQUENCES = 8192
"""Sequences that decide on the share of the network at most, evenly spread."""


class Forecaster(Estimator):
    """A model of series over time: what comes next, with quantiles, by a recurrent network beside a linear one.

    horizon: the number of steps to forecast. options: the fields of `ForecastOptions`, such as ``lookback``,
    ``target``, ``split``, ``cell``, ``time="10m"``, ``seed``; those left out are chosen from frequency, length and the
    stated time.

        forecaster = Forecaster(horizon=24, time="2m").fit(frame)
        print(forecaster.predict())
        forecaster.save("load.safetensors")

    Data: a frame (pandas, polars, pyarrow), the path of a file or several, or arrays: [T], [T, C], or a list of them.

    The forecast is a mean of two: a ridge regression on the lookback, and a recurrent network; how much each counts, a
    target each, is what served the validation part best (`share_`, of the network).

    After `fit` or `ostinato.load`: ``options_`` (with every size set), ``encoder_``, ``architecture_``, ``weights_``,
    ``share_``, ``ranks_`` (what `sample` draws from), ``season_``, ``history_``. Only `fit` needs torch.

    Raises OptionError, in `fit`, for an unknown option, or one that is out of range.
    """

    task = TASK
    parameters = ForecastOptions
    stages = (TASK,)
    learner, learns_from = "forecaster", "data"
    options_: ForecastOptions
    encoder_: ForecastEncoder
    architecture_: ForecastArchitecture
    weights_: dict[str, Any]
    linear_: Ridge | None
    share_: Array
    ranks_: Array | None
    season_: int
    frequency_: Frequency | None
    data_: dict[str, Any]
    history_: list[dict[str, int | float]]
    versions_: dict[str, str]

    def __init__(self, horizon: int | None = None, **options: Any) -> None:
        super().__init__(horizon=horizon, **options)

    # ---- training

    def fit(
        self,
        data: Any,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        quiet: bool = False,
        log: str | os.PathLike[str] | None = None,
    ) -> Forecaster:
        """Learn from series and return self.

        checkpoint, resume, quiet, log: as `LanguageModel.fit` has them.

        Raises DataError (the series cannot be used), OptionError, TrainingError, Interrupted.
        """
        with self._session(checkpoint, resume, quiet, log) as session:
            table = panel_of(data, layout_of(session.options))
            for remark in table.remarks:
                session.report.say(remark)
            self._learn(table, session)
        self._table, self._data = table, data
        return self

    def _learn(self, table: Table, session: Session[ForecastOptions], parts: Parts | None = None) -> None:
        """Learn from a table. parts: those of its series, where they are not what the options' split gives."""
        from ..training import forecast as training

        report = session.report
        assert session.cell is not None
        found = prepare(table, session.cell, session.options, report, parts)
        session.check_data(found.series.digest, "other series")
        outcome = training.fit(found, session)
        panel, encoded, valid = table.panel, found.series.encoded, found.series.valid
        self.options_, self.encoder_, self.architecture_ = found.options, found.encoder, found.architecture
        self.weights_, self.history_ = outcome.weights, outcome.history
        self.season_, self.frequency_, self.linear_ = found.season, panel.frequency, found.linear
        self.versions_ = versions()
        self.data_ = {"series": panel.num_series, "rows": len(panel.times), "frequency": frequency_name(panel)}
        self._run_anew()
        self.share_ = np.ones(len(found.encoder.means))
        if found.linear is not None:
            self.share_ = self._best_share(panel, encoded, valid)
            report.say(
                f"of the forecast {100 * self.share_.mean():.0f} % is the network's and the rest the linear model's"
            )
        self.ranks_ = ranks_of(self, panel, encoded, valid)

    def _best_share(self, panel: Panel, encoded: Encoded, windows: Origins) -> Array:
        """Return the share of the network for each target that validation errors ask for."""
        channels = len(self.encoder_.means)
        few = windows.take(slice(None, None, -(-len(windows) * channels // SHARE_SEQUENCES)))
        separate = len(windows) / panel.num_series / self.horizon_
        return best_share(self._beside_truth(panel, encoded, few), panel.num_series, channels, separate)

    def _beside_truth(self, panel: Panel, encoded: Encoded, windows: Origins) -> Iterator[Pair]:
        """Yield the forecasts of the network and of the linear model, and what came."""
        middle, values = self.options_.quantiles.index(0.5), panel.matrix(self.encoder_.roles.targets)
        for some, network, linear in self._pairs(panel, encoded, windows):
            assert linear is not None
            series = np.searchsorted(panel.starts, some.begins, side="right") - 1
            truth = values[some.rows[:, None] + np.arange(self.horizon_)]
            yield Pair(series, network[..., middle], linear[..., middle], truth)

    # ---- forecasting

    @property
    def runtime(self) -> ForecastRuntime:
        """What runs the network's weights; made at first use."""
        return self._running(ForecastRuntime)

    def _pairs(
        self, panel: Panel, encoded: Encoded, windows: Origins, levels: Array | None = None
    ) -> Iterator[tuple[Origins, Array, Array | None]]:
        """Yield windows, some at a time, with quantiles [B, h, C, Q] of the network and of the linear model.

        levels: other ones than those of the options, for a distribution: [Q], or for each value [W, h, C, Q].
        """
        sizes, targets = self.architecture_, panel.matrix(self.encoder_.roles.targets)
        distribution = distribution_of(sizes.likelihood, self.options_.quantiles)
        done, asked = 0, np.array(self.options_.quantiles) if levels is None else levels
        most = min(BATCH_ROWS * sizes.joint // sizes.channels, BATCH_NUMBERS // sizes.numbers_per_window)
        for some in _batches(windows, max(1, most)):
            batch = gather(encoded, sizes, some, self.options_.scaling or "level")
            at = asked if asked.ndim == 1 else asked[done : done + len(some)]
            done += len(some)
            outputs = self.runtime.run(batch.x, batch.future, batch.shift, batch.scale)
            own = at if at.ndim == 1 else by_sequence(at, sizes.joint)
            quantiles = distribution.quantiles(outputs, own, batch.shift, batch.scale)
            network = self.encoder_.decode(by_window(quantiles, sizes.channels))
            linear = None
            if self.linear_ is not None:
                history = _history(targets, some, self.linear_.lookback)
                linear = _with_bands(self.linear_, history, at)
            yield some, network, linear

    def forecasts(
        self, panel: Panel, encoded: Encoded, windows: Origins, levels: Array | None = None
    ) -> Iterator[tuple[Origins, Array]]:
        """Yield windows, some at a time, with the quantiles of their horizons [B, h, C, Q].

        They rise. levels: where the forecast is a distribution, other ones than those of the options: [Q], or for each
        value, in any order, [W, h, C, Q].
        """
        share = self.share_[:, None]
        for some, network, linear in self._pairs(panel, encoded, windows, levels):
            joined = network
            if linear is not None:
                joined = np.where(np.isnan(linear), network, share * network + (1 - share) * linear)
            yield some, np.sort(joined, axis=-1) if levels is None else joined

    def panel(self, data: Any) -> Panel:
        """Return data as the model reads it. Raises DataError."""
        return self._panel(data).panel

    def _panel(self, data: Any, future: Any = None) -> Table:
        if future is not None and is_arrays(data):
            raise DataError("arrays have no rows of the future.", "give a frame, or a file.")
        whole = data if future is None else with_future(data, future)
        table = panel_of(whole, layout_of(self.options_, self.encoder_.roles), self.frequency_)
        if is_of_counts(self.options_.likelihood):
            check_counts(table.panel, self.encoder_.roles.targets)
        return table

    def predict(self, data: Any = None, future: Any = None) -> Any:
        """Forecast the horizon after the last known target of each series.

        data: as `fit` takes it; series need not have been there in training. None: what `fit` was given. future:
        further rows, of the columns whose future is known.

        Returns a frame of the kind that data is (of polars for files): series, time, and for each target its forecast
        and a column a quantile. For arrays: quantiles [h, Q] or [h, C, Q], or a list of them.

        Raises DataError (the data cannot be used, or what is to be known ahead is missing).
        """
        data, table = self._read("predict", data, future)
        panel, windows, times = self._ahead(table)
        found = [forecast for _, forecast in self.forecasts(panel, self.encoder_.encode(panel), windows)]
        return forecast_like(data, panel, times, np.concatenate(found), self.options_.quantiles, table.roles)

    def sample(self, data: Any = None, future: Any = None, paths: int = 100, seed: int = 0) -> Any:
        """Draw paths of the horizon after the last known target of each series: each is one that may come, as a whole.

        data, future: as for `predict`. Each value is distributed as the forecast says; how the steps and the targets of
        a path go together is taken from the validation part (`forecast_paths`). With the same seed, a series has the
        same paths in any company, as far as it has the same forecasts; of a path's number nothing follows for another
        series.

        Returns a frame of the kind that data is: series, time, path (0, 1, …) and a column a target. For arrays: paths
        [N, h] or [N, h, C], or a list of them.

        Raises DataError as `predict` does, OptionError for no path, a seed below 0, or more paths than memory takes,
        OstinatoError for a model that does not know how its errors go together.
        """
        if paths < 1 or seed < 0:
            raise OptionError(f"paths are 1 or more and a seed is 0 or more, not {paths} and {seed}.")
        data, table = self._read("sample", data, future)
        self._check_ranks()
        panel, windows, times = self._ahead(table)
        return paths_like(data, panel, times, sampled(self, panel, windows, paths, seed), table.roles)

    def _check_ranks(self) -> None:
        """Raise OstinatoError where there is nothing to draw paths from."""
        if self.ranks_ is None and len(self.options_.quantiles) < 2 and self.options_.likelihood == "quantiles":
            raise OstinatoError(
                "this forecaster has one quantile, which says nothing of how far off the truth may be.",
                "train it with more --quantiles, or with a --likelihood.",
            )
        if self.ranks_ is None:
            raise OstinatoError(
                "this model file does not say how the errors of a path go together.",
                "it is older than sample paths: train it again.",
            )

    def _ahead(self, table: Table) -> tuple[Panel, Origins, Array]:
        """Return a panel that reaches a horizon beyond the ends of its series, the windows there, and times [S, h]."""
        roles = self.encoder_.roles
        panel, ends = extended(table.panel, known_ends(table.panel, roles.targets), self.horizon_, roles.static)
        self._check_known(panel, ends)
        times = panel.times[ends[:, None] + np.arange(self.horizon_)]
        return panel, Origins(ends, panel.starts[:-1], panel.starts[1:]), times

    def _read(self, use: str, data: Any, future: Any = None) -> tuple[Any, Table]:
        """Return data and its table: of what `fit` was given, where None is. Raises DataError."""
        self._check_fitted()
        if data is not None:
            return data, self._panel(data, future)
        if not hasattr(self, "_data"):
            raise DataError(f"there are no series to {use} from.", f"give them: {use}(data).")
        return self._data, self._table if future is None else self._panel(self._data, future)

    @property
    def horizon_(self) -> int:
        """The steps that are forecast."""
        return self.architecture_.horizon

    def _check_known(self, panel: Panel, ends: Array) -> None:
        ahead = (ends[:, None] + np.arange(self.horizon_)).ravel()
        for name in self.encoder_.roles.known:
            missing = np.isnan(panel.columns[name][ahead])
            if missing.any():
                raise DataError(
                    f"{name!r} should be known {self.horizon_} steps ahead, but {missing.sum():,} values are missing.",
                    "give rows for the horizon, with the targets left empty: in the data, or as `future`.",
                )

    # ---- figures

    def evaluate(
        self,
        data: Any = None,
        *,
        windows: int | None = None,
        standardised: bool = False,
        season: int | None = None,
        stride: int = 1,
        refit: int | None = None,
        quiet: bool = False,
        watch: Watch | None = None,
        progress: Any = lambda done: None,
    ) -> ForecastEvaluation:
        """Back-test on the test part of some series, beside baselines; every origin forecasts from what precedes it.

        Where the model's split leaves no test part, the validation part counts, which is said: it chose the weights.
        windows: instead of a part so many origins at the end of each series, as where later rows have come since.
        standardised: figures on targets less their training mean over their training deviation. season: the rows of a
        season, for MASE and seasonal naive; by default that of the frequency. stride: rows from origin to origin.

        refit: cut what is tested into so many stretches, of each series its own, and forecast each with a model that
        has learned anew from the rows before it: the same options, seed, number of training steps and rows to
        validate. This object stays as it is. It needs torch. quiet: say nothing of it on standard error.
        watch: is shown every forecast as it is made, such as `forecast_plot.Shown`.

        Raises DataError where no window fits, OptionError for a number below 1 or more refits than origins,
        MissingExtraError for a refit without torch.
        """
        for name, value in (("windows", windows), ("season", season), ("stride", stride), ("refit", refit)):
            if value is not None and value < 1:
                raise OptionError(f"{name} must be at least 1, not {value}.")
        _, table = self._read("evaluate", data)
        panel = table.panel
        part, first, last = self._tested(panel, windows, stride)
        walked = origins(panel.starts, first, last, self.horizon_, stride=stride)
        if not len(walked):
            raise DataError(f"no series has the {self.horizon_} rows that a test takes.", "give longer series.")
        walk: Iterable[tuple[Forecaster, Origins]] = [(self, walked)]
        if refit is not None:
            cut, parts = stretches(walked, panel.starts, first, refit), self._parts(panel)
            walk = refitted(self._anew, table, parts.valid - parts.train, cut, quiet)
        tested = Tested(panel, walked, part, first, season or self.season_, standardised)
        return evaluated(self, tested, walk, watch, progress)

    def _anew(self, table: Table, parts: Parts, report: Any) -> Forecaster:
        """Return a forecaster with the same options and cell that has learned from a table, in as many steps."""
        from ..training.session import Session

        other, options = Forecaster(), options_of_refits(self.options_, int(self.history_[-1]["step"]))
        other._learn(table, Session(options, self.architecture_.cell, report, time.monotonic()), parts)
        return other

    def _parts(self, panel: Panel) -> Parts:
        """Return the parts of a panel's series, as the model's split says. Raises DataError, OptionError."""
        return split(panel, known_ends(panel, self.encoder_.roles.targets), self.options_.split, self.horizon_)

    def _tested(self, panel: Panel, windows: int | None, stride: int) -> tuple[str, Array, Array]:
        """Return the name of the part that is tested, its first row and the one after its last of each series."""
        if windows is not None:
            ends = known_ends(panel, self.encoder_.roles.targets)
            return "last", np.maximum(panel.starts[:-1], ends - self.horizon_ - (windows - 1) * stride), ends
        parts = self._parts(panel)
        if (parts.test - parts.valid >= self.horizon_).any():
            return "test", parts.valid, parts.test
        return "validation", parts.train, parts.valid

    # ---- the file

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, atomically. Raises OSError when it cannot be written."""
        self._check_fitted()
        architecture = msgspec.to_builtins(msgspec.structs.replace(self.architecture_, cell=None))
        document = Document(
            self.versions_,
            self.architecture_.cell.to_data(),
            self.options_,
            self.encoder_,
            architecture,
            [float(share) for share in self.share_],
            self.linear_ is not None and self.linear_.shared,
            self.season_,
            self.frequency_,
            self.data_,
            self.history_,
        )
        tensors = {f"network.{name}": weight for name, weight in self.weights_.items()}
        if self.linear_ is not None:
            kept = {"matrices": self.linear_.matrices_, "residuals": self.linear_.residuals_}
            tensors |= {f"linear.{name}": array.astype(np.float32) for name, array in kept.items()}
        if self.ranks_ is not None:
            tensors["ranks"] = self.ranks_
        model_file.write(path, TASK, document, tensors)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], plain: dict[str, Any], tensors: model_file.Tensors) -> Forecaster:
        """Build a forecaster from what `model_file.read` returned, checking everything. Raises FileFormatError."""
        document = model_file.decode(path, plain, Document)
        try:
            architecture = msgspec.convert(
                {**document.architecture, "cell": Cell.from_data(document.cell)}, ForecastArchitecture
            )
        except (OstinatoError, msgspec.ValidationError) as error:
            # What the architecture itself refuses, msgspec wraps.
            own = error.__cause__ if isinstance(error.__cause__, OstinatoError) else error
            raise FileFormatError(f"{path} is damaged: {getattr(own, 'message', own)}") from None
        check_document(path, document, architecture)
        weights = network_of(path, tensors, architecture, "ranks")
        forecaster = cls()
        forecaster.options_, forecaster.encoder_, forecaster.architecture_ = (
            document.options,
            document.encoder,
            architecture,
        )
        forecaster.set_params(**msgspec.structs.asdict(document.options) | {"cell": architecture.cell})
        forecaster.weights_ = weights
        forecaster.linear_ = linear_of(path, below("linear", tensors), document)
        forecaster.share_, forecaster.season_ = np.array(document.share), document.season
        forecaster.ranks_ = check_ranks(path, tensors["ranks"], architecture) if "ranks" in tensors else None
        forecaster.frequency_ = document.frequency
        forecaster.data_, forecaster.history_ = document.data, document.history
        forecaster.versions_ = document.versions
        return forecaster

    def summary(self) -> Mapping[str, Any]:
        """Return what `ostinato info` tells, as plain data."""
        sizes = self.architecture_
        return {
            "task": TASK,
            "cell": {"name": sizes.cell.name, "doc": sizes.cell.doc, "program": str(sizes.cell.program)},
            "forecasts": f"{sizes.horizon} steps of {', '.join(self.encoder_.roles.targets)}",
            "from": f"{sizes.lookback} steps, {self.data_.get('frequency', '')}, in segments of {sizes.segment}",
            "roles": msgspec.to_builtins(self.encoder_.roles),
            "weights": sum(array.size for array in self.weights_.values()),
            "network's share": [round(float(share), 3) for share in self.share_],
            "options": msgspec.to_builtins(self.options_),
            "versions": self.versions_,
        }


def _with_bands(linear: Ridge, history: Array, levels: Array) -> Array:
    """Return quantiles [B, h, C, Q] of a linear model around its forecast, which is the middle one.

    levels: [Q], of which one is 0.5, or for each value [B, h, C, Q]. That its validation errors were not around zero is
    no sign that those to come will not be.
    """
    if levels.ndim > 1:
        return margins.read(_with_bands(linear, history, np.array(margins.LEVELS)), margins.LEVELS, levels)
    quantiles = linear.quantiles(history, levels.tolist())
    middle = levels.tolist().index(0.5)
    return quantiles - quantiles[..., [middle]] + linear.predict(history)[..., None]


def _batches(windows: Origins, size: int) -> Iterator[Origins]:
    for begin in range(0, len(windows), size):
        yield windows.take(slice(begin, begin + size))


def _history(values: Array, windows: Origins, lookback: int) -> Array:
    """Return lookbacks [B, L, C] of values [N, C], not-a-number before a series' beginning."""
    rows = windows.rows[:, None] + np.arange(-lookback, 0)
    is_there = rows >= windows.begins[:, None]
    return np.where(is_there[:, :, None], values[np.maximum(rows, windows.begins[:, None])], np.nan)
