"""Series with labels from long tables, `.npz`, arrays and frames; and what is refused, with its place."""

import io
import sys
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import strategies as st

from ostinato.data import tables
from ostinato.data.labelled import series_examples
from ostinato.data.labelled_series import SeriesLayout
from ostinato.errors import OptionError, ShapeError
from tests.data.labelled_files import assert_same, fact, file_of, refusal, write
from tests.quick import examples

LONG = "series,time,x,y,label\na,2,0.75,,run\nb,1,0.25,3,walk\na,1,0.5,2,run\n"


def read(data, labelled=None, **layout):
    return series_examples(data, SeriesLayout(**layout), labelled=labelled)


class TestLongTables:
    def test_rows_are_sorted_by_series_and_time(self, tmp_path):
        path = write(tmp_path, LONG, "t.csv")
        found = read(path)
        np.testing.assert_array_equal(found.values, [[0.5, 2], [0.75, np.nan], [0.25, 3]])
        assert found.starts.tolist() == [0, 2, 3]
        assert (found.labels, found.ids, found.channels) == (["run", "walk"], ["a", "b"], ["x", "y"])
        assert [found.places[0], found.places[1]] == [f"{path}, row 2", f"{path}, row 3"]
        assert found.remarks == ["rows of a series were not in order of time, and sorted"]
        for layout in ({"series": 1, "time": "2", "label": 5, "values": ["x", 4]}, {"values": ["3", "y"]}):
            assert_same(read(path, **layout), found)
        assert read(path, values=[4]).channels == ["y"]
        assert read(path, values=[4]).remarks[0] == "not used: x"

    def test_every_kind_of_table(self, tmp_path):
        columns = {"id": [7, 8, 7], "v": [1.0, None, 3.0], "class": [0, 1, 0]}
        pl.DataFrame(columns).write_parquet(tmp_path / "t.parquet")
        expected = series_examples([np.array([1.0, 3.0]), np.array([np.nan])], labels=["0", "1"])
        for data in (pl.DataFrame(columns), pd.DataFrame(columns), pa.table(columns), tmp_path / "t.parquet"):
            found = series_examples(data)
            np.testing.assert_array_equal(found.values, expected.values)
            assert (found.labels, found.ids, found.channels) == (["0", "1"], ["7", "8"], ["v"])
            assert found.remarks == ["rows of a series that do not stand together were put one after the other"]
        assert series_examples(str(tmp_path / "t.parquet")).places[1] == f"{tmp_path / 't.parquet'}, row 2"
        assert series_examples(pd.DataFrame(columns)).places[1] == "row 1 (from 0)"

    def test_times_of_other_kinds_and_a_lone_row(self, tmp_path):
        content = "unique_id;ds;y\na;2020-01-02;1,5\na;2020-01-01;2\nb;2019-01-01;3\n"
        found = read(write(tmp_path, content, "t.csv"))
        assert found.values.tolist() == [[2], [1.5], [3]]
        assert (found.labels, found.channels) == (None, ["y"])
        one = read(write(tmp_path, "series,v\nz,4\n", "one.csv"))
        assert (one.values.tolist(), one.starts.tolist(), one.ids) == ([[4]], [0, 1], ["z"])

    def test_a_label_in_some_rows(self, tmp_path):
        path = write(tmp_path, "series,v,label\na,1,\na,2,x\nb,3,y\nb,4,\n", "t.csv")
        assert read(path).labels == ["x", "y"]
        assert read(path, labelled=False).labels is None
        numbers = write(tmp_path, "series,v,label,kind\na,1,7,2\nb,3,8,2\n", "n.csv")
        assert read(numbers, labelled=False).channels == ["v", "kind"]
        assert read(numbers, labelled=False, label="kind").channels == ["v", "label"]
        assert read(numbers, labelled=False, label="gone").channels == ["v", "label", "kind"]
        assert read(numbers, labelled=False, values=["v", "label"]).channels == ["v", "label"]
        several = write(tmp_path, "series,v,label\na,1,x|y\na,2,x|y\nb,3,\n", "t.csv")
        assert read(several, separator="|").labels == [["x", "y"], []]

    @pytest.mark.parametrize(
        ("content", "layout", "message"),
        [
            ("series,v,label\na,1,x\na,2,y\n", {}, ", row 3, column 'label': series 'a' is labelled 'x' and 'y'."),
            ("series,time,v\na,1,1\nb,1,1\na,1,2\n", {}, ", row 4: series 'a' has two rows of one time."),
            ("series,v\na,1\n,2\n", {}, ", row 3, column 'series': the series has no name."),
            ("series,v\na,1\nb,x\nc,1\n", {}, ", row 3, column 'v': 'x' is no number."),
            ("series,v\na,inf\n", {}, ", row 2, column 'v': an infinite value."),
            ("series,time,v\na,then,1\n", {}, ", row 2, column 'time': 'then' cannot be read as a time."),
            ("series,word\na,x\n", {}, " has no column of values; its 2 columns are 1 'series', 2 'word'."),
            ("name,v\na,1\n", {}, ": which column names the series is not said; its 2 columns are 1 'name', 2 'v'."),
            ("series,v\na,1\n", {"labelled": True}, ": which column is the label is not said; its 2 columns are "
             "1 'series', 2 'v'."),
            ("series,v\na,1\n", {"label": "lable"}, " has no column 'lable'; its 2 columns are 1 'series', 2 'v'."),
            ("a,b\n1,2,3\n", {}, ", row 2: it has 3 cells, and the first row has 2."),
            ("", {}, " is empty."),
        ],
    )  # fmt: skip
    def test_refused(self, tmp_path, content, layout, message):
        path = write(tmp_path, content, "t.csv")
        assert fact(read, path, **layout) == f"{path}{message}"

    def test_labels_that_some_series_lack(self, tmp_path):
        path = write(tmp_path, "series,v,label\na,1,x\nb,2,\n", "t.csv")
        assert fact(read, path) == f"1 of 2 labels are missing, the first at {path}, row 3."
        path = write(tmp_path, "series,v,label\na,1,\nb,2,\n", "t.csv")
        assert (read(path).labels, read(path).remarks) == (None, ["column 'label' holds no labels"])

    def test_standard_input(self, monkeypatch):
        heads = ("", "\ufeff# comment\n")
        for content in (LONG, *(f"{head}@classLabel true\n@data\n0.5,0.75:2,?:run\n0.25:3:walk\n" for head in heads)):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
            found = read("-", labelled=True)
            np.testing.assert_array_equal(found.values, [[0.5, 2], [0.75, np.nan], [0.25, 3]])
            assert (found.labels, found.starts.tolist()) == (["run", "walk"], [0, 2, 3])
            assert found.places[0].startswith("standard input, ")

    def test_labels_that_are_lists(self):
        for lists in ([["x"], None, ["x", "y"]], [np.array(["x"]), None, np.array(["x", "y"])]):
            frame = pd.DataFrame({"series": [1, 1, 2], "v": [1.0, 2, 3], "label": lists})
            assert read(frame).labels == [["x"], ["x", "y"]]

    def test_two_roles(self, tmp_path):
        path = write(tmp_path, "series,v,label\na,1,x\n", "t.csv")
        assert fact(read, path, values=[1, 2], error=OptionError) == "column 'series' was given two roles."


def npz(folder, name="t.npz", **arrays):
    path = folder / name
    np.savez_compressed(path, **arrays)
    return path


class TestNpz:
    X = np.arange(24.0).reshape(3, 4, 2)

    def test_names_and_shapes(self, tmp_path):
        expected = series_examples(self.X, labels=["b", "a", "b"])
        for arrays in (
            {"X": self.X, "y": ["b", "a", "b"]},
            {"data": self.X, "labels": np.array([[b"b"], [b"a"], [b"b"]])},
        ):
            assert_same(series_examples(npz(tmp_path, **arrays)), expected)
        flat = series_examples(npz(tmp_path, x=self.X[..., 0].astype(np.int16), LABEL=[1.0, 2, 1], names=["u"]))
        assert (flat.values.shape, flat.labels, flat.remarks) == ((12, 1), ["1", "2", "1"], ["arrays not used: names"])
        assert flat.places[2] == f"{tmp_path / 't.npz'}, series 3"
        assert series_examples(npz(tmp_path, X=self.X, y=[[0, 1], [1, 1], [0, 0]])).labels == [["1"], ["0", "1"], []]
        assert series_examples(npz(tmp_path, X=self.X)).labels is None

    def test_lengths_cut_what_is_padded(self, tmp_path):
        found = series_examples(npz(tmp_path, X=np.asfortranarray(self.X), lengths=[4, 0, 2]))
        assert_same(found, series_examples([self.X[0], self.X[1, :0], self.X[2, :2]]))

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"z": X}, " has no array of series, called x, data, values, series; its arrays are z."),
            ({"X": X, "data": X}, ": X, data could each be the x."),
            ({"X": X[0, 0]}, ": expected numbers [S, T, D] or [S, T] in X, got float64 [2]."),
            ({"X": X[:0]}, ": expected numbers [S, T, D] or [S, T] in X, got float64 [0, 4, 2]."),
            ({"X": X.astype("U5")}, None),
            ({"X": X * 1j}, None),
            ({"X": X, "lengths": [4, 5, 0]}, ": lengths should be 3 whole numbers from 0 to 4, one for each series."),
            ({"X": X, "lengths": [1.0, 2, 3]}, None),
            ({"X": X, "lengths": [1, 2]}, None),
        ],
    )
    def test_refused(self, tmp_path, arrays, message):
        path = npz(tmp_path, **arrays)
        found = fact(series_examples, path)
        assert found == f"{path}{message}" if message else found.startswith(f"{path}: ")

    def test_labels_of_another_number(self, tmp_path):
        path = npz(tmp_path, X=self.X, y=[1, 2])
        assert fact(series_examples, path) == f"{path}: expected 3 labels, one for each series, got 2."
        assert series_examples(path, labelled=False).labels is None
        assert "has no array of labels" in fact(series_examples, npz(tmp_path, X=self.X), labelled=True)

    def test_objects_are_never_unpickled(self, tmp_path):
        class Trap:
            def __reduce__(self):
                return (pytest.fail, ("code from the file was run",))

        for arrays in ({"X": np.array([Trap()], object)}, {"X": self.X, "y": np.array([Trap()] * 3, object)}):
            message = fact(series_examples, npz(tmp_path, **arrays))
            assert message.endswith("holds Python objects, which could run code and are not read.")

    def test_one_that_claims_more_than_it_holds(self, tmp_path):
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
        path = tmp_path / "t.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("X.npy", header.getvalue() + bytes(64))
        assert fact(series_examples, path) == f"{path}: X should have shape [1000000, 1000000], but is shorter."

    @pytest.mark.parametrize("order", "<>")
    def test_characters_that_there_are_not(self, tmp_path, order):
        for code, is_one in ((0x1F600, True), (0xD800, False), (0xFFFF0041, False)):
            labels = np.array([65, code, 66], f"{order}u4").view(f"{order}U1")
            path = npz(tmp_path, X=self.X, y=labels)
            if is_one:
                assert series_examples(path).labels == ["A", "\U0001f600", "B"]
            else:
                message = f"{path}: y holds {labels.dtype}, neither numbers nor texts."
                assert fact(series_examples, path) == message
        assert "neither numbers nor texts" in fact(series_examples, npz(tmp_path, X=self.X, y=np.zeros(3, "M8[D]")))

    def test_one_too_large(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tables, "MOST_BYTES", 100)
        assert "are read at most" in fact(series_examples, npz(tmp_path, X=self.X))

    def test_one_too_large_as_numbers(self, tmp_path, monkeypatch):
        path = npz(tmp_path, X=np.ones((50, 10), np.uint8))
        monkeypatch.setattr(tables, "MOST_BYTES", 4000)
        assert series_examples(path).values.shape == (500, 1)
        monkeypatch.setattr(tables, "MOST_BYTES", 3999)
        assert fact(series_examples, path).startswith(f"{path}: as numbers X holds ")

    def test_damaged_ones(self, tmp_path):
        whole = npz(tmp_path, X=self.X, y=[1, 2, 3]).read_bytes()
        for content in (b"", b"PK", whole[:-30], whole[:100] + b"\xff" * 40 + whole[140:]):
            path = write(tmp_path, content, "bad.npz")
            assert fact(series_examples, path).startswith(f"{path} is damaged, or no .npz file (")
        assert "no such file" in fact(series_examples, tmp_path / "nowhere.npz")
        (tmp_path / "folder.npz").mkdir()
        assert "cannot be read" in fact(series_examples, tmp_path / "folder.npz")


class TestArrays:
    def test_every_shape(self):
        cube = np.arange(12).reshape(2, 3, 2)
        found = series_examples(cube, labels=[5, 6])
        assert (found.values.shape, found.channels, found.labels) == ((6, 2), ["1", "2"], ["5", "6"])
        assert_same(series_examples(list(cube.astype(np.float32)), labels=["5", "6"]), found)
        assert_same(series_examples(cube[..., 0]), series_examples([[0, 2, 4], (6, 8, 10)]))
        ragged = series_examples([np.ones(3), np.empty(0), np.ones((1, 1))])
        assert ragged.lengths.tolist() == [3, 0, 1]
        assert ragged.summary == ["3 series of 0 to 3 steps", "channels: 1"]
        alone = series_examples([cube[0]])
        cube[:] = 0
        assert (found.values.max(), alone.values.max()) == (11, 5)
        assert series_examples(np.ones((2, 0, 3))).lengths.tolist() == [0, 0]
        turned = np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)
        assert_same(series_examples(turned), series_examples(list(turned)))

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (np.ones(3), "expected series [S, T, D] or [S, T], got [3]."),
            (np.array("a"), "expected series [S, T, D] or [S, T], got []."),
            (np.array(["a"], object), "expected numbers [T] or [T, D] for series 0 (from 0), got <U1 []."),
            (np.ones((0, 3, 2)), "expected series [T, D] of one width D from 1 on, got no series."),
            (np.ones((1, 1, 1, 1)), "expected series [S, T, D] or [S, T], got [1, 1, 1, 1]."),
            ([], "expected series [T, D] of one width D from 1 on, got no series."),
            ([np.ones((2, 2)), np.ones((2, 3))], "expected series [T, D] of one width D from 1 on, got 2, 3."),
            (np.ones((2, 3, 0)), "expected series [T, D] of one width D from 1 on, got 0."),
            ([np.ones(2), np.array(["a"])], "expected numbers [T] or [T, D] for series 1 (from 0), got <U1 [1]."),
            ([[1, [2]]], "expected numbers [T] or [T, D] for series 0 (from 0), got object [1]."),
            ([1.0, 2.0], "expected numbers [T] or [T, D] for series 0 (from 0), got float64 []."),
        ],
    )
    def test_refused(self, data, message):
        assert fact(series_examples, data, error=ShapeError) == message

    def test_infinite_values(self):
        message = "series 1 (from 0): step 2, channel '1': an infinite value."
        assert fact(series_examples, [np.ones(3), np.array([1, -np.inf])]) == message


TABLE = st.lists(
    st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.floats(-1e9, 1e9)), st.integers(-3, 3)),
    min_size=1,
    max_size=9,
)


@examples(25, 500, TABLE, st.randoms(use_true_random=False))
def test_rows_in_any_order_are_the_same_series(rows, random):
    names = list(dict.fromkeys(name for name, _, _ in rows))
    lines = [f"{name},{step},{'' if x is None else repr(x)},{y}" for step, (name, x, y) in enumerate(rows)]
    head, tail = [lines[[row[0] for row in rows].index(name)] for name in names], list(lines)
    for line in head:
        tail.remove(line)
    random.shuffle(tail)
    with file_of("\n".join(["series,time,x,y", *head, *tail, ""]), "t.csv") as path:
        found = read(path)
    arrays = [np.array([row[1:] for row in rows if row[0] == name], np.float64) for name in names]
    expected = series_examples(arrays)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.starts.tolist() == expected.starts.tolist()
    assert found.ids == names


def test_series_that_differ_are_told_apart():
    with pytest.raises(AssertionError):
        assert_same(series_examples(np.ones((2, 3))), series_examples(np.ones((2, 3, 1)) * [[[1]], [[2]]]))
    with pytest.raises(AssertionError):
        assert_same(series_examples(np.ones((2, 3))), series_examples([np.ones(2), np.ones(4)]))


def test_a_frame_without_rows():
    assert refusal(series_examples, pl.DataFrame({"series": [], "v": []})).startswith("the table has no rows.")
