"""The forecaster's face: the contract of an estimator, and learning."""

import signal

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

from ostinato import Forecaster
from ostinato.data.windows import Shuffled
from ostinato.errors import DataError, Interrupted, OptionError, OstinatoError, ShapeError
from tests.small_series import SIZES, load, times
from tests.tasks.forecasters import ROLES, ahead, assert_same_after_saving, fitted, refusal, weights

# ---- the contract of an estimator


def test_the_constructor_takes_note_and_does_nothing():
    model = Forecaster(12, time="10m", quantiles=[0.1, 0.5])
    assert [name for name in vars(model) if name.endswith("_")] == []
    assert repr(model) == "Forecaster(horizon=12, time='10m', quantiles=[0.1, 0.5])"


def test_parameters_are_kept_as_given_set_and_cloned():
    quantiles = [0.1, 0.5, 0.9]
    model = Forecaster(horizon=12, quantiles=quantiles, time="10m")
    given = model.get_params()
    assert (given["horizon"], given["time"], given["lookback"]) == (12, "10m", None)
    assert given["quantiles"] is quantiles
    assert clone(model).get_params() == given
    assert model.set_params(horizon=5) is model
    assert model.get_params() == given | {"horizon": 5}
    assert Forecaster(**given).get_params() == given


def test_unknown_parameters_are_refused_at_once():
    expected = ("there is no option 'lokback'.", "did you mean 'lookback'?")
    assert refusal(OptionError, Forecaster, lokback=3) == expected
    assert refusal(OptionError, Forecaster().set_params, lokback=3) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantiles": (0.1, 0.9)}, "quantiles are 0.1, 0.9, but should rise and hold 0.5."),
        ({"quantiles": (0.5, 0.1)}, "quantiles are 0.5, 0.1, but should rise and hold 0.5."),
        ({"quantiles": 0.5}, "quantiles should be numbers separated by commas, got 0.5."),
        ({"quantiles": (0.5, 1.5)}, "quantiles: expected `float` < 1.0, got (0.5, 1.5)."),
        ({"target": 5}, "target should be names separated by commas, got 5."),
        ({"split": (0.5,)}, "a split has two or three parts, not 1."),
        ({"steps": 3, "time": "1m"}, "time and steps exclude each other."),
        ({"lookback": 10, "segment": 4}, "a lookback of 10 steps is not made of segments of 4."),
        ({"horizon": 0}, "horizon: expected `int` >= 1, got 0."),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    found, hint = refusal(OptionError, Forecaster(**(SIZES | options)).fit, np.arange(60.0), quiet=True)
    assert found.rstrip(".") == message.rstrip(".")
    assert hint


def test_fit_returns_itself_and_sets_names_that_end_in_an_underscore():
    model = Forecaster(**SIZES)
    before = set(vars(model))
    assert model.fit(np.arange(60.0) % 7, quiet=True) is model
    assert all(name.endswith("_") or name.startswith("_") for name in set(vars(model)) - before)
    assert model.options_.lookback == 6
    assert model.get_params()["segment"] is None


@pytest.mark.parametrize("use", ["predict", "evaluate", "save"])
def test_a_forecaster_that_has_not_learned_says_so(use, tmp_path):
    arguments = [tmp_path / "model"] if use == "save" else []
    message, hint = refusal(OstinatoError, getattr(Forecaster(4), use), *arguments)
    assert message == "this forecaster has not learned anything yet."
    assert hint == "call fit(data), or open a file with ostinato.load(path)."


def test_a_failed_fit_leaves_the_model_as_it_was():
    model = fitted(np.arange(60.0) % 7)
    before = model.predict()
    with pytest.raises(DataError):
        model.fit(np.arange(3.0), quiet=True)
    assert np.array_equal(model.predict(), before)


# ---- learning


def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_before(wide):
    import torch

    torch.manual_seed(99)
    again = fitted(pl.DataFrame(load()), **ROLES)
    assert weights(again) == weights(wide)
    assert np.array_equal(again.share_, wide.share_)
    assert weights(fitted(pl.DataFrame(load()), **ROLES, seed=1)) != weights(wide)


@pytest.mark.parametrize(
    "options",
    [
        {"channels": "mixed", "cell": "lstm", "num_layers": 2},
        {"decoder": "stepwise", "past": (), "segment": 3},
        {"decoder": "stepwise", "channels": "mixed", "segment": 2, "quantiles": (0.5, 0.9)},
        {"scaling": "window", "linear": "never", "calendar": False, "dropout": 0.0},
        {"quantiles": (0.5,), "segment": 1},
    ],
    ids=str,
)
def test_every_kind_of_network_learns_predicts_and_comes_back_from_its_file(options, tmp_path):
    roles = ROLES | ({"known": (), "past": ()} if options.get("decoder") == "stepwise" else {})
    model = fitted(pl.DataFrame(load()).drop("heat", "day", "price"), **(roles | {"known": (), "past": ()} | options))
    assert_same_after_saving(model, tmp_path, model.predict())
    assert model.predict().height == 4
    assert all(np.isfinite(model.predict()[name].to_numpy()).all() for name in ("load", "wind"))


def test_stepwise_decoding_takes_no_columns_of_the_past_alone():
    message, _ = refusal(OptionError, fitted, pl.DataFrame(load()), **ROLES, decoder="stepwise")
    assert message == "the stepwise decoder reads inputs that are known ahead alone."


def test_training_reduces_the_loss():
    sizes = {"steps": 60, "evaluations": 6, "hidden_size": 16, "dropout": 0.0, "segment": 1, "learning_rate": 0.05}
    model = fitted(np.sin(np.arange(200) * 2 * np.pi / 12), linear="never", batch_size=32, **sizes)
    assert model.history_[-1]["valid"] < model.history_[0]["valid"] / 1.7


def test_a_lookback_that_is_given_is_kept_and_cut_into_whole_segments():
    for lookback, horizon in ((7, 4), (30, 12), (6, 30), (1, 1)):
        options = fitted(np.arange(150.0) % 7, lookback=lookback, horizon=horizon).options_
        assert options.lookback == lookback
        assert lookback % options.segment == 0


def test_going_on_from_a_checkpoint_gives_the_bits_of_a_run_that_never_stopped(tmp_path, monkeypatch):
    data = pl.DataFrame(load())
    whole = fitted(data, **ROLES, steps=6)
    _stop_after(monkeypatch, 3)
    checkpoint = tmp_path / "run"
    with pytest.raises(Interrupted):
        Forecaster(**(SIZES | ROLES | {"steps": 6})).fit(data, checkpoint=checkpoint, quiet=True)
    monkeypatch.undo()
    for options, other, said in (
        ({"hidden_size": 5}, data, "hidden_size is 5, but the checkpoint was made with 4."),
        ({"cell": "lstm"}, data, "the checkpoint was made with another cell."),
        ({}, data.with_columns(load=pl.col("load") + 1), "the checkpoint was made from other series."),
    ):
        again = Forecaster(**(SIZES | ROLES | {"steps": 6} | options))
        assert refusal(OptionError, again.fit, other, checkpoint=checkpoint, resume=True, quiet=True)[0] == said
    begun = Forecaster(**(SIZES | ROLES))
    assert "holds an unfinished run" in refusal(OptionError, begun.fit, data, checkpoint=checkpoint, quiet=True)[0]
    resumed = Forecaster(**(SIZES | ROLES | {"steps": 6})).fit(data, checkpoint=checkpoint, resume=True, quiet=True)
    assert weights(resumed) == weights(whole)
    assert resumed.history_ == whole.history_
    assert resumed.predict(data, ahead()).equals(whole.predict(data, ahead()))


def _stop_after(monkeypatch, step):
    """Send this process a signal when the batch of a step is asked for."""
    batch = Shuffled.batch

    def stopping(self, number):
        if number == step:
            signal.raise_signal(signal.SIGINT)
        return batch(self, number)

    monkeypatch.setattr(Shuffled, "batch", stopping)


def test_the_calendar_is_an_input_where_it_tells_what_the_linear_model_misses():
    hours = np.arange(24 * 80)
    pushes = np.where(hours % 24 == 8, 3.0, -3 / 23) + np.random.default_rng(2).normal(0, 0.1, len(hours))
    frame = pl.DataFrame({"when": times(len(hours)), "load": pushes.cumsum()})
    sizes = {"horizon": 4, "lookback": 4, "segment": 4, "target": ("load",), "time_column": "when"}
    assert fitted(frame, **sizes).encoder_.calendar == ["time of day"]
    assert fitted(frame, **sizes, calendar=False).encoder_.calendar == []
    assert fitted(frame, **sizes | {"lookback": 48}).encoder_.calendar == []
    every = ["time of day", "day of the week"]
    assert fitted(frame, **sizes, calendar=True).encoder_.calendar == every
    assert fitted(frame, **sizes, linear="never").encoder_.calendar == every


def test_sizes_that_no_machine_has_room_for_are_refused_before_they_are_taken():
    message, hint = refusal(ShapeError, fitted, np.arange(60.0), lookback=2**27, segment=1)
    assert message.startswith("a forecast of 4 steps from 134,217,728 takes ")
    assert hint == "use a smaller --lookback or --horizon, or fewer targets."
