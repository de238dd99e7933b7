"""Sample paths: their margins are the forecast's, their steps go together as the truth's did, and the command."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import strategies as st
from scipy import stats

import ostinato
from ostinato import margins, model_file
from ostinato.errors import DataError, FileFormatError, OptionError, OstinatoError
from ostinato.tasks import forecast_paths
from tests.cli.running import fail, succeed
from tests.comparison import assert_close
from tests.quick import examples
from tests.small_series import load, shops
from tests.tasks.forecasters import ahead, fitted, refusal

LEVELS = (0.05, 0.5, 0.8, 0.95)
LIKELIHOODS = ("quantiles", "normal", "student-t")
WALK = {"horizon": 6, "lookback": 12, "segment": 3, "steps": 60, "hidden_size": 8, "split": (0.5, 0.4, 0.1)}


def walk(rows=800, memory=1.0, seed=0):
    """Two targets: what one did is what the other does, turned around, and noise of its own."""
    random = np.random.default_rng(seed)
    values, noise = np.zeros((rows, 2)), random.normal(size=(rows, 2))
    for row in range(1, rows):
        step = np.array([noise[row, 0], -0.9 * noise[row, 0] + 0.4 * noise[row, 1]])
        values[row] = memory * values[row - 1] + step
    return values


@pytest.fixture(scope="module")
def walker():
    return fitted(walk(), **WALK)


# ---- margins


def test_margins_are_read_over_the_normal_scores_of_their_levels():
    """Of a normal distribution every quantile is on a straight line, so all are read exactly."""
    random = np.random.default_rng(0)
    location, width = random.normal(size=(2, 5, 3)) * [[[3.0]], [[1.0]]]
    width = np.abs(width) + 0.1
    quantiles = stats.norm(location[..., None], width[..., None]).ppf(LEVELS)
    at = random.uniform(1e-6, 1 - 1e-6, (5, 3, 8))
    assert_close(margins.read(quantiles, LEVELS, at), stats.norm(location[..., None], width[..., None]).ppf(at))
    assert np.array_equal(margins.read(quantiles, LEVELS, np.broadcast_to(LEVELS, (5, 3, 4))), quantiles)
    values = margins.read(quantiles, LEVELS, at)[..., 0]
    for found in margins.probabilities(values, quantiles, LEVELS):
        assert_close(found, at[..., 0])
        with pytest.raises(AssertionError):
            assert_close(found, at[..., 1])


@examples(30, 500, st.integers(0, 10**6))
def test_probabilities_are_the_inverse_of_margins(seed):
    random = np.random.default_rng(seed)
    quantiles = np.sort(random.integers(0, 6, (40, len(LEVELS))) * 1.0, axis=-1)
    values = random.integers(-2, 9, 40) * 1.0
    less, least = margins.probabilities(values, quantiles, LEVELS)
    assert (less <= least).all()
    inside = (less > 1e-9) & (least < 1 - 1e-9)
    for at, sign in ((less, -1), (least, 1)):
        beside = np.clip(at + sign * 1e-7, 1e-12, 1 - 1e-12)
        found = margins.read(quantiles, LEVELS, beside[:, None])[:, 0]
        assert (sign * (found - values) > 0)[inside].all()
        exact = margins.read(quantiles, LEVELS, np.clip(at, 1e-12, 1 - 1e-12)[:, None])[:, 0]
        np.testing.assert_allclose(exact[inside], values[inside], atol=1e-9)


def test_a_margin_that_stands_still_has_all_probability_at_its_value():
    still = np.full((3, 4), 2.0)
    less, least = margins.probabilities(np.array([1.0, 2.0, 3.0]), still, LEVELS)
    assert less.tolist() == [0, 0, 1]
    assert least.tolist() == [0, 1, 1]


@pytest.mark.parametrize("options", [{}, {"linear": "never", "channels": "mixed"}], ids=str)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_many_paths_have_the_quantiles_of_the_forecast(likelihood, options):
    model = fitted(walk(300), **WALK | {"steps": 20}, likelihood=likelihood, quantiles=LEVELS, **options)
    if model.linear_ is not None:
        model.share_ = np.array([0.4, 0.7])
    stated = model.predict()
    found = np.moveaxis(np.quantile(model.sample(paths=4000), LEVELS, axis=0), 0, -1)
    width = (stated[..., -1] - stated[..., 0])[..., None]
    assert np.abs(found - stated).max() < 0.05 * width.max()
    assert (np.abs(found - stated) < 0.06 * width).all()
    assert not (np.abs(found - stated[::-1]) < 0.06 * width).all()


def test_paths_of_counts_have_the_probabilities_of_the_forecast():
    data = np.random.default_rng(2).poisson(2.5, 300).astype(float)
    model = fitted(data, **WALK | {"steps": 20}, likelihood="negative-binomial", quantiles=(0.3, 0.5, 0.9))
    paths = model.sample(paths=3000)
    for level, stated in zip((0.3, 0.5, 0.9), model.predict().T, strict=True):
        assert ((paths <= stated).mean(axis=0) > level - 0.01).all()
        assert ((paths < stated).mean(axis=0) < level + 0.01).all()


# ---- what goes together


def test_steps_and_targets_go_together_as_the_truth_does(walker):
    """Off its last value a random walk has standard deviation √m after m steps, and moves on from where it is."""
    paths = walker.sample(paths=2000)
    off = (paths - paths.mean(axis=0)) / paths.std(axis=0)
    for step in range(2, 6):
        expected = np.sqrt(step / (step + 1))
        assert np.mean(off[:, step - 1, 0] * off[:, step, 0]) == pytest.approx(expected, abs=0.12)
    assert np.mean(off[..., 0] * off[..., 1]) < -0.7
    mixed = np.random.default_rng(0).permuted(off, axis=0)
    assert abs(np.mean(mixed[:, 2] * mixed[:, 3])) < 0.1


def test_where_nothing_goes_together_paths_do_not():
    noise = fitted(np.random.default_rng(3).normal(size=800), **WALK | {"steps": 200, "dropout": 0.0})
    off = noise.sample(paths=2000)
    off = off - off.mean(axis=0)
    assert abs(np.mean([np.corrcoef(off[:, step], off[:, step + 1])[0, 1] for step in range(5)])) < 0.25


def test_ranks_are_a_permutation_of_windows_for_each_step_and_target(walker):
    assert walker.ranks_.shape == (128, 6, 2)
    assert walker.ranks_.dtype == np.uint8
    assert (np.sort(walker.ranks_, axis=0) == np.arange(128)[:, None, None]).all()


def test_missing_truth_and_series_that_stand_still_have_ranks():
    values = walk(300)
    values[::3, 0] = np.nan
    values[:, 1] = 4.0
    model = fitted(values, **WALK | {"steps": 3})
    count = len(model.ranks_)
    assert (np.sort(model.ranks_, axis=0) == np.arange(count)[:, None, None]).all()
    assert np.isfinite(model.sample(paths=10)).all()
    first, second = model.ranks_[:, 0, 1].astype(int), model.ranks_[:, 1, 1].astype(int)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.4


def test_large_forecasts_keep_fewer_windows(monkeypatch):
    monkeypatch.setattr(forecast_paths, "MOST_RANKS", 6 * 2 * 40)
    assert len(fitted(walk(300), **WALK | {"steps": 3}).ranks_) == 40
    monkeypatch.setattr(forecast_paths, "MOST_RANKS", 10)
    assert len(fitted(walk(300), **WALK | {"steps": 3}).ranks_) == 16


# ---- seeds and company


def test_the_same_seed_gives_the_same_paths_and_another_gives_others(walker):
    once = walker.sample(paths=7, seed=5)
    assert once.shape == (7, 6, 2)
    assert np.array_equal(walker.sample(paths=7, seed=5), once)
    assert not np.array_equal(walker.sample(paths=7, seed=6), once)
    assert len({path.tobytes() for path in walker.sample(paths=300)}) == 300


def test_a_series_has_the_same_paths_in_any_company(many):
    data = pl.DataFrame(shops())
    whole = many.sample(data, paths=9)
    assert whole.columns == ["unique_id", "ds", "path", "y"]
    assert whole.height == 3 * 9 * 4
    assert whole["path"].to_list() == [path for _ in range(3) for path in range(9) for _ in range(4)]
    alone = many.sample(data.filter(pl.col("unique_id") == "shop 2"), paths=9)
    own = whole.filter(pl.col("unique_id") == "shop 2")
    assert alone.drop("y").equals(own.drop("y"))
    np.testing.assert_allclose(alone["y"], own["y"], rtol=1e-6)
    forecast = many.predict(data)
    assert own["ds"][:4].to_list() == forecast.filter(pl.col("unique_id") == "shop 2")["ds"].to_list()
    other = data.filter(pl.col("unique_id") == "shop 2").with_columns(unique_id=pl.lit("shop 9"))
    assert not np.allclose(many.sample(other, paths=9)["y"], own["y"])


def test_frames_and_arrays_come_back_in_the_callers_kind(network):
    found = network.sample(pd.DataFrame(load()), ahead().to_pandas(), paths=3)
    assert isinstance(found, pd.DataFrame)
    assert list(found.columns) == ["when", "path", "load", "wind"]
    assert len(found) == 12
    one = np.sin(np.arange(60.0))
    assert fitted(one).sample(paths=5).shape == (5, 4)
    several = fitted([one, one[:40]])
    assert [each.shape for each in several.sample(paths=5)] == [(5, 4)] * 2
    assert not np.allclose(*several.sample(paths=5))


# ---- what cannot be drawn


def test_wrong_use_is_refused(walker, monkeypatch, network):
    assert (
        refusal(OptionError, walker.sample, paths=0)[0] == "paths are 1 or more and a seed is 0 or more, not 0 and 0."
    )
    assert refusal(OptionError, walker.sample, seed=-1)
    assert "should be known 4 steps ahead" in refusal(DataError, network.sample)[0]
    message, hint = refusal(OstinatoError, fitted(walk(100)[:, 0], quantiles=(0.5,)).sample)
    assert message == "this forecaster has one quantile, which says nothing of how far off the truth may be."
    assert "--quantiles" in hint
    monkeypatch.setattr(forecast_paths, "MOST_VALUES", 100)
    message, _ = refusal(OptionError, walker.sample, paths=9)
    assert message == "9 paths of 1 series are 108 values, more than 100."


def test_a_file_without_ranks_predicts_and_says_why_it_has_no_paths(walker, tmp_path):
    opened, expected = _changed(walker, tmp_path, lambda ranks: None), walker.predict()
    assert np.array_equal(opened.predict(walk()), expected)
    message, hint = refusal(OstinatoError, opened.sample, walk())
    assert message == "this model file does not say how the errors of a path go together."
    assert hint == "it is older than sample paths: train it again."
    opened.save(tmp_path / "again")
    assert ostinato.load(tmp_path / "again").ranks_ is None


def test_drawing_paths_loads_no_torch_and_no_scipy(tmp_path):
    fitted(np.arange(60.0) % 7, likelihood="student-t").save(tmp_path / "model")
    code = f"""
import sys, numpy as np, ostinato
assert ostinato.load({str(tmp_path / "model")!r}).sample(np.arange(30.0) % 7).shape == (100, 4)
assert not {{"torch", "scipy"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "damage",
    [
        lambda ranks: ranks[:-1],
        lambda ranks: ranks[:, :-1],
        lambda ranks: ranks[:0],
        lambda ranks: ranks.astype(np.float32),
        lambda ranks: np.zeros_like(ranks),
        lambda ranks: ranks[0, 0, 0],
        lambda ranks: np.concatenate([ranks, ranks]),
    ],
)
def test_damaged_ranks_are_refused(walker, tmp_path, damage):
    message, _ = refusal(FileFormatError, _changed, walker, tmp_path, damage)
    assert "is damaged: its ranks are" in message


def _changed(model, folder, damage):
    """Return a model whose file has other ranks, or none."""
    model.save(folder / "model")
    document, tensors = model_file.read(folder / "model")
    ranks = damage(tensors.pop("ranks").copy())
    kind, _ = document.pop("kind"), document.pop("format")
    model_file.write(folder / "model", kind, document, tensors if ranks is None else {**tensors, "ranks": ranks})
    return ostinato.load(folder / "model")


# ---- the command


@pytest.fixture
def folder(many, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pl.DataFrame(shops()).write_csv("shops.csv")
    many.save("shops.model")
    return tmp_path


def test_the_command_prints_and_writes_paths(folder, capsys, many):
    shown = succeed(capsys, "predict", "shops.model", "shops.csv", "--paths", "6", "--seed", "3")
    table = pl.read_csv(shown.out.encode())
    assert table.columns == ["unique_id", "ds", "path", "y"]
    expected = many.sample(pl.DataFrame(shops()), paths=6, seed=3)
    np.testing.assert_allclose(table["y"], expected["y"], rtol=1e-9)
    found = json.loads(succeed(capsys, "predict", "shops.model", "shops.csv", "--paths", "2", "--json").out)
    assert len(found["paths"]) == 2 * 3 * 4
    shown = succeed(
        capsys, "predict", "shops.model", "shops.csv", "--paths", "2", "-o", "paths.parquet", "--plot", "next.svg"
    )
    assert pl.read_parquet("paths.parquet").height == 24
    assert (folder / "next.svg").exists()


def test_wrong_usage_of_the_command_is_refused(folder, capsys):
    message, _ = fail(capsys, "predict", "shops.model", "shops.csv", "--seed", "3", code=2)
    assert message == "--seed is the seed of sample paths."
    message, _ = fail(capsys, "predict", "shops.model", "shops.csv", "--paths", "0", code=2)
    assert "--paths" in message
