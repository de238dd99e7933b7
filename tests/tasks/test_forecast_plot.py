"""Pictures of forecasts: what is drawn is what was forecast and what came, and a picture can be told by its file."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.dates import num2date

from ostinato.data.extension import known_ends
from ostinato.errors import DataError, OptionError
from ostinato.tasks import forecast_plot
from ostinato.tasks.forecast_plot import MOST_APART, MOST_HORIZONS, MOST_PANELS, Shown, draw_evaluation, draw_forecast
from tests.comparison import assert_close
from tests.small_series import load, shops
from tests.tasks.forecasters import ROLES, ahead, fitted, refusal


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn, beside what is written."""
    figures, write = [], forecast_plot.write_picture

    def keep(figure, path):
        figures.append(figure)
        write(figure, path)

    monkeypatch.setattr(forecast_plot, "write_picture", keep)
    return figures


def lines(axes, color):
    return [line for line in axes.get_lines() if line.get_color() == color]


def bands(axes):
    """Lower and upper bound of each band at its points [h, 2]."""
    found = []
    for collection in axes.collections:
        points = collection.get_paths()[0].vertices
        places = np.unique(points[:, 0])
        found.append([[f(points[points[:, 0] == x, 1]) for f in (np.min, np.max)] for x in places])
    return [np.array(one) for one in found]


def text_of(figure):
    return [figure._suptitle.get_text(), *(text.get_text() for text in figure.legends[0].get_texts())]


def assert_drawn(axes, times, quantiles, before, number=0):
    """Check that a forecast begins at the value before it, has these quantiles [h, 3], and this many before it."""
    line = lines(axes, forecast_plot.FORECAST)[number]
    assert_close(np.asarray(line.get_ydata(), float), np.array([before, *quantiles[:, 1]]), "forecast")
    assert np.array_equal(np.asarray(line.get_xdata(), times.dtype)[1:], times)
    assert_close(bands(axes)[number][1:], quantiles[:, [0, 2]], "band")


# ---- after the end


def test_the_table_is_what_is_drawn_after_the_end(drawn, tmp_path):
    data = pl.DataFrame(load())
    model = fitted(data, **ROLES)
    table = model.predict(data, ahead())
    draw_forecast(model, data, table, tmp_path / "next.png")
    assert (tmp_path / "next.png").read_bytes().startswith(b"\x89PNG")
    (figure,) = drawn
    for axes, name in zip(figure.axes, ("load", "wind"), strict=True):
        quantiles = table.select(f"{name}_q0.1", name, f"{name}_q0.9").to_numpy()
        assert_drawn(axes, table["when"].to_numpy(), quantiles, data[name][-1])
        (truth,) = lines(axes, forecast_plot.TRUTH)
        assert_close(np.asarray(truth.get_ydata()), data[name].to_numpy()[-12:], "truth")
        assert axes.get_ylabel() == name
        assert num2date(axes.get_xlim()[1]).strftime("%m-%d") == "03-04"
    assert text_of(figure) == ["the next 4 steps", "80 % band", "forecast", "truth"]
    with pytest.raises(AssertionError):
        assert_drawn(figure.axes[0], table["when"].to_numpy(), quantiles, data["load"][-1])


@pytest.mark.parametrize("several", [False, True])
def test_arrays_have_a_picture_too(drawn, several, tmp_path):
    values = np.arange(60.0) % 7
    data = [values, values[:40] * 2] if several else values
    model = fitted(data)
    found = model.predict()
    draw_forecast(model, data, found, tmp_path / "next.svg")
    assert (tmp_path / "next.svg").read_text().startswith("<?xml")
    for axes, part, one in zip(drawn[0].axes, data if several else [data], found if several else [found], strict=True):
        assert_drawn(axes, np.arange(len(part), len(part) + 4), one, part[-1])
        assert axes.get_xlabel() == "row"


def test_rows_for_the_future_are_behind_the_end(drawn, tmp_path):
    """What is known ahead stands in the data; the truth ends where the targets do."""
    data = pl.concat([pl.DataFrame(load()), ahead()], how="diagonal")
    model = fitted(pl.DataFrame(load()), **ROLES)
    draw_forecast(model, data, model.predict(data), tmp_path / "next.png")
    assert len(lines(drawn[0].axes[0], forecast_plot.TRUTH)[0].get_ydata()) == 12


def test_names_are_taken_as_they_are_and_times_with_a_zone_too(drawn, tmp_path):
    times = pd.date_range("2024-03-01", periods=60, freq="h", tz="UTC")
    frame = pd.DataFrame({"t": times, "$x^$\\frac": np.arange(60.0) % 7, "名前": np.arange(60.0) % 5})
    model = fitted(frame, quantiles=(0.05, 0.2, 0.5, 0.8, 0.95))
    draw_forecast(model, frame, model.predict(), tmp_path / "next.png")
    assert [axes.get_ylabel() for axes in drawn[0].axes] == ["$x^$\\frac", "名前"]
    assert text_of(drawn[0])[1:] == ["90 % band", "60 % band", "forecast", "truth"]
    other = fitted(frame, quantiles=(0.5, 0.9))
    draw_forecast(other, frame, other.predict(), tmp_path / "next.png")
    assert text_of(drawn[1])[1:] == ["quantiles 0.5 to 0.9", "forecast", "truth"]


def test_no_more_than_can_be_read_is_drawn_and_that_is_told(drawn, tmp_path):
    data = pl.DataFrame(shops((30,) * (MOST_PANELS + 3)))
    model = fitted(data)
    draw_forecast(model, data, model.predict(), tmp_path / "next.png")
    assert [axes.get_title(loc="left") for axes in drawn[0].axes] == [f"shop {n}" for n in range(1, MOST_PANELS + 1)]
    assert text_of(drawn[0])[0] == "the next 4 steps; 6 of 9 series and targets"


# ---- over the truth


def kept_all(model, **how):
    """Every forecast of an evaluation, by its origin; and what is kept for a picture."""
    every, shown = {}, Shown()

    def watch(panel, windows, quantiles):
        shown(panel, windows, quantiles)
        every.update(zip(windows.rows.tolist(), quantiles, strict=True))

    model.evaluate(watch=watch, quiet=True, **how)
    return every, shown


@pytest.mark.parametrize("refit", [None, 3])
def test_forecasts_that_an_axis_can_hold_stand_on_one(drawn, refit, tmp_path):
    columns = load()
    model = fitted(pl.DataFrame(columns), **ROLES, split=(60, 10, 20))
    every, shown = kept_all(model, refit=refit)
    draw_evaluation(model, shown, tmp_path / "test.png")
    for channel, (axes, name) in enumerate(zip(drawn[0].axes, ("load", "wind"), strict=True)):
        for number, row in enumerate((70, 74, 78, 82, 86)):
            times = columns["when"][row : row + 4]
            assert_drawn(axes, times, every[row][:, channel], columns[name][row - 1], number)
        assert len(lines(axes, forecast_plot.FORECAST)) == 5
        (truth,) = lines(axes, forecast_plot.TRUTH)
        assert_close(np.asarray(truth.get_ydata()), columns[name][58:90], "truth")
    assert text_of(drawn[0])[0] == "forecasts of 4 steps, from 5 of the origins"


def test_forecasts_far_apart_have_an_axis_each(drawn, tmp_path):
    rows = 4 * MOST_HORIZONS * 4
    columns = load(2 * rows)
    model = fitted(pl.DataFrame(columns), **ROLES, split=(rows - 20, 20, rows))
    every, shown = kept_all(model, stride=3)
    draw_evaluation(model, shown, tmp_path / "test.svg")
    last = max(row for row in every if (row - rows) % 6 == 0)
    chosen = [rows, rows + (last - rows) // 2 // 6 * 6, last]
    assert len(drawn[0].axes) == 2 * MOST_APART
    for axes, row in zip(drawn[0].axes, chosen, strict=False):
        times = columns["when"][row : row + 4]
        assert_drawn(axes, times, every[row][:, 0], columns["load"][row - 1])


def test_what_is_kept_overlaps_nowhere_and_is_of_the_first_series(tmp_path):
    data = pl.DataFrame(shops((40,) * (MOST_PANELS + 2)))
    model = fitted(data)
    every, shown = kept_all(model, windows=11)
    assert sorted(shown.forecasts) == [40 * number for number in range(MOST_PANELS)]
    for begin, own in shown.forecasts.items():
        assert list(own) == [begin + row for row in (26, 30, 34)]
        assert all(np.array_equal(own[row], every[row]) for row in own)
    assert known_ends(shown.panel, ["y"]).tolist() == [40 * (n + 1) for n in range(MOST_PANELS + 2)]


def test_a_value_that_is_missing_before_a_forecast_is_not_where_it_begins(drawn, tmp_path):
    values = np.arange(60.0) % 7
    values[47] = np.nan
    model = fitted(values, split=(40, 8, 12))
    _, shown = kept_all(model)
    draw_evaluation(model, shown, tmp_path / "test.png")
    assert [len(line.get_ydata()) for line in lines(drawn[0].axes[0], forecast_plot.FORECAST)] == [4, 5, 5]


def test_mistakes_are_told(tmp_path):
    model = fitted(np.arange(60.0) % 7)
    assert refusal(DataError, draw_evaluation, model, Shown(), tmp_path / "a.png")[0] == "there is no forecast to draw."
    for draw in (lambda path: draw_evaluation(model, Shown(), path), lambda path: draw_forecast(model, 0, 0, path)):
        assert refusal(OptionError, draw, tmp_path / "a.pdf")[0] == "a picture is a .png or .svg file, not 'a.pdf'."
    assert not list(tmp_path.iterdir())
