"""Tables into panels: the shapes of real data sets in small, every kind of frame alike, and every error's text."""

import lzma
from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ostinato.data.frequency import Frequency
from ostinato.data.layout import Layout, panel_of
from ostinato.data.panel import Roles
from ostinato.errors import DataError, OptionError, OstinatoError, ShapeError

LARGE = "correct it, leave it missing, or give the column in a larger unit."
HOURS = pd.date_range("2016-07-01", periods=6, freq="h")


def write(folder, content, name="table.csv"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def message_of(data, error=DataError, frequency=None, **layout):
    with pytest.raises(error) as caught:
        panel_of(data, Layout(**layout), frequency)
    return str(caught.value)


def dated(dates, **columns):
    return pl.DataFrame({"ds": list(dates), **columns}).with_columns(pl.col("ds").cast(pl.String))


def same(left, right):
    assert left.ids == right.ids
    assert left.starts.tolist() == right.starts.tolist()
    assert left.times.dtype == right.times.dtype
    assert left.times.tolist() == right.times.tolist()
    assert list(left.columns) == list(right.columns)
    for name, values in left.columns.items():
        np.testing.assert_array_equal(values, right.columns[name])
    assert (left.categories, left.frequency, left.time_zone) == (right.categories, right.frequency, right.time_zone)


def test_panels_that_differ_are_told_apart():
    with pytest.raises(AssertionError):
        same(panel_of(np.array([1.0, 2.0])).panel, panel_of(np.array([1.0, 2.5])).panel)


class TestRealShapes:
    def test_electricity_transformers(self, tmp_path):
        rows = "".join(f"2016-07-01 {hour:02}:00:00,{hour}.5,{30 - hour}\n" for hour in range(5))
        table = panel_of(write(tmp_path, "date,HUFL,OT\n" + rows))
        assert table.remarks == [
            "1 series, 5 rows, hourly, 2016-07-01 00:00 to 2016-07-01 04:00",
            "targets: HUFL, OT",
        ]
        assert table.roles == Roles("date", None, ["HUFL", "OT"], [], [], [])
        assert table.panel.ids == [""]
        assert table.panel.matrix(["OT", "HUFL"]).tolist() == [[30 - hour, hour + 0.5] for hour in range(5)]

    def test_beijing(self, tmp_path):
        header = "No,year,month,day,hour,pm2.5,TEMP,cbwd\n"
        rows = "1,2010,2,28,23,NA,-11,NW\n2,2010,3,1,0,129,-12,cv\n3,2010,3,1,1,148,-11,NW\n4,2010,3,1,2,?,,SE\n"
        table = panel_of(write(tmp_path, header + rows), Layout(targets=["pm2.5"]))
        assert table.roles == Roles("year+month+day+hour", None, ["pm2.5"], [], ["TEMP", "cbwd"], [])
        assert table.panel.times.astype("M8[h]").astype(str).tolist() == [
            "2010-02-28T23",
            "2010-03-01T00",
            "2010-03-01T01",
            "2010-03-01T02",
        ]
        assert table.panel.categories == {"cbwd": ["NW", "SE", "cv"]}
        np.testing.assert_array_equal(table.panel.columns["pm2.5"], [np.nan, 129, 148, np.nan])
        assert table.panel.columns["cbwd"].tolist() == [0, 2, 0, 1]
        assert table.remarks[1:] == [
            "targets: pm2.5",
            "past: TEMP, cbwd (3 categories)",
            "missing values: pm2.5 2 (50 %), TEMP 1 (25 %)",
            "not used: No, which only counts the rows",
        ]

    def test_m4(self, tmp_path):
        content = '"V1","V2","V3","V4"\n"H1","605","586",\n"H2","1","NA","3"\n"H3","7.5","",""\n'
        table = panel_of(write(tmp_path, lzma.compress(content.encode()), "m4.csv.xz"), Layout(rows_are_series=True))
        assert table.panel.ids == ["H1", "H2", "H3"]
        assert table.panel.starts.tolist() == [0, 2, 5, 6]
        np.testing.assert_array_equal(table.panel.columns["y"], [605, 586, 1, np.nan, 3, 7.5])
        assert table.panel.times.tolist() == [0, 1, 0, 1, 2, 0]
        assert table.panel.frequency == Frequency("row", 1)
        assert table.roles == Roles(None, "V1", ["y"], [], [], [])
        assert table.remarks[0] == "3 series of 1 to 3, 6 rows, row by row, 0 to 2"

    def test_m4_without_names_and_with_a_static_column(self, tmp_path):
        path = write(tmp_path, "a,b,kind\n1.5,2,x\n3,,y\n")
        table = panel_of(path, Layout(rows_are_series=True, static=["kind"]))
        assert table.panel.ids == ["1", "2"]
        assert table.panel.columns["kind"].tolist() == [0, 0, 1]
        assert table.roles.static == ["kind"]

    def test_exchange_rates_without_a_header_and_sensors_with_numbers_for_names(self, tmp_path):
        assert list(panel_of(write(tmp_path, "0.7855,1.611\n0.7818,1.61\n")).panel.columns) == ["1", "2"]
        sensors = panel_of(write(tmp_path, "773869,767541\n64.375,67.625\n62.6,68.5\n"))
        assert sensors.roles.targets == ["773869", "767541"]
        assert len(sensors.panel.times) == 2

    def test_traffic_with_a_byte_order_mark_and_days_before_months(self, tmp_path):
        rows = "".join(
            f"{day}/03/2016 {hour}:{minute:02},{minute}\n"
            for day in ("04", "07")
            for hour in range(24)
            for minute in range(0, 60, 5)
        )
        table = panel_of(write(tmp_path, "\ufeff5 Minutes,Flow\n" + rows))
        assert table.panel.times[0] == np.datetime64("2016-03-04")
        assert table.remarks[2] == (
            "576 rows are missing, in 1 gaps, and count as missing values (5 minutes); "
            "the first gap is after row 289: 2016-03-04 23:55 to 2016-03-07 00:00"
        )

    def test_air_passengers(self, tmp_path):
        months = [f'"{year}-{month:02}",{month}' for year in (1949, 1950) for month in range(1, 13)]
        table = panel_of(write(tmp_path, "\n".join(['"Month","Passengers"', *months])))
        assert table.remarks[0] == "1 series, 24 rows, monthly, 1949-01-01 to 1950-12-01"

    def test_years(self):
        table = panel_of(pl.DataFrame({"year": [1990, 1991, 1993], "gdp": [1.0, 2.0, 3.0]}))
        assert table.panel.times.tolist() == [1990, 1991, 1992, 1993]
        np.testing.assert_array_equal(table.panel.columns["gdp"], [1, 2, np.nan, 3])


class TestFrames:
    COLUMNS: ClassVar = {
        "unique_id": ["b", "b", "a", "a", "b"],
        "ds": [*pd.to_datetime(["2020-01-31", "2020-02-29", "2020-02-29", "2020-03-31", "2020-04-30"])],
        "y": [1.5, None, 3, 4, 5],
        "price": [1, 2, 3, 4, 5],
        "holiday": [True, False, False, True, False],
        "kind": ["u", None, "v", "u", "u"],
        "size": [10.0, 10.0, 20.0, 20.0, 10.0],
    }
    LAYOUT = Layout(known=["holiday", "price"], static=["size"])

    def frames(self, folder):
        polars = pl.DataFrame(self.COLUMNS)
        yield polars
        yield polars.lazy()
        yield polars.with_columns(pl.col("unique_id").cast(pl.Categorical), pl.col("ds").cast(pl.Datetime("ms")))
        yield pd.DataFrame(self.COLUMNS)
        yield pd.DataFrame(self.COLUMNS).convert_dtypes()
        yield pd.DataFrame(self.COLUMNS).astype(object)
        yield pd.DataFrame(self.COLUMNS).astype({"kind": "category", "ds": "datetime64[ns]"})
        yield pd.DataFrame(self.COLUMNS).set_index(["unique_id", "ds"])
        yield pa.table(polars.to_arrow())
        polars.write_parquet(folder / "t.parquet")
        yield folder / "t.parquet"
        polars.with_columns(pl.col("holiday").cast(pl.Int8)).write_csv(folder / "t.csv")
        yield folder / "t.csv"

    def test_every_kind_gives_the_same_panel(self, tmp_path):
        first, *others = [panel_of(frame, self.LAYOUT) for frame in self.frames(tmp_path)]
        assert first.panel.ids == ["b", "a"]
        assert first.panel.frequency == Frequency("month", 1, month_end=True)
        np.testing.assert_array_equal(first.panel.columns["y"], [1.5, np.nan, np.nan, 5, 3, 4])
        np.testing.assert_array_equal(first.panel.columns["holiday"], [1, 0, np.nan, 0, 0, 1])
        np.testing.assert_array_equal(first.panel.columns["size"], [10, 10, 10, 10, 20, 20])
        np.testing.assert_array_equal(first.panel.columns["kind"], [0, np.nan, np.nan, 0, 1, 0])
        assert first.roles == Roles("ds", "unique_id", ["y"], ["holiday", "price"], ["kind"], ["size"])
        assert len(others) == 10
        for other in others:
            same(first.panel, other.panel)
            assert other.roles == first.roles

    def test_inputs_are_not_changed(self):
        frame = pd.DataFrame(self.COLUMNS)
        before = frame.copy(deep=True)
        panel_of(frame, self.LAYOUT).panel.columns["price"][:] = 0
        pd.testing.assert_frame_equal(frame, before)
        array = np.arange(4.0)
        panel_of(array).panel.columns["y"][:] = 0
        assert array.tolist() == [0, 1, 2, 3]


class TestArrays:
    def test_one_and_many_columns(self):
        assert panel_of(np.array([3, 1, 2])).roles == Roles(None, None, ["y"], [], [], [])
        table = panel_of(np.arange(6.0).reshape(3, 2), Layout(targets=["2"], known=["1"]))
        assert table.roles == Roles(None, None, ["2"], ["1"], [], [])
        assert table.panel.matrix(["1", "2"]).tolist() == [[0, 1], [2, 3], [4, 5]]
        assert panel_of([1.0, 2.0]).panel.columns["y"].tolist() == [1, 2]

    def test_many_series_of_different_lengths(self):
        panel = panel_of([np.arange(3), np.arange(1), [5, np.nan]]).panel
        assert panel.ids == ["1", "2", "3"]
        assert panel.times.tolist() == [0, 1, 2, 0, 0, 1]
        np.testing.assert_array_equal(panel.columns["y"], [0, 1, 2, 0, 5, np.nan])

    def test_columns_of_series_and_times(self):
        array = np.array([[7, 2, 1.5], [7, 1, 2.5], [3, 4, 3.5], [7, 4, 4.5]])
        panel = panel_of(array, Layout(series="1", time_column="2")).panel
        assert panel.ids == ["7", "3"]
        assert panel.times.tolist() == [1, 2, 3, 4, 4]
        np.testing.assert_array_equal(panel.columns["3"], [2.5, 1.5, np.nan, 4.5, 3.5])

    @pytest.mark.parametrize(
        ("data", "fact"),
        [
            (np.zeros((2, 3, 4)), "expected numbers [T] or [T, C], got float64 [2, 3, 4]."),
            (np.array(["a"]), "expected numbers [T] or [T, C], got <U1 [1]."),
            ([np.zeros(3), np.zeros((3, 2))], "expected arrays [T, C] of one width C, got widths 1, 2."),
            ([np.zeros(3), np.zeros(0)], "series 2 has no values."),
        ],
    )
    def test_what_is_no_series(self, data, fact):
        assert message_of(data, ShapeError).splitlines()[0] == fact

    def test_an_array_without_rows(self):
        assert message_of(np.zeros(0)).splitlines()[0] == "the table: it has no rows."


class TestRoles:
    FRAME = pl.DataFrame({"when": HOURS, "a": [5, 6, 7, 8, 9, 9], "b": [2, 3, 4, 5, 5, 5], "c": list("uvuvuv")})

    def roles(self, frame=FRAME, **layout):
        return panel_of(frame, Layout(**layout)).roles

    def test_numbers_are_targets_and_texts_past(self):
        assert self.roles() == Roles("when", None, ["a", "b"], [], ["c"], [])
        assert self.roles(targets="all") == self.roles()
        assert self.roles(targets="all", known=["a"]) == Roles("when", None, ["b"], ["a"], ["c"], [])

    def test_with_targets_the_rest_is_past_unless_past_is_given(self):
        assert self.roles(targets=["b"]) == Roles("when", None, ["b"], [], ["a", "c"], [])
        table = panel_of(self.FRAME, Layout(targets=["b"], past=[]))
        assert table.roles == Roles("when", None, ["b"], [], [], [])
        assert "not used: a, c" in table.remarks

    def test_no_target_is_fine_where_it_is_said(self):
        assert self.roles(targets=[], known=["a"], past=[]) == Roles("when", None, [], ["a"], [], [])

    def test_any_part_of_the_long_form(self):
        frame = self.FRAME.rename({"when": "ds", "a": "y"})
        assert self.roles(frame) == Roles("ds", None, ["y"], [], ["b", "c"], [])
        assert self.roles(frame.rename({"c": "unique_id"})) == Roles("ds", "unique_id", ["y"], [], ["b"], [])
        assert self.roles(frame.drop("ds").rename({"c": "unique_id"})) == Roles(None, "unique_id", ["y"], [], ["b"], [])

    def test_other_names(self):
        frame = self.FRAME.rename({"when": "t", "c": "shop"})
        found = panel_of(frame, Layout(time_column="t", series="shop", targets=["b"]))
        assert found.roles == Roles("t", "shop", ["b"], [], ["a"], [])
        assert found.panel.ids == ["u", "v"]
        assert found.panel.frequency.name == "2 hours"

    def test_a_second_column_of_times_and_lists_are_left_out_and_said(self):
        frame = self.FRAME.with_columns(seen=pl.col("when"), rest=pl.lit([[1]] * 6).first())
        remarks = panel_of(frame).remarks
        assert "not used: seen, which holds times too" in remarks
        assert "not used: rest, which holds neither numbers nor texts" in remarks

    def test_too_many_different_texts_are_no_category_unless_named(self):
        frame = pl.DataFrame({"y": np.arange(1500) % 7, "note": [f"n{row}" for row in range(1500)]})
        table = panel_of(frame)
        assert table.roles.past == []
        assert "not used: note, which holds 1,500 different texts" in table.remarks
        assert panel_of(frame, Layout(past=["note"])).roles.past == ["note"]

    def test_a_lone_counter_is_a_target(self):
        assert panel_of(np.arange(9)).roles.targets == ["y"]
        assert panel_of(pl.DataFrame({"n": range(9)})).roles.targets == ["n"]

    def test_two_roles(self):
        assert message_of(self.FRAME, OptionError, targets=["a"], known=["a"]) == (
            "column 'a' was given two roles.\n  hint: a column has one: time, series, target, known, …"
        )

    def test_a_series_a_row_has_no_other_roles(self):
        assert message_of(self.FRAME, OptionError, rows_are_series=True, known=["a"]).startswith("with --rows-are")


class TestOrder:
    def test_shuffled_rows_are_sorted_and_said(self, tmp_path):
        frame = dated(HOURS, y=range(10, 16), unique_id=list("ababab"))
        shuffled = frame[[3, 0, 1, 5, 2, 4]]
        found = panel_of(shuffled)
        assert found.panel.ids == ["b", "a"]
        same(found.panel, panel_of(frame[[1, 0, 3, 2, 5, 4]]).panel)
        shuffled.write_csv(tmp_path / "t.csv")
        remarks = panel_of(tmp_path / "t.csv").remarks
        assert "rows were not in order of time and were sorted; the first of 1 such rows is row 4" in remarks

    def test_series_that_take_turns_are_in_order(self):
        remarks = panel_of(dated(HOURS, y=range(10, 16), unique_id=list("abbaab"))).remarks
        assert len(remarks) == 2 + any("missing" in remark for remark in remarks)

    def test_gaps_are_filled_and_said(self, tmp_path):
        dated(HOURS[[0, 1, 4, 5]], y=[1, 2, 3, 4]).write_csv(tmp_path / "t.csv")
        table = panel_of(tmp_path / "t.csv")
        np.testing.assert_array_equal(table.panel.columns["y"], [1, 2, np.nan, np.nan, 3, 4])
        assert table.panel.times.tolist() == HOURS.to_numpy().astype("M8[us]").tolist()
        assert table.remarks[2] == (
            "2 rows are missing, in 1 gaps, and count as missing values (hourly); "
            "the first gap is after row 3: 2016-07-01 01:00 to 2016-07-01 04:00"
        )

    def test_rows_equal_in_everything_are_left_out_and_said(self):
        frame = dated(HOURS[[0, 1, 1, 2, 2, 2]], y=[1, None, None, 3, 3, 3])
        table = panel_of(frame)
        np.testing.assert_array_equal(table.panel.columns["y"], [1, np.nan, 3])
        remark = (
            "rows that repeat another in everything were left out: 3 (row 2 (from 0), row 4 (from 0), row 5 (from 0))"
        )
        assert remark in table.remarks

    def test_repeated_times(self, tmp_path):
        dated(HOURS[[0, 1, 1, 2, 2]], y=[1, 2, 3, 4, 5]).write_csv(tmp_path / "t.csv")
        assert message_of(tmp_path / "t.csv") == (
            f"{tmp_path / 't.csv'}: row 3 and row 4 both have the time 2016-07-01 01:00; "
            "times repeated in all: 2 (row 4, row 6).\n"
            "  hint: keep one row a time, or name the column of series: --series."
        )
        named = dated(HOURS[[0, 1, 1]], y=[1, 2, 3], unique_id=["s"] * 3)
        assert message_of(named) == (
            "the table: row 1 (from 0) and row 2 (from 0) both have the time 2016-07-01 01:00, series 's'; "
            "times repeated in all: 1 (row 2 (from 0)).\n  hint: keep one row a time."
        )
        assert "both have the time" in message_of(named, irregular=True)

    def test_off_the_grid(self, tmp_path):
        times = [*HOURS[:4], HOURS[4] + pd.Timedelta("7min"), HOURS[5]]
        dated(times, y=range(10, 16)).write_csv(tmp_path / "t.csv")
        assert message_of(tmp_path / "t.csv") == (
            f"{tmp_path / 't.csv'}: 1 of 6 times do not fit the frequency (hourly, from 2016-07-01 00:00); "
            "the first is 2016-07-01 04:07: row 6.\n"
            "  hint: correct them, or give --irregular: then the elapsed time is an input."
        )
        table = panel_of(tmp_path / "t.csv", Layout(irregular=True))
        assert table.panel.frequency is None
        assert table.remarks[0] == "1 series, 6 rows, irregular, 2016-07-01 00:00 to 2016-07-01 05:00"

    def test_a_time_in_another_millennium_takes_no_memory(self):
        times = [*HOURS[:5], pd.Timestamp("2250-01-01")]
        message = message_of(dated(times, y=range(10, 16)))
        assert "2,046,835 rows are missing, in 1 gaps" in message
        assert "the first gap is after row 4 (from 0): 2016-07-01 04:00 to 2250-01-01 00:00" in message

    def test_one_point(self):
        panel = panel_of(dated(HOURS[:1], y=[1.0]))
        assert panel.panel.frequency is None
        assert panel.remarks[0] == "1 series, 1 rows, too few times for a frequency, 2016-07-01 to 2016-07-01"
        assert panel_of(dated(HOURS[:1], y=[1.0]), frequency=Frequency("month", 1)).panel.frequency.name == "monthly"
        assert panel_of(np.array([2.0])).panel.frequency == Frequency("row", 1)

    def test_a_frequency_known_beforehand_holds(self):
        daily = Frequency("microsecond", 12 * 3600 * 10**6)
        panel = panel_of(dated(["2020-01-01", "2020-01-02"], y=[1, 2]), frequency=daily).panel
        np.testing.assert_array_equal(panel.columns["y"], [1, np.nan, 2])
        assert "do not fit the frequency" in message_of(dated(HOURS, y=range(6)), frequency=daily)


class TestFutures:
    def test_rows_after_the_last_target_stay(self):
        frame = dated(HOURS, y=[1, 2, 3, None, None, None], price=range(10, 16))
        panel = panel_of(frame, Layout(known=["price"])).panel
        assert panel.columns["price"].tolist() == [10, 11, 12, 13, 14, 15]
        assert np.isnan(panel.columns["y"][3:]).all()

    def test_a_table_and_its_future_one_below_the_other(self, tmp_path):
        past = dated(HOURS[:4], y=[1, 2, 3, 4], price=[5, 6, 7, 8], kind=["u", "v", "u", "w"])
        future = pd.DataFrame({"ds": HOURS[4:], "price": [9.5, 10], "kind": ["v", "a"]})
        table = panel_of([past, future], Layout(known=["price", "kind"]))
        np.testing.assert_array_equal(table.panel.columns["y"], [1, 2, 3, 4, np.nan, np.nan])
        assert table.panel.columns["price"].tolist() == [5, 6, 7, 8, 9.5, 10]
        assert table.panel.categories == {"kind": ["a", "u", "v", "w"]}
        assert table.panel.columns["kind"].tolist() == [1, 2, 1, 3, 2, 0]
        assert "missing in the table: y" in table.remarks

    def test_several_files_and_whose_row_it_is(self, tmp_path):
        one = write(tmp_path, "ds,y,unique_id\n2020-01-01,1,a\n2020-01-02,2,a\n", "one.csv")
        two = write(tmp_path, "ds,y,unique_id\n2020-01-01,5,b\n2020-01-03,3,a\n", "two.csv")
        panel = panel_of([one, two]).panel
        assert panel.ids == ["a", "b"]
        assert panel.columns["y"].tolist() == [1, 2, 3, 5]
        bad = write(tmp_path, "ds,y,unique_id\n2020-01-02,9,a\n", "three.csv")
        assert f"row 3 of {one} and row 2 of {bad} both have the time 2020-01-02, series 'a'" in message_of([one, bad])
        assert message_of([one, write(tmp_path, "ds,z\n2020-01-01,1\n", "z.csv")]) == (
            f"{tmp_path / 'z.csv'}: z: no such column in {one}.\n  hint: its columns are ds, y, unique_id."
        )
        nameless = write(tmp_path, "ds,y\n2020-01-01,1\n", "n.csv")
        assert message_of([one, nameless]).startswith(f"{nameless}: there is no column 'unique_id'.")
        assert "not of the kind" in message_of([one, write(tmp_path, "ds,y,unique_id\n5,1,a\n", "w.csv")])


class TestSummerTime:
    ZONE = "Europe/Berlin"

    def local(self, step="h", start="2016-10-28", periods=100):
        return pd.date_range(start, periods=periods, freq=step, tz="UTC").tz_convert(self.ZONE)

    @pytest.mark.parametrize(("step", "periods"), [("h", 100), ("15min", 400), ("h", 24 * 400)])
    def test_a_repeated_hour_of_local_times(self, step, periods):
        times = self.local(step, periods=periods).tz_localize(None)
        message = message_of(dated(times, y=np.arange(periods) * 0.5))
        assert message.startswith("the table: local times repeat the hour in which summer time ends: row ")
        assert message.endswith("hint: give the times in UTC or with their offsets (2016-10-30 02:00+02:00).")

    def test_another_repeated_hour_is_no_summer_time(self):
        times = [*HOURS, HOURS[3]]
        assert "summer" not in message_of(dated(times, y=range(10, 17)))

    @pytest.mark.parametrize("kind", ["zone", "text", "polars"])
    def test_offsets_make_it_right(self, tmp_path, kind):
        times = self.local()
        frame = {
            "zone": pd.DataFrame({"ds": times, "y": range(100)}),
            "text": dated([time.isoformat() for time in times], y=range(100)),
            "polars": pl.DataFrame({"ds": times, "y": range(100)}),
        }[kind]
        table = panel_of(frame)
        assert table.panel.time_zone == "UTC"
        assert table.panel.times.tolist() == times.tz_convert("UTC").tz_localize(None).to_pydatetime().tolist()
        assert table.remarks[0] == "1 series, 100 rows, hourly, 2016-10-28 00:00 to 2016-11-01 03:00 UTC"

    def test_the_missing_hour_of_spring_is_a_gap(self):
        times = self.local(start="2016-03-26", periods=48).tz_localize(None)
        table = panel_of(dated(times, y=np.arange(48) * 0.5))
        assert table.remarks[2].startswith("1 rows are missing, in 1 gaps")


class TestValues:
    """Errors name the file, the row as the file counts it, and the column."""

    @pytest.mark.parametrize(
        ("cell", "fact", "hint"),
        [
            ("two", "'two' is no number.", "correct it, or leave the cell empty if the value is missing."),
            ("1.234,5", "'1.234,5' is no number.", "correct it, or leave the cell empty if the value is missing."),
            ("inf", "an infinite value.", LARGE),
            ("1e300", "1e+300 is too large; 1e30 is the limit.", LARGE),
            ("-1e400", "an infinite value.", LARGE),
        ],
    )
    def test_what_is_no_number(self, tmp_path, cell, fact, hint):
        path = write(tmp_path, f'ds,y\n2020-01-01,1\n2020-01-02,"{cell}"\n2020-01-03,3\n')
        assert message_of(path) == f"{path}, row 3, column 'y': {fact}\n  hint: {hint}"

    def test_frames_and_arrays_too(self):
        assert message_of(np.array([1, np.inf])).startswith("the table, row 1 (from 0), column 'y': an infinite value.")
        assert "1e+300 is too large" in message_of(pd.DataFrame({"y": [1, 1e300]}))
        assert "'x' is no number" in message_of(pd.DataFrame({"y": [1, 2, "x"]}))

    def test_subnormal_and_large_values_stay(self, tmp_path):
        path = write(tmp_path, "y\n5e-324\n1e30\n-1E30\n")
        assert panel_of(path).panel.columns["y"].tolist() == [5e-324, 1e30, -1e30]

    def test_words_for_missing(self, tmp_path):
        path = write(tmp_path, "y,z\n1,1\nNA,2\nNaN,3\nnull,4\n?,5\n,6\n n/a ,7\nNone,9\n")
        assert np.isnan(panel_of(path).panel.columns["y"]).tolist() == [False] + [True] * 7

    def test_an_id_is_never_missing(self, tmp_path):
        assert panel_of(write(tmp_path, "unique_id,y\nNA,1\n007,2\n")).panel.ids == ["NA", "007"]
        path = write(tmp_path, "unique_id,y\na,1\n,2\n")
        assert message_of(path) == (
            f"{path}, row 3, column 'unique_id': the series has no name.\n  hint: every row needs one."
        )

    def test_a_target_without_values(self, tmp_path):
        path = write(tmp_path, "ds,y\n2020-01-01,\n2020-01-02,NA\n")
        assert message_of(path) == (
            f"{path}, column 'y': the target has no value.\n  hint: name other targets: --target NAME,…"
        )

    def test_other_columns_may_be_empty_or_constant_and_are_said(self):
        remarks = panel_of(dated(HOURS, y=range(10, 16), e=[None] * 6, k=[3] * 6)).remarks
        assert "without any value: e" in remarks
        assert "constant: k" in remarks

    @pytest.mark.parametrize(
        ("cell", "fact"), [("soon", "'soon' cannot be read as a time."), ("", "the time is missing.")]
    )
    def test_a_time_that_cannot_be_read(self, tmp_path, cell, fact):
        path = write(tmp_path, f"ds,y\n2020-01-01,1\n{cell},2\n")
        assert message_of(path) == (
            f"{path}, row 3, column 'ds': {fact}\n"
            "  hint: write times as 2016-07-31 18:00 or whole numbers, or name another column: --time-column."
        )

    def test_missing_times_of_frames(self):
        assert "the time is missing" in message_of(pd.DataFrame({"ds": [HOURS[0], pd.NaT], "y": [1, 2]}))
        assert "'1.5' cannot be read as a time" in message_of(pl.DataFrame({"ds": [1.0, 1.5], "y": [1, 2]}))

    def test_a_part_of_a_date_that_is_none(self):
        columns = {"year": [2020, 2021], "month": [2, 2], "day": [29, 29], "y": [1, 2]}
        assert message_of(pl.DataFrame(columns)) == (
            "the table, row 1 (from 0), column 'day': 29 is no day there.\n"
            "  hint: correct it; year+month+day together are the time."
        )
        assert "13 is no month there" in message_of(pl.DataFrame(columns | {"month": [1, 13]}))

    def test_an_unknown_column(self, tmp_path):
        path = write(tmp_path, "ds,load\n2020-01-01,1\n2020-01-02,2\n")
        assert message_of(path, targets=["laod"]) == (
            f"{path}: there is no column 'laod'.\n  hint: did you mean 'load'?"
        )
        assert "known here: ds, load." in message_of(path, series="shop")

    def test_nothing_to_forecast(self, tmp_path):
        path = write(tmp_path, "ds,kind\n2020-01-01,a\n2020-01-02,b\n")
        assert message_of(path) == (
            f"{path}: there is no column of numbers to forecast.\n  hint: its columns are ds, kind."
        )

    def test_a_static_column_that_varies(self):
        frame = dated(HOURS, y=range(10, 16), unique_id=list("aabbbb"), size=[1, 1, 2, 2, 3, 2])
        assert message_of(frame, static=["size"]) == (
            "the table, row 4 (from 0), column 'size': a static column varies, series 'b'.\n"
            "  hint: give it as --past or --known."
        )

    def test_series_a_row_that_are_none(self, tmp_path):
        assert ", row 3: the series has no value." in message_of(
            write(tmp_path, "id,a,b\nx,1,2\ny,,\n"), rows_are_series=True
        )

    def test_a_frame_without_rows(self):
        assert message_of(pl.DataFrame({"y": []})).startswith("the table: it has no rows.")


def test_a_series_that_occurs_again_goes_on_where_it_ended(tmp_path):
    """As M4's test files do below those of training, whose rows are longer."""
    train = tmp_path / "train.csv"
    train.write_text("id,V2,V3,V4\nx,1,2,3\ny,4,5,\n")
    test = tmp_path / "test.csv"
    test.write_text("id,V2,V3\ny,6,7\nx,8,9\n")
    panel = panel_of([train, test], Layout(rows_are_series=True)).panel
    assert panel.ids == ["x", "y"]
    assert [panel.columns["y"][panel.rows(number)].tolist() for number in range(2)] == [[1, 2, 3, 8, 9], [4, 5, 6, 7]]


@pytest.mark.parametrize("seed", range(20))
def test_damaged_text_is_read_or_refused_in_one_line(tmp_path, seed):
    rng = np.random.default_rng(seed)
    rows = "".join(f"2016-07-01 {hour:02}:00:00,{hour}.5,k{hour % 3}\n" for hour in range(20))
    content = bytearray(("ds,y,kind\n" + rows).encode())
    for place in rng.integers(len(content), size=4):
        content[place] = rng.integers(256)
    path = write(tmp_path, bytes(content))
    refused = None
    try:
        panel_of(path)
    except OstinatoError as error:
        refused = error
    assert refused is None or (refused.hint and "\n" not in refused.message)
