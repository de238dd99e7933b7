"""Forecasters of distributions: learned, read as quantiles, kept in a file; and counts."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

import ostinato
from ostinato import Forecaster
from ostinato.data.windows import Origins, by_sequence, gather
from ostinato.errors import DataError, FileFormatError, Interrupted, OptionError
from tests.cli.running import fail, succeed
from tests.quick import some_quick
from tests.small_series import FLAGS, SIZES, load, times
from tests.tasks.forecasters import fitted, refusal, weights

LIKELIHOODS = ("normal", "student-t", "negative-binomial")
LEVELS = (0.05, 0.2, 0.5, 0.9)


def counts(rows=120, seed=0):
    """Two targets of counts in one table, one of which is mostly 0."""
    random = np.random.default_rng(seed)
    rate = np.exp(1.5 + np.sin(np.arange(rows) * 2 * np.pi / 7))
    return pl.DataFrame({"when": times(rows), "sold": random.poisson(rate), "lost": random.poisson(0.1 * rate)})


def data_of(likelihood):
    return counts() if likelihood == "negative-binomial" else pl.DataFrame(load()).select("when", "load", "wind")


@pytest.fixture(scope="module", params=LIKELIHOODS)
def model(request):
    return fitted(data_of(request.param), likelihood=request.param, quantiles=LEVELS, time_column="when")


def test_a_distribution_has_the_outputs_of_its_parameters_and_the_quantiles_asked_for(model):
    likelihood = model.options_.likelihood
    sizes = model.architecture_
    assert (sizes.likelihood, sizes.outputs) == (likelihood, {"student-t": 3}.get(likelihood, 2))
    found = model.predict()
    targets = model.encoder_.roles.targets
    names = [f"{target}{end}" for target in targets for end in ("", "_q0.05", "_q0.2", "_q0.9")]
    assert found.columns == ["when", *names]
    for target in targets:
        low, below, middle, high = (found[f"{target}{end}"].to_numpy() for end in ("_q0.05", "_q0.2", "", "_q0.9"))
        assert (low <= below).all()
        assert (below <= middle).all()
        assert (middle <= high).all()
    figures = model.evaluate(windows=3).metrics
    assert all(np.isfinite(figures[name]) for name in ("mse", "wql", "mase"))


@pytest.mark.parametrize("options", [{}, {"decoder": "stepwise", "channels": "mixed", "segment": 2}], ids=str)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_quantiles_are_those_of_the_networks_outputs(likelihood, options):
    data = data_of(likelihood)
    model = fitted(data, likelihood=likelihood, quantiles=LEVELS, time_column="when", linear="never", **options)
    sizes, panel = model.architecture_, model.panel(data)
    windows = Origins(np.array([40, 77]), np.zeros(2, np.int64), np.full(2, len(data)))
    encoded = model.encoder_.encode(panel)
    batch = gather(encoded, sizes, windows, model.options_.scaling)
    outputs = model.runtime.run(batch.x, batch.future, batch.shift, batch.scale).astype(np.float64)
    ((_, found),) = model.forecasts(panel, encoded, windows)
    means, deviations = (np.array(each)[:, None] for each in (model.encoder_.means, model.encoder_.deviations))
    own = by_sequence((found - means) / deviations, sizes.joint)
    for place, level in enumerate(LEVELS):
        expected = _by_scipy(likelihood, outputs, batch.shift, batch.scale).ppf(level)
        np.testing.assert_allclose(own[..., place], expected, rtol=1e-9, atol=1e-9)
    if likelihood == "negative-binomial":
        assert np.array_equal(found, np.floor(found))
        assert (found >= 0).all()


def _by_scipy(likelihood, outputs, shift, scale):
    first, second = outputs[..., 0], np.log1p(np.exp(outputs[..., 1]))
    if likelihood == "negative-binomial":
        mean, size = np.logaddexp(0, shift + scale * first), 1 / (second + 1e-6)
        return stats.nbinom(size, size / (size + mean))
    location, width = shift + scale * first, scale * (second + 1e-3)
    if likelihood == "normal":
        return stats.norm(location, width)
    return stats.t(2 + np.log1p(np.exp(outputs[..., 2])), location, width)


def test_a_model_comes_back_from_its_file(model, tmp_path):
    model.save(tmp_path / "model")
    opened = ostinato.load(tmp_path / "model")
    data = data_of(model.options_.likelihood)
    assert opened.predict(data).equals(model.predict(data))
    assert opened.sample(data, paths=5).equals(model.sample(data, paths=5))
    assert (weights(opened), opened.architecture_) == (weights(model), model.architecture_)


def test_a_file_whose_likelihoods_differ_is_refused(model, tmp_path):
    from ostinato import model_file

    model.save(tmp_path / "model")
    for place, to in (("options", "quantiles"), ("architecture", "quantiles"), ("architecture", "cauchy")):
        document, tensors = model_file.read(tmp_path / "model")
        document[place]["likelihood"] = to
        kind = document.pop("kind")
        del document["format"]
        model_file.write(tmp_path / "other", kind, document, tensors)
        assert "other is damaged" in refusal(FileFormatError, ostinato.load, tmp_path / "other")[0]


@pytest.mark.parametrize("likelihood", some_quick(LIKELIHOODS, ["negative-binomial"]))
def test_training_takes_the_loss_down_to_that_of_the_truth(likelihood):
    """Of numbers that nothing foretells, whose distribution is known: nearly the loss of that distribution.

    The network has to find the level in the lookback, since the last value is taken off.
    """
    random = np.random.default_rng(3)
    truth = {"normal": stats.norm(3, 2), "student-t": stats.t(4, 3, 2), "negative-binomial": stats.nbinom(3, 0.4)}
    data = truth[likelihood].rvs(3000, random_state=random).astype(float)
    sizes = {"lookback": 24, "horizon": 2, "segment": 24, "hidden_size": 16, "steps": 200, "batch_size": 64}
    model = fitted(data, likelihood=likelihood, linear="never", dropout=0.0, split=(0.8, 0.2), **sizes)
    if likelihood == "negative-binomial":
        best = -truth[likelihood].logpmf(data[2400:]).mean()
    else:
        best = -truth[likelihood].logpdf(data[2400:]).mean() - np.log(model.encoder_.deviations[0])
    found = min(record["valid"] for record in model.history_)
    assert found == pytest.approx(best, abs=0.1)
    np.testing.assert_allclose(model.predict()[0], truth[likelihood].ppf([0.1, 0.5, 0.9]), atol=1.01)


def test_resuming_gives_the_bits_of_a_run_that_never_stopped(tmp_path, monkeypatch):
    import signal

    from ostinato.data.windows import Shuffled

    options = SIZES | {"likelihood": "negative-binomial", "steps": 6, "time_column": "when", "linear": "auto"}
    whole = Forecaster(**options).fit(counts(), quiet=True)
    batch = Shuffled.batch

    def stopping(self, step):
        if step == 3:
            signal.raise_signal(signal.SIGINT)
        return batch(self, step)

    monkeypatch.setattr(Shuffled, "batch", stopping)
    with pytest.raises(Interrupted):
        Forecaster(**options).fit(counts(), checkpoint=tmp_path / "run", quiet=True)
    monkeypatch.undo()
    resumed = Forecaster(**options).fit(counts(), checkpoint=tmp_path / "run", resume=True, quiet=True)
    assert weights(resumed) == weights(whole)
    assert resumed.sample().equals(whole.sample())


# ---- counts


def test_counts_keep_their_unit_and_have_no_linear_model():
    model = fitted(counts(), likelihood="negative-binomial", time_column="when")
    assert model.linear_ is None
    assert model.share_.tolist() == [1, 1]
    assert (model.encoder_.means, model.encoder_.deviations) == ([0, 0], [1, 1])
    assert (model.options_.scaling, model.options_.linear) == ("window", "auto")
    for found in (model.predict(), model.sample(paths=20)):
        values = found.drop("when").to_numpy()
        assert np.array_equal(values, np.floor(values))
        assert values.min() >= 0
    assert "linear" not in model.evaluate().baselines


def test_series_of_counts_of_any_size_and_nothing_but_zeros():
    random = np.random.default_rng(1)
    series = [random.poisson(mean, 60).astype(float) for mean in (0.1, 5, 2e6)] + [np.zeros(60)]
    model = fitted(series, likelihood="negative-binomial")
    found = np.stack(model.predict())
    assert np.isfinite(found).all()
    assert found[2, :, 1].min() > 1e6
    assert fitted(np.zeros(60), likelihood="negative-binomial").predict().shape == (4, 3)


@pytest.mark.parametrize("value", [-1.0, 0.5, 1e9 + 0.25])
def test_what_is_no_count_is_named_with_its_place(value):
    data = counts().with_columns(lost=pl.col("lost").cast(float))
    spoilt = data.with_columns(lost=pl.when(pl.int_range(120) == 33).then(value).otherwise(pl.col("lost")))
    message, hint = refusal(DataError, fitted, spoilt, likelihood="negative-binomial", time_column="when")
    assert message == f"'lost' should hold counts, but is {value:g} at 2024-03-02T09:00:00.000000."
    assert "whole numbers" in hint
    model = fitted(data, likelihood="negative-binomial", time_column="when")
    for use in (model.predict, model.sample, model.evaluate):
        assert refusal(DataError, use, spoilt)[0] == message
    several = [np.arange(60.0), np.arange(60.0) - 1]
    assert "at 0 of series '2'." in refusal(DataError, fitted, several, likelihood="negative-binomial")[0]
    assert fitted(spoilt, likelihood="student-t", time_column="when").options_.likelihood == "student-t"


def test_missing_counts_are_no_reason_to_refuse():
    data = counts().with_columns(sold=pl.when(pl.int_range(120) % 5 != 2).then(pl.col("sold")))
    found = fitted(data, likelihood="negative-binomial", time_column="when").predict()
    assert np.isfinite(found["sold"].to_numpy()).all()


def test_the_flag_and_the_keyword_give_the_same_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    counts().write_csv("counts.csv")
    flags = ["--target", "sold,lost", "--likelihood", "negative-binomial", *FLAGS]
    shown = succeed(capsys, "fit", "forecast", "counts.csv", *flags, "-o", "counts.model")
    assert "negative log-likelihood" in shown.err
    model = ostinato.load("counts.model")
    data = pl.read_csv("counts.csv", try_parse_dates=True)
    assert weights(model) == weights(fitted(data, target=("sold", "lost"), likelihood="negative-binomial"))
    message, _ = fail(capsys, "fit", "forecast", "counts.csv", *flags, "--scaling", "level", code=2)
    assert message == "the negative-binomial likelihood scales each window."


def test_options_that_contradict_a_likelihood_are_refused():
    message, hint = refusal(OptionError, fitted, counts(), likelihood="negative-binomial", scaling="level")
    assert message == "the negative-binomial likelihood scales each window."
    assert "--scaling window" in hint
    assert "likelihood" in refusal(OptionError, fitted, counts(), likelihood="cauchy")[0]
