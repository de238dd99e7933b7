"""The forecaster's face: learn, predict, evaluate, save, and the contract of an estimator."""

import copy
import signal
import subprocess
import sys

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

import ostinato
from ostinato import Forecaster, model_file
from ostinato.data.extension import extended
from ostinato.data.windows import Origins, Shuffled
from ostinato.errors import DataError, FileFormatError, Interrupted, OptionError, OstinatoError
from tests.small import PEEPHOLE
from tests.small_series import SIZES, load, marked, shops, times

KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
ROLES = {"target": ("load", "wind"), "known": ("price",), "past": ("heat", "day"), "time_column": "when"}


def fitted(data, **options):
    return Forecaster(**(SIZES | options)).fit(data, quiet=True)


def refusal(error, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    return caught.value.message, caught.value.hint


def ahead(rows=4, after=90):
    """Rows for the horizon: what is known of it."""
    return pl.DataFrame({"when": times(after + rows)[after:], "price": np.linspace(1, 5, rows)})


@pytest.fixture(scope="module")
def wide():
    return fitted(pl.DataFrame(load()), **ROLES)


@pytest.fixture(scope="module")
def many():
    return fitted(pl.DataFrame(shops()), static=("town",))


@pytest.fixture(scope="module")
def network():
    """A recurrent network alone: with so few steps the linear forecast may be all that counts."""
    return fitted(pl.DataFrame(load()), **ROLES, linear="never")


def weights(model):
    return {name: array.tobytes() for name, array in model.weights_.items()}


# ---- the contract of an estimator


def test_the_constructor_takes_note_and_does_nothing():
    model = Forecaster(12, time="10m", quantiles=[0.1, 0.5])
    assert [name for name in vars(model) if name.endswith("_")] == []
    assert repr(model) == "Forecaster(time='10m', quantiles=[0.1, 0.5], horizon=12)"


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


# ---- predicting


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_back_in_the_callers_kind_and_stay_as_they_were(kind):
    data, future = KINDS[kind](load()), KINDS[kind](ahead().to_dict(as_series=False))
    before = copy.deepcopy(data)
    model = fitted(data, **ROLES)
    found = model.predict(data, future)
    assert type(found) is type(data)
    assert data.equals(before)
    names = [f"{target}{end}" for target in ("load", "wind") for end in ("", "_q0.1", "_q0.9")]
    assert list(pl.DataFrame(found).columns if kind != "pyarrow" else found.column_names) == ["when", *names]
    assert np.array_equal(np.asarray(found["when"], "M8[us]"), times(94)[90:])
    reference = fitted(pl.DataFrame(load()), **ROLES).predict(pl.DataFrame(load()), ahead())
    assert np.array_equal(np.asarray(found["load"]), reference["load"].to_numpy())
    low, middle, high = (np.asarray(found[name]) for name in ("load_q0.1", "load", "load_q0.9"))
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_data_that_have_changed_since_are_read_anew():
    values = np.sin(np.arange(60.0))
    model = fitted(values)
    before = model.predict(values)
    values += 100
    np.testing.assert_allclose(model.predict(values), before + 100, rtol=1e-5)
    assert np.array_equal(model.predict(), before)


def test_times_with_a_zone_come_back_in_it():
    frame = pd.DataFrame({"t": pd.date_range("2024-03-01", periods=60, freq="h", tz="UTC"), "y": np.arange(60.0) % 7})
    found = fitted(frame).predict()
    assert str(found["t"].dt.tz) == "UTC"
    assert found["t"].iloc[0] == pd.Timestamp("2024-03-03 12:00", tz="UTC")


def test_arrays_come_back_as_arrays():
    one = np.sin(np.arange(60.0))
    two = np.stack([one, one**2], axis=1)
    assert fitted(one).predict().shape == (4, 3)
    assert fitted(list(one)).predict(one).shape == (4, 3)
    assert fitted(two).predict().shape == (4, 2, 3)
    several = fitted([one, one[:40], one[:3]])
    assert [each.shape for each in several.predict()] == [(4, 3)] * 3
    assert [each.shape for each in several.predict([one[5:]])] == [(4, 3)]
    message, _ = refusal(DataError, several.predict, [one], future=[one])
    assert message == "arrays have no rows of the future."


def test_files_are_read_and_answered_in_polars(tmp_path):
    pl.DataFrame(shops()).write_csv(tmp_path / "shops.csv")
    found = fitted(tmp_path / "shops.csv", static=("town",)).predict()
    assert isinstance(found, pl.DataFrame)
    assert found["unique_id"].unique(maintain_order=True).to_list() == ["shop 1", "shop 2", "shop 3"]
    assert found.columns == ["unique_id", "ds", "y", "y_q0.1", "y_q0.9"]


def test_new_series_need_no_refit_and_company_changes_nothing_that_shows(many):
    data = pl.DataFrame(shops((30, 20), seed=5)).with_columns(unique_id=pl.col("unique_id") + " new")
    found = many.predict(data)
    assert found["unique_id"].unique(maintain_order=True).to_list() == ["shop 1 new", "shop 2 new"]
    alone = many.predict(data.filter(pl.col("unique_id") == "shop 2 new"))
    np.testing.assert_allclose(alone["y"], found["y"][4:], rtol=1e-6)


def test_what_is_fixed_for_a_series_counts_in_its_future():
    model = fitted(pl.DataFrame(shops()), static=("town",), linear="never", calendar=False)
    data = pl.DataFrame(shops((30,)))
    panel, ends = extended(model.panel(data), np.array([30]), 4, model.encoder_.roles.static)
    assert model.encoder_.encode(panel).future[ends[0] :].tolist() == [[0, 1]] * 4
    found, other = model.predict(data), model.predict(data.with_columns(town=pl.lit("Bonn")))
    assert found["y"].to_list() != other["y"].to_list()


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_series_shorter_than_the_lookback_have_a_forecast(many, wide, rows):
    assert np.isfinite(many.predict(pl.DataFrame(shops((rows,))))["y"].to_numpy()).all()
    found = wide.predict(pl.DataFrame(load(rows)), ahead(after=rows))
    assert np.isfinite(found["load"].to_numpy()).all()
    assert found["when"][0] == pl.DataFrame({"t": times(rows + 1)})["t"][-1]


def test_a_constant_series_goes_on(many):
    data = pl.DataFrame(shops((30,))).with_columns(y=pl.lit(0.1))
    found = many.predict(data)
    np.testing.assert_allclose(found["y"], 0.1, atol=2)
    model = fitted(np.full(60, 0.1))
    assert np.abs(model.predict() - 0.1).max() < 2


@pytest.mark.parametrize("gone", ["some", "all of a window", "the end"])
def test_missing_values_need_no_filling(gone, tmp_path):
    columns = load()
    rows = {"some": np.arange(90) % 5 == 2, "all of a window": np.arange(90) // 12 == 3, "the end": np.arange(90) > 86}
    columns = marked(columns, ["load", "heat"], rows[gone], np.nan)
    data = pl.DataFrame(columns)
    model = fitted(data, **ROLES)
    found = model.predict(data, ahead())
    assert found.height == 4
    assert np.isfinite(found["load"].to_numpy()).all()
    assert_same_after_saving(model, tmp_path, found, data, ahead())


def test_a_window_without_any_value_has_a_forecast(wide):
    columns = marked(load(), ["load"], np.arange(90) > 40, np.nan)
    found = wide.predict(pl.DataFrame(columns), ahead())
    assert np.isfinite(found["load"].to_numpy()).all()


def test_categories_that_training_did_not_have_are_no_error(wide):
    data = pl.DataFrame(load()).with_columns(day=pl.lit("storm"))
    assert np.isfinite(wide.predict(data, ahead())["load"].to_numpy()).all()


def test_a_column_of_another_kind_is_refused(wide):
    data = pl.DataFrame(load())
    assert refusal(DataError, wide.predict, data.with_columns(day=pl.lit(1.0)), ahead())[0] == (
        "column 'day' holds numbers, but held categories in training."
    )
    assert (
        "'heat' holds categories, but held numbers"
        in refusal(DataError, wide.predict, data.with_columns(heat=pl.lit("hot")), ahead())[0]
    )


def test_a_renamed_column_is_named(wide):
    message, hint = refusal(DataError, wide.predict, pl.DataFrame(load()).rename({"heat": "heats"}))
    assert message == "the table: there is no column 'heat'."
    assert hint == "did you mean 'heats'?"


def test_what_should_be_known_ahead_is_asked_for(network):
    wide = network
    data = pl.DataFrame(load())
    message, hint = refusal(DataError, wide.predict, data)
    assert message == "'price' should be known 4 steps ahead, but 4 values are missing."
    assert "future" in hint
    joined = pl.concat([data, ahead()], how="diagonal")
    assert wide.predict(joined).equals(wide.predict(data, ahead()))
    assert wide.predict(future=ahead()).equals(wide.predict(data, ahead()))
    other = ahead().with_columns(price=pl.lit(40.0))
    assert not wide.predict(data, other).equals(wide.predict(data, ahead()))


def test_irregular_times_make_the_time_between_them_an_input():
    random = np.random.default_rng(0)
    gaps = np.cumsum(random.integers(1, 50, 94)) * np.timedelta64(60, "s")
    frame = pl.DataFrame({"t": np.datetime64("2024-01-01", "us") + gaps, "y": random.normal(size=94)})
    known = frame.with_columns(y=pl.when(pl.int_range(94) < 90).then(pl.col("y")))
    model = fitted(known, irregular=True, calendar=False, linear="never")
    assert model.encoder_.future_size == 1
    assert model.predict()["t"].to_list() == frame["t"][90:].to_list()
    later = known.with_columns(
        t=pl.col("t") + pl.when(pl.int_range(94) < 93).then(0).otherwise(10**9) * pl.duration(microseconds=1)
    )
    assert not model.predict(later)["y"].equals(model.predict()["y"])
    assert "irregular times have no next one" in refusal(DataError, model.predict, frame)[0]


# ---- leakage


def test_nothing_after_an_origin_changes_a_forecast_a_scale_or_a_choice():
    """Training and validation end at row 70 of 90: what lies behind changes no bit of the model."""
    split = (60, 10, 20)
    columns = load()
    model = fitted(pl.DataFrame(columns), **ROLES, split=split)
    test = np.arange(90) >= 70
    spoilt = marked(marked(columns, ["load", "wind"], test & (np.arange(90) % 3 > 0)), ["price", "heat"], test)
    spoilt = marked(spoilt, ["load", "heat"], test & (np.arange(90) % 3 == 0), np.nan)
    other = fitted(pl.DataFrame(spoilt), **ROLES, split=split)
    assert weights(other) == weights(model)
    assert np.array_equal(other.share_, model.share_)
    assert np.array_equal(other.linear_.matrices_, model.linear_.matrices_)
    assert np.array_equal(other.linear_.residuals_, model.linear_.residuals_)
    assert other.encoder_ == model.encoder_
    assert other.architecture_ == model.architecture_
    assert other.options_ == model.options_
    model.share_ = other.share_ = np.array([0.4, 0.6])
    begin, future = pl.DataFrame(columns)[:70], ahead(after=70)
    assert other.predict(begin, future).equals(model.predict(begin, future))
    inside = fitted(pl.DataFrame(marked(columns, ["load"], np.arange(90) == 50)), **ROLES, split=split)
    assert weights(inside) != weights(model)
    assert inside.encoder_ != model.encoder_


def test_in_a_back_test_nothing_after_an_origin_changes_its_forecast():
    columns = load()
    model = fitted(pl.DataFrame(columns), **ROLES, split=(60, 10, 20))
    model.share_ = np.array([0.4, 0.6])
    spoilt = marked(columns, ["load", "wind", "heat"], np.arange(90) >= 80)
    found, other = (_forecasts(model, pl.DataFrame(each)) for each in (columns, spoilt))
    assert np.array_equal(found[:11], other[:11])
    assert not np.array_equal(found[11:], other[11:])


def _forecasts(model, data):
    """Return the quantiles of every origin of the test part, and of those behind it."""
    panel, rows = model.panel(data), np.arange(70, 90)
    windows = Origins(rows, np.zeros_like(rows), np.full_like(rows, 90))
    return np.concatenate([each for _, each in model.forecasts(panel, model.encoder_.encode(panel), windows)])


# ---- evaluating


def test_figures_are_those_of_forecasts_made_one_by_one():
    columns, split = load(), (60, 10, 20)
    model = fitted(pl.DataFrame(columns), **ROLES, split=split)
    model.share_ = np.array([0.4, 0.6])
    found = model.evaluate()
    errors = []
    for row in range(70, 87):
        end = pl.DataFrame({"when": columns["when"][row : row + 4], "price": columns["price"][row : row + 4]})
        guess = model.predict(pl.DataFrame(columns)[:row], end)
        errors.append([guess[name].to_numpy() - columns[name][row : row + 4] for name in ("load", "wind")])
    assert (found.part, found.windows) == ("test", 17)
    assert found.metrics["mse"] == pytest.approx(np.mean(np.square(errors)), rel=1e-6)
    assert found.by_step["mae"] == pytest.approx(np.abs(errors).mean((0, 1)).tolist(), rel=1e-6)
    assert [each["mae"] for each in found.by_series.values()] == pytest.approx(np.abs(errors).mean((0, 2)).tolist())
    assert list(found.by_series) == ["load", "wind"]
    assert set(found.baselines) == {"persistence", "seasonal naive", "drift", "linear"}


def test_standardised_figures_are_in_deviations_of_the_training_part():
    model = fitted(pl.DataFrame(load()).drop("wind"), target="load", time_column="when", split=(60, 10, 20), past=())
    plain, scaled = model.evaluate(), model.evaluate(standardised=True)
    unit = load()["load"][:60].std()
    for name in ("persistence", "linear"):
        assert scaled.baselines[name]["mse"] == pytest.approx(plain.baselines[name]["mse"] / unit**2)
    assert scaled.metrics["mae"] == pytest.approx(plain.metrics["mae"] / unit)
    assert scaled.metrics["coverage_80"] == plain.metrics["coverage_80"]


def test_without_a_test_part_the_validation_part_counts_and_is_named(wide):
    found = wide.evaluate()
    assert found.part == "validation"
    assert found.windows == 9 - 4 + 1


def test_a_baseline_that_wins_is_named():
    """A straight line is what drift forecasts exactly, and an untrained network does not."""
    model = fitted(np.arange(90.0) ** 1.0, linear="never", steps=1, evaluations=1)
    found = model.evaluate()
    assert found.winner == "drift"
    assert found.baselines["drift"]["mse"] < found.metrics["mse"]
    better = msgspec.structs.replace(found, metrics=found.metrics | {"mse": -1.0})
    assert better.winner is None


def test_strides_and_seasons(wide):
    assert wide.evaluate(stride=3).windows == 2
    assert wide.evaluate(season=5).baselines["seasonal naive"] != wide.evaluate().baselines["seasonal naive"]
    for name in ("season", "stride"):
        for value in (0, -1):
            message, _ = refusal(OptionError, wide.evaluate, **{name: value})
            assert message == f"{name} must be at least 1, not {value}."


def test_many_series_have_figures_each(many):
    found = many.evaluate(pl.DataFrame(shops((60, 40, 25, 50), seed=3)))
    assert list(found.by_series) == [f"shop {number} y" for number in range(1, 5)]
    assert "owa" in found.metrics


# ---- the file


def assert_same_after_saving(model, folder, expected, *data):
    path = folder / "model"
    model.save(path)
    opened = ostinato.load(path)
    data = data or (model._data,)
    assert opened.predict(*data).equals(expected)
    for name in ("options_", "encoder_", "architecture_", "history_", "season_", "frequency_", "data_", "versions_"):
        assert getattr(opened, name) == getattr(model, name), name
    assert weights(opened) == weights(model)


def test_a_saved_forecaster_is_the_same(wide, many, tmp_path):
    assert_same_after_saving(wide, tmp_path, wide.predict(future=ahead()), pl.DataFrame(load()), ahead())
    assert_same_after_saving(many, tmp_path, many.predict())
    with pytest.raises(AssertionError):
        assert_same_after_saving(many, tmp_path, many.predict(pl.DataFrame(shops(seed=8))))
    opened = ostinato.load(tmp_path / "model")
    assert opened.evaluate(pl.DataFrame(shops())) == many.evaluate()
    assert refusal(DataError, opened.predict)[0] == "there are no series to predict from."
    assert refusal(DataError, opened.evaluate)[0] == "there are no series to evaluate from."


def test_a_forecaster_that_was_opened_can_be_saved_cloned_and_fitted_again(many, tmp_path):
    many.save(tmp_path / "model")
    opened = ostinato.load(tmp_path / "model")
    opened.save(tmp_path / "again")
    assert model_file.read(tmp_path / "again")[0] == model_file.read(tmp_path / "model")[0]
    assert weights(clone(opened).fit(pl.DataFrame(shops()), quiet=True)) == weights(many)


def test_a_cell_of_ones_own_travels_in_the_file(tmp_path):
    model = fitted(np.arange(60.0) % 7, cell=PEEPHOLE)
    model.save(tmp_path / "model")
    opened = ostinato.load(tmp_path / "model")
    assert opened.architecture_.cell == PEEPHOLE
    assert np.array_equal(opened.predict(np.arange(60.0) % 7), model.predict())


def test_opening_and_using_a_forecaster_loads_no_torch(tmp_path):
    fitted(np.arange(60.0) % 7).save(tmp_path / "model")
    code = f"""
import sys, numpy as np, ostinato
model = ostinato.load({str(tmp_path / "model")!r})
model.predict(np.arange(30.0)); model.evaluate(np.arange(60.0))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def file(wide, tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "wide"
    wide.save(path)
    return path


def changed(document, *place, to):
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = to


DAMAGE = [
    *((("architecture", name), 2**31 - 1) for name in ("hidden_size", "num_layers", "lookback", "horizon", "segment")),
    *((("architecture", name), 1) for name in ("channels", "outputs", "past_size", "future_size")),
    (("architecture", "middle"), 0),
    *((("architecture", name), "no") for name in ("channels", "masked", "further")),
    *((("options", name), None) for name in ("horizon", "lookback", "segment")),
    (("options", "quantiles"), [0.1, 0.9]),
    (("options", "quantiles"), [0.1, 0.3, 0.5]),
    (("share",), [0.5]),
    (("share",), [0.5, 7.0]),
    (("season",), 0),
    (("season",), 10**12),
    (("frequency", "count"), 0),
    (("frequency", "unit"), "eon"),
    (("encoder", "means"), [1.0]),
    (("encoder", "deviations"), [0.0, 1.0]),
    (("encoder", "deviations"), [-1.0, 1.0]),
    (("encoder", "past", 0, "deviation"), 0.0),
    (("encoder", "past", 0, "name"), "other"),
    (("encoder", "past"), []),
    (("encoder", "calendar"), []),
    (("encoder", "roles", "targets"), ["load"]),
    (("linear_shared",), True),
    (("cell",), {}),
]


@pytest.mark.parametrize(("place", "to"), DAMAGE, ids=str)
def test_a_document_that_is_wrong_is_refused(file, tmp_path, place, to):
    document, tensors = model_file.read(file)
    changed(document, *place, to=to)
    kind = document.pop("kind")
    model_file.write(tmp_path / "model", kind, {k: v for k, v in document.items() if k != "format"}, tensors)
    message, _ = refusal(FileFormatError, ostinato.load, tmp_path / "model")
    assert "\n" not in message


def test_the_damage_is_what_is_refused(file, tmp_path):
    document, tensors = model_file.read(file)
    kind = document.pop("kind")
    model_file.write(tmp_path / "model", kind, {k: v for k, v in document.items() if k != "format"}, tensors)
    assert ostinato.load(tmp_path / "model").horizon_ == 4


@pytest.mark.parametrize("name", ["network.place", "network.input.weight", "linear.matrices", "linear.residuals"])
def test_tensors_that_do_not_fit_are_refused(file, tmp_path, name):
    document, tensors = model_file.read(file)
    kind = document.pop("kind")
    rest = {k: v for k, v in document.items() if k != "format"}
    infinite = np.array(tensors[name])
    infinite.ravel()[0] = np.inf
    for tensor in (None, tensors[name][..., :-1], tensors[name].astype(np.float64), tensors[name][None], infinite):
        spoilt = tensors | {name: tensor} if tensor is not None else {k: v for k, v in tensors.items() if k != name}
        model_file.write(tmp_path / "model", kind, rest, spoilt)
        refusal(FileFormatError, ostinato.load, tmp_path / "model")
    model_file.write(tmp_path / "model", kind, rest, tensors | {"more": np.zeros(1, np.float32)})
    refusal(FileFormatError, ostinato.load, tmp_path / "model")


def test_flipped_bits_and_truncations_are_refused(file, tmp_path):
    content, path = file.read_bytes(), tmp_path / "model"
    random = np.random.default_rng(0)
    for place in random.integers(0, len(content), 30):
        path.write_bytes(content[:place])
        refusal(FileFormatError, ostinato.load, path)
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        refusal(FileFormatError, ostinato.load, path)


def test_windows_are_the_last_of_each_series(many):
    """One a series is the last horizon, whatever the split; with a stride they lie further apart."""
    data = pl.DataFrame(shops())
    one = many.evaluate(data, windows=1)
    assert (one.part, one.windows) == ("last", 3)
    assert many.evaluate(data, windows=3, stride=2).windows == 9
    assert "owa" in one.metrics
    assert one.baselines["Naive2"]["owa"] == 1
    spoilt = data.with_columns(
        y=pl.when(pl.int_range(pl.len()).over("unique_id") < 10).then(pl.col("y") * 2).otherwise("y")
    )
    assert many.evaluate(spoilt, windows=1).metrics["mse"] == one.metrics["mse"]
    message, _ = refusal(OptionError, many.evaluate, data, windows=0)
    assert message == "windows must be at least 1, not 0."


def test_a_season_that_is_given_is_that_of_the_baselines():
    data = pl.DataFrame(load())
    model = fitted(data, **ROLES, season=7, split=(60, 10, 20))
    assert model.season_ == 7
    found = model.evaluate(data)
    assert model.evaluate(data, season=7).baselines == found.baselines
    other = model.evaluate(data, season=24).baselines
    assert other["seasonal naive"] != found.baselines["seasonal naive"]
    assert other["persistence"]["mse"] == found.baselines["persistence"]["mse"]
