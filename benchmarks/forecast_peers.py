"""Another library's forecasts of a problem: its errors, and what it takes in time, memory and bytes, as JSON.

    PYTHON -m benchmarks.forecast_peers PROBLEM.npz --model darts-gru --time 600

PYTHON is that of an environment which holds the library; Ostinato need not be in it. `python -m benchmarks.forecast
--peer` writes the problem and starts this. Models have their library's defaults but for the lookback, the horizon and
when they stop: each trains on the series of the training part, all in one model, until the validation part has shown
no progress for `PATIENCE` looks at it, or the time is over, and goes on with the weights that were best there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import resource
import sys
import sysconfig
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .forecast_problem import Array, Problem

LOOKBACK = 336
"""Rows that a model reads before an origin, at most: two weeks of hours."""
BATCH = 32
"""Windows in a batch of Darts, by default."""
PATIENCE = 10
"""Looks at the validation part without progress, after which training ends."""
UNBOUNDED = 10**7
"""Steps, or epochs, that no training comes to: time ends it."""
LIBRARIES = ("neuralforecast", "darts", "pytorch-lightning", "torch", "numpy")


class Limits(NamedTuple):
    """When a training ends at the latest: seconds, and steps if they are limited."""

    seconds: float
    steps: int | None


class Forecasts(NamedTuple):
    """Forecasts of the windows of each series [W, H], and the seconds that fitting and predicting took."""

    found: list[Array]
    fit_seconds: float
    predict_seconds: float
    steps: int


def main() -> None:
    """Print what was found, as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("problem", type=Path, help="a file that benchmarks.forecast wrote")
    parser.add_argument("--model", required=True, choices=MODELS)
    parser.add_argument("--time", type=float, default=600, metavar="SECONDS", help="of training")
    parser.add_argument("--steps", type=int, help="training steps, at most")
    given = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        found = measure(Problem.load(given.problem), given.model, Limits(given.time, given.steps))
    json.dump(found, sys.stdout)


def measure(problem: Problem, model: str, limits: Limits) -> dict[str, Any]:
    """Fit a model, forecast every window, and return the figures.

    metrics: those of `Problem.judge`. persistence: the same of the last value, by which to see that two programs judged
    the same windows alike. memory, installed: MB.
    """
    lookback = lookback_of(problem)
    forecasts = MODELS[model](problem, lookback, limits)
    return {
        "model": model,
        "metrics": problem.judge(forecasts.found),
        "persistence": problem.judge(problem.persistence()),
        "windows": sum(map(len, forecasts.found)),
        "lookback": lookback,
        "steps": forecasts.steps,
        "fit_seconds": forecasts.fit_seconds,
        "predict_seconds": forecasts.predict_seconds,
        # ru_maxrss counts KiB on Linux.
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "installed": installed(),
        "versions": {"python": platform.python_version()} | _versions(),
    }


def lookback_of(problem: Problem) -> int:
    """Return the rows that are read before an origin: of short series half, and never so many that none can train."""
    lengths = problem.train
    return max(1, int(min(LOOKBACK, lengths.max() // 2, lengths.min() - problem.horizon)))


def installed() -> float:
    """Return the MB of all packages of the environment that this runs in."""
    folders = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    files = (file for folder in folders for file in Path(folder).rglob("*"))
    return sum(file.lstat().st_size for file in files if file.is_file()) / 1e6


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def neuralforecast(name: str) -> Callable[[Problem, int, Limits], Forecasts]:
    """Return what fits one of NeuralForecast's models and forecasts every window by its `cross_validation`."""

    def forecasts(problem: Problem, lookback: int, limits: Limits) -> Forecasts:
        from neuralforecast import NeuralForecast, models

        table = _table(problem)
        inputs = [column for column in table if column.startswith("input_")]
        numbers, places = table["unique_id"].to_numpy(), table["ds"].to_numpy()
        held_out = int((problem.valid - problem.train).min())
        model = getattr(models, name)(
            h=problem.horizon,
            input_size=lookback,
            hist_exog_list=inputs or None,
            max_steps=limits.steps or UNBOUNDED,
            early_stop_patience_steps=PATIENCE,
            **_trainer(limits, best_kept("ptl/val_loss")),
        )
        model.val_check_steps = look_every(problem, model.windows_batch_size)
        library = NeuralForecast([model], freq=1)
        begin = time.perf_counter()
        library.fit(table[places < problem.valid[numbers]], val_size=held_out)
        fitted = time.perf_counter()
        (tested,) = {int(rows) for rows in problem.last - problem.first}
        found = library.cross_validation(
            table, n_windows=None, test_size=tested, step_size=1, refit=False, use_fitted=True
        )
        predicted = time.perf_counter()
        shape = (problem.num_series, -1, problem.horizon)
        first = found["cutoff"].to_numpy().reshape(shape)[:, 0, 0] + 1
        assert (first == problem.first).all(), f"the first windows begin at {first}, not at {problem.first}"
        # Training has had a copy of what was given.
        kept = library.models[0].trainer_kwargs["callbacks"][0]
        # Rows are sorted by series, then by window, then by step.
        return Forecasts(list(found[name].to_numpy().reshape(shape)), fitted - begin, predicted - fitted, kept.steps)

    return forecasts


def _table(problem: Problem) -> Any:
    """Return the series in NeuralForecast's form: a row for each value, as far as the last window."""
    import pandas

    series = problem.series()
    rows = [problem.rows(number, 0, problem.last[number]) for number in range(problem.num_series)]
    columns = {
        "unique_id": np.repeat(np.arange(len(series)), list(map(len, series))),
        "ds": np.concatenate([np.arange(len(values)) for values in series]),
        "y": np.concatenate(series).astype(np.float32),
    }
    inputs = np.concatenate([problem.inputs[some] for some in rows])
    return pandas.DataFrame(columns | {f"input_{place}": column for place, column in enumerate(inputs.T)})


def darts(name: str, **own: Any) -> Callable[[Problem, int, Limits], Forecasts]:
    """Return what fits one of Darts' models and forecasts every window by its `historical_forecasts`."""

    def forecasts(problem: Problem, lookback: int, limits: Limits) -> Forecasts:
        from darts import TimeSeries, models
        from pytorch_lightning.callbacks import EarlyStopping

        series = [TimeSeries.from_values(values[:, None].astype(np.float32)) for values in problem.series()]
        rows = [problem.rows(number, 0, problem.last[number]) for number in range(problem.num_series)]
        inputs = [TimeSeries.from_values(problem.inputs[some]) for some in rows] if problem.inputs.size else None
        kept = best_kept("val_loss")
        trainer = _trainer(limits, kept, EarlyStopping("val_loss", patience=PATIENCE))
        # An epoch may take longer than there is time.
        trainer |= {"val_check_interval": look_every(problem, BATCH), "check_val_every_n_epoch": None}
        trainer |= {"max_steps": limits.steps or UNBOUNDED}
        model = getattr(models, name)(
            input_chunk_length=lookback,
            output_chunk_length=problem.horizon,
            n_epochs=UNBOUNDED,
            random_state=1,
            pl_trainer_kwargs=trainer,
            **own,
        )
        begin = time.perf_counter()
        model.fit(
            [one[: int(end)] for one, end in zip(series, problem.train, strict=True)],
            val_series=[
                one[int(first) - lookback : int(last)]
                for one, first, last in zip(series, problem.train, problem.valid, strict=True)
            ],
            past_covariates=inputs,
            val_past_covariates=inputs,
        )
        fitted = time.perf_counter()
        found = []
        for number, one in enumerate(series):
            first = int(problem.first[number])
            windows = model.historical_forecasts(
                one[first - lookback :],
                past_covariates=None if inputs is None else inputs[number],
                forecast_horizon=problem.horizon,
                retrain=False,
                stride=1,
                last_points_only=False,
                show_warnings=False,
            )
            assert windows[0].start_time() == first, f"the first window begins at {windows[0].start_time()}"
            found.append(np.stack([window.values()[:, 0] for window in windows]))
        return Forecasts(found, fitted - begin, time.perf_counter() - fitted, kept.steps)

    return forecasts


def look_every(problem: Problem, batch: int) -> int:
    """Return the training steps, of so many windows, from one look at the validation part to the next.

    As many as it takes to look at, so that training takes most of the time, but not less than NeuralForecast's 100.
    """
    return max(100, int((problem.valid - problem.train).sum()) // batch)


def _trainer(limits: Limits, *callbacks: Any) -> dict[str, Any]:
    """Return what PyTorch Lightning is told, which both libraries train with."""
    return {
        "max_time": {"seconds": limits.seconds},
        "callbacks": list(callbacks),
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }


def best_kept(monitor: str) -> Any:
    """Return a callback that, when training ends, puts back the weights of the least validation loss, if there was one.

    Its `steps` are those trained.
    """
    from pytorch_lightning.callbacks import Callback

    class BestKept(Callback):
        def __init__(self) -> None:
            self.least, self.weights, self.steps = float("inf"), {}, 0

        def on_validation_end(self, trainer: Any, module: Any) -> None:
            loss = float(trainer.callback_metrics[monitor])
            if loss < self.least:
                self.least = loss
                self.weights = {name: weight.detach().clone() for name, weight in module.state_dict().items()}

        def on_train_end(self, trainer: Any, module: Any) -> None:
            self.steps = trainer.global_step
            if self.weights:
                module.load_state_dict(self.weights)

    return BestKept()


MODELS: dict[str, Callable[[Problem, int, Limits], Forecasts]] = {
    "neuralforecast-gru": neuralforecast("GRU"),
    "neuralforecast-nhits": neuralforecast("NHITS"),
    "darts-gru": darts("BlockRNNModel", model="GRU"),
    "darts-nlinear": darts("NLinearModel"),
}

if __name__ == "__main__":
    main()
