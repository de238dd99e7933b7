"""What other forecasting libraries are given, and how they are judged; the libraries themselves are not needed."""

from dataclasses import replace

import click
import numpy as np
import pytest
from benchmarks.forecast_problem import Problem, held, problem_of

from benchmarks import forecast, forecast_peers
from ostinato import Forecaster
from ostinato.evaluate.forecast_metrics import Scores

pytest.importorskip("torch")

LENGTHS = (31, 40, 27)


@pytest.fixture
def random():
    return np.random.default_rng(5)


def problem(random, standardised=False):
    """Three series of unequal lengths and sizes, with missing values, and windows of 4 rows."""
    lengths = np.array(LENGTHS)
    values = np.concatenate([3 * n + (n + 1) * random.normal(size=length) for n, length in enumerate(LENGTHS)])
    values[random.random(len(values)) < 0.1] = np.nan
    last = lengths - [1, 0, 2]
    first = last - 9
    scale = np.array([0.5, 0.0, 3.0])
    inputs = random.normal(size=(lengths.sum(), 2)).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return Problem(values, starts, inputs, first - 6, first, first, last, scale, 4, standardised)


def standard(given, number):
    values = given.values[given.starts[number] : given.starts[number + 1]]
    known = values[: given.train[number]]
    return (values - np.nanmean(known)) / np.nanstd(known), np.nanmean(known), np.nanstd(known)


def written(folder, name, rows):
    path = folder / name
    path.write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return str(path)


def hours(random, count):
    noise = random.normal(size=(count, 3)).round(3)
    times = np.datetime64("2024-01-01T00:00", "m") + 60 * np.arange(count)
    rows = [[time, *row, "ab"[row[0] > 0]] for time, row in zip(times, noise.tolist(), strict=True)]
    for place in (7, 70, 141, count - 30):
        rows[place][1] = ""
    return [["time", "load", "flow", "rain", "sky"], *rows]


def assert_same(found, expected):
    assert found.keys() == {"mse", "mae", "smape", "mase"}
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-9, err_msg=name)


def test_a_difference_between_figures_is_seen():
    figures = dict.fromkeys(("mse", "mae", "smape", "mase"), 1.0)
    with pytest.raises(AssertionError, match="smape"):
        assert_same(figures, figures | {"smape": 1.0 + 1e-6})


def test_a_problem_is_read_as_it_was_written(random, tmp_path):
    given = problem(random, standardised=True)
    given.save(tmp_path / "problem.npz")
    read = Problem.load(tmp_path / "problem.npz")
    for name, value in vars(given).items():
        np.testing.assert_array_equal(getattr(read, name), value)
    assert read.standardised is True
    assert type(read.horizon) is int


def test_a_missing_value_is_the_last_known_one():
    nan = np.nan
    np.testing.assert_array_equal(held(np.array([nan, nan, 3, nan, 1, nan, nan])), [3, 3, 3, 3, 1, 1, 1])


@pytest.mark.parametrize("standardised", [False, True])
def test_figures_are_those_of_ostinato(random, standardised):
    given = problem(random, standardised)
    scores = Scores(4, 3)
    forecasts = []
    for number in range(3):
        scaled, mean, deviation = standard(given, number)
        first, last = given.first[number], given.last[number]
        truth = np.stack([scaled[row : row + 4] for row in range(first, last - 3)])
        forecasts.append(random.normal(size=truth.shape))
        shift, unit = (0, 1) if standardised else (mean, deviation)
        scale = given.scale[number] / (deviation if standardised else 1)
        pair = [(unit * each + shift)[..., None] for each in (truth, forecasts[-1])]
        scores.add(*pair, group=[number], scale=[scale])
    assert_same(given.judge(forecasts), scores.overall())


def test_forecasts_of_other_windows_are_refused(random):
    given = problem(random)
    forecasts = [each.copy() for each in given.persistence()]
    with pytest.raises(ValueError, match="series 2"):
        given.judge([*forecasts[:2], forecasts[2][1:]])
    forecasts[1][0, 0] = np.nan
    with pytest.raises(ValueError, match="series 1"):
        given.judge(forecasts)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"target": "all", "split": "0.6,0.2,0.2"}, {"standardised": True, "season": 12}),
        ({"target": "load", "split": "100,40,60"}, {}),
        ({"target": "flow,rain", "split": "2024-01-05,2024-01-07,2024-01-09"}, {"windows": 3}),
    ],
)
def test_windows_are_those_of_evaluate(random, tmp_path, options, asked):
    path = written(tmp_path, "hours.csv", hours(random, 211))
    options |= {"horizon": 5}
    given = problem_of([path], [], options, **asked)
    model = Forecaster(**options, steps=1, hidden_size=4, lookback=10).fit(path, quiet=True)
    assert_same(given.judge(given.persistence()), model.evaluate(path, **asked).baselines["persistence"])
    # Of the categories and numbers that are no targets.
    assert given.inputs.shape[1] == {"all": 2, "load": 4, "flow,rain": 4}[options["target"]]


def test_windows_are_those_of_evaluate_with_a_test_file(random, tmp_path):
    rows = [[f"series {n}", *(10 * n + random.normal(size=60 + 7 * n)).round(3)] for n in range(3)]
    train = written(tmp_path, "train.csv", [["id", *range(80)], *([*row, *[""] * (81 - len(row))] for row in rows)])
    tests = [[f"series {n}", *random.normal(size=6).round(3)] for n in range(3)]
    test = written(tmp_path, "test.csv", [["id", *range(6)], *tests])
    options = {"rows_are_series": True, "horizon": 6, "season": 4}
    given = problem_of([train], [test], options, windows=1)
    model = Forecaster(**options, steps=1, hidden_size=4, lookback=12).fit(train, quiet=True)
    found = model.evaluate([train, test], windows=1).baselines["persistence"]
    assert_same(given.judge(given.persistence()), found)
    np.testing.assert_array_equal(given.valid, [60, 67, 74])
    np.testing.assert_array_equal(given.first, given.valid)
    assert [given.truth(n).tolist() for n in range(3)] == [[row[1:]] for row in tests]


def test_what_is_measured_is_printed(random, monkeypatch, tmp_path):
    given = problem(random)
    (tmp_path / "package").mkdir()
    for name, size in (("package/code", 1_500_000), ("module", 250_000)):
        (tmp_path / name).write_bytes(bytes(size))
    monkeypatch.setattr(forecast_peers.sysconfig, "get_path", lambda name: str(tmp_path))

    def persistence(problem, lookback, limits):
        return forecast_peers.Forecasts(problem.persistence(), 2.0, 1.0, limits.steps)

    monkeypatch.setitem(forecast_peers.MODELS, "persistence", persistence)
    found = forecast_peers.measure(given, "persistence", forecast_peers.Limits(1, 17))
    assert found["metrics"] == found["persistence"]
    assert (found["windows"], found["steps"], found["fit_seconds"]) == (18, 17, 2.0)
    assert found["installed"] == 1.75
    assert found["memory"] > 10


def test_lookbacks_leave_something_to_train_on(random):
    given = problem(random)
    assert forecast_peers.lookback_of(given) == given.train.min() - 4
    assert forecast_peers.look_every(given, 32) == 100
    assert forecast_peers.look_every(replace(given, valid=given.train + 1000), 25) == 120


def test_a_peer_is_a_model_or_a_library():
    peers = forecast.peers_of(("darts=there/python", "neuralforecast-gru=/here/python"))
    assert [peer.model for peer in peers] == ["darts-gru", "darts-nlinear", "neuralforecast-gru"]
    assert peers[2].python == "/here/python"
    for text in ("darts", "darts=", "dart=/python", "=python"):
        with pytest.raises(click.BadParameter, match="NAME=PYTHON"):
            forecast.peers_of((text,))


def test_options_become_flags():
    assert forecast.flags({"rows_are_series": True, "horizon": 48}) == ["--rows-are-series", "--horizon", "48"]


def test_a_peer_that_judged_other_windows_is_refused():
    figures = dict.fromkeys(("mse", "mae", "smape", "mase"), 2.0)
    printed = {"model": "darts-gru", "metrics": figures, "persistence": figures, "fit_seconds": 3, "steps": 1000}
    printed |= {"predict_seconds": 4, "installed": 5, "lookback": 6, "versions": {"darts": "7"}}
    took = forecast.Took(printed, 8, 9)
    row = forecast._peer_row(took, {"persistence": figures})
    assert row == "| | darts-gru | 2 | 2 | 2 | 2 | - | - | 3 | 4 | 9 | 5 | | 1,000 steps, lookback 6; darts 7 |"
    naive = {"persistence": figures, "Naive2": dict.fromkeys(figures, 4.0)}
    assert "| - | 0.5 | 3 |" in forecast._peer_row(took, naive)
    with pytest.raises(RuntimeError, match="mae"):
        forecast._peer_row(took, {"persistence": figures | {"mae": 2.1}})
