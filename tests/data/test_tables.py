"""Reading tables: encodings, delimiters, headers, archives, Parquet, frames; and what is refused, with its place."""

import gzip
import io
import lzma
import subprocess
import sys

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ostinato.data import tables
from ostinato.data.layout import panel_of
from ostinato.data.tables import as_frame, read_sheet, read_table
from ostinato.errors import DataError, MissingExtraError

CSV = "date,a,b\n2020-01-01,1.5,x\n2020-01-02,,y\n"


def write(folder, content, name="table.csv"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(path):
    frame = read_table(path)
    return [tuple(frame.columns), *frame.rows()]


def refusal(call, *arguments):
    with pytest.raises(DataError) as caught:
        call(*arguments)
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


class TestText:
    EXPECTED = (("date", "a", "b"), ("2020-01-01", "1.5", "x"), ("2020-01-02", None, "y"))

    @pytest.mark.parametrize(
        ("name", "pack"),
        [
            ("t.csv", bytes),
            ("t.txt", bytes),
            ("t.csv.gz", gzip.compress),
            ("t.CSV.XZ", lzma.compress),
            ("t", lambda raw: b"\xef\xbb\xbf" + raw),
            ("u.csv", lambda raw: raw.decode().encode("utf-16")),
            ("dos.csv", lambda raw: raw.replace(b"\n", b"\r\n")),
            ("mac.csv", lambda raw: raw.replace(b"\n", b"\r")),
            ("blank.csv", lambda raw: raw + b"\n\n"),
            ("quoted.csv", lambda raw: raw.replace(b"date", b'"date"').replace(b"x", b'"x"')),
        ],
    )
    def test_however_it_is_packed(self, tmp_path, name, pack):
        assert rows(write(tmp_path, pack(CSV.encode()), name)) == list(self.EXPECTED)

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_other_delimiters(self, tmp_path, delimiter):
        assert rows(write(tmp_path, CSV.replace(",", delimiter))) == list(self.EXPECTED)

    def test_a_decimal_comma_between_semicolons(self, tmp_path):
        assert rows(write(tmp_path, "a;b\n1,5;x,y\n-2,25;3\n")) == [("a", "b"), ("1.5", "x,y"), ("-2.25", "3")]

    def test_a_comma_in_a_text_of_a_table_with_tabs(self, tmp_path):
        assert rows(write(tmp_path, "a\tb\n1\tx, y\n2\tz\n")) == [("a", "b"), ("1", "x, y"), ("2", "z")]

    def test_standard_input(self, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CSV.encode())))
        assert rows("-") == list(self.EXPECTED)

    def test_latin_1_is_read_and_said(self, tmp_path):
        sheet = read_sheet(write(tmp_path, "µmol,°C\n1,2\n".encode("latin-1")))
        assert sheet.frame.columns == ["µmol", "°C"]
        assert sheet.remarks == ["the text is not UTF-8 and was read as latin-1"]

    def test_short_rows_end_in_missing_cells(self, tmp_path):
        assert rows(write(tmp_path, "a,b,c\n1\n1,2\n")) == [("a", "b", "c"), ("1", None, None), ("1", "2", None)]

    def test_a_cell_of_any_width(self, tmp_path):
        wide = "x" * 200_000
        assert rows(write(tmp_path, f"a,b\n{wide},1\n")) == [("a", "b"), (wide, "1")]
        path = write(tmp_path, f"a,b\n{wide},1,2\n")
        assert refusal(read_table, path).startswith(f"{path}, row 2: it has 3 cells, and the first row has 2.")


class TestHeaders:
    @pytest.mark.parametrize(
        ("content", "columns"),
        [
            ("0.5,1.5\n0.6,1.6\n", ["1", "2"]),
            ("5\n6\n7\n", ["1"]),
            ("1,0,0\n0,1,0\n", ["1", "2", "3"]),
            ("3,5\n4,7\n", ["1", "2"]),
            ("a,2\n1,2\n", ["a", "2"]),
            ("a,\n1,2\n", ["a", "2"]),
            (" a , b\n1,2\n", ["a", "b"]),
            ("773869,767541\n64.375,67.625\n62.6,68.5\n", ["773869", "767541"]),
            ("0,1,2\n5,5,5\n", ["0", "1", "2"]),
        ],
    )
    def test_what_is_a_header(self, tmp_path, content, columns):
        sheet = read_sheet(write(tmp_path, content))
        assert sheet.frame.columns == columns
        lines = content.count("\n")
        assert len(sheet.frame) == lines - (sheet.origin.first_rows[0] - 1)

    def test_what_was_made_of_numbers_is_said(self, tmp_path):
        path = write(tmp_path, "1.5,2,3,4\n1,2,3,4\n")
        assert read_sheet(path).remarks == ["no header: the columns are called 1, 2, … 4"]
        path = write(tmp_path, "101,102\n1.5,2.5\n")
        assert read_sheet(path).remarks == ["the first row, of whole numbers, was taken as the header"]


class TestParquet:
    def test_it_is_read_with_its_types(self, tmp_path):
        frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
        for name in ("t.parquet", "without-a-suffix"):
            frame.write_parquet(tmp_path / name)
            assert read_table(tmp_path / name).to_native().equals(frame)

    def test_a_damaged_one(self, tmp_path):
        frame = pl.DataFrame({"a": np.arange(1000.0)})
        frame.write_parquet(tmp_path / "t.parquet")
        whole = (tmp_path / "t.parquet").read_bytes()
        for content in (whole[:-9], whole[:100], b"PAR1PAR1", whole[:4] + bytes(len(whole) - 8) + whole[-4:]):
            path = write(tmp_path, content, "bad.parquet")
            assert refusal(read_table, path).startswith(f"{path} cannot be read as a table: ")

    def test_one_too_large_is_refused_before_it_is_read(self, tmp_path, monkeypatch):
        pl.DataFrame({"a": np.zeros(1000)}).write_parquet(tmp_path / "t.parquet")
        monkeypatch.setattr(tables, "MOST_BYTES", 7999)
        assert "GiB of numbers" in refusal(read_table, tmp_path / "t.parquet")


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "is empty.\n  hint: give a table with some rows in it."),
            (" \n\n", "is empty.\n  hint: give a table with some rows in it."),
            (",\n,\n", "is empty.\n  hint: give a table with some rows in it."),
            ("a,b\n", "has a header but no rows.\n  hint: give a table with some rows in it."),
            ("a\0b", "is binary, and no table that is known here.\n  hint: give CSV, TSV, Parquet or .tsf."),
        ],
    )
    def test_what_is_no_table(self, tmp_path, content, message):
        path = write(tmp_path, content)
        assert refusal(read_table, path) == f"{path} {message}"

    def test_a_row_with_too_many_cells(self, tmp_path):
        path = write(tmp_path, "a,b\n1,2\n1,2,3\n")
        assert refusal(read_table, path) == (
            f"{path}, row 3: it has 3 cells, and the first row has 2.\n"
            "  hint: put quotes around a text that holds the delimiter, or correct the row."
        )

    def test_quotes_that_do_not_close(self, tmp_path):
        path = write(tmp_path, 'a,b\n1,2\n"x,2\n3,4\n')
        assert refusal(read_table, path).startswith(f"{path}, row 3: ")

    def test_two_columns_of_one_name(self, tmp_path):
        path = write(tmp_path, "a,b,a\n1,2,3\n")
        message = "names of columns that occur more than once: 'a'.\n  hint: give every column a name of its own."
        assert refusal(read_table, path) == f"{path}: {message}"
        assert refusal(as_frame, pd.DataFrame([[1, 2]], columns=["a", "a"])) == f"the table: {message}"
        assert refusal(as_frame, pa.table([[1], [2]], names=["a", "a"])) == f"the table: {message}"

    def test_a_missing_file(self, tmp_path):
        assert "no such file" in refusal(read_table, tmp_path / "nowhere.csv")

    def test_a_damaged_archive(self, tmp_path):
        path = write(tmp_path, gzip.compress(CSV.encode())[:20], "t.csv.gz")
        assert "is damaged, or not a .gz archive" in refusal(read_table, path)

    @pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
    def test_an_archive_too_large(self, tmp_path, monkeypatch, suffix, pack):
        monkeypatch.setattr(tables, "MOST_BYTES", 1024**2)
        path = write(tmp_path, pack(b"a,b\n" + b"1,2\n" * 300_000), f"t.csv{suffix}")
        assert refusal(read_table, path) == (
            f"{path} holds more than 0.000977 GiB of text.\n"
            "  hint: give fewer rows or columns, or the table as Parquet."
        )

    def test_what_is_no_frame(self):
        assert refusal(as_frame, 7) == (
            "int is no table.\n"
            "  hint: give a path, a frame of pandas, polars or pyarrow, an array [T] or [T, C], or a list of arrays."
        )

    def test_without_the_extra(self, monkeypatch, tmp_path):
        monkeypatch.setattr("ostinato.extras.find_spec", lambda module: None)
        with pytest.raises(MissingExtraError, match=r"pip install 'ostinato\[tables\]'"):
            read_table(write(tmp_path, CSV))
        with pytest.raises(MissingExtraError):
            as_frame(pl.DataFrame({"a": [1]}))


class TestFrames:
    def test_every_kind(self):
        columns = {"a": [1, 2], "b": ["x", "y"]}
        for frame in (pl.DataFrame(columns), pl.LazyFrame(columns), pd.DataFrame(columns), pa.table(columns)):
            found = as_frame(frame)
            assert isinstance(found, nw.DataFrame)
            assert found.to_dict(as_series=False) == columns

    def test_the_index_of_a_pandas_frame_is_a_column_unless_it_counts(self):
        dates = pd.date_range("2020-01-01", periods=2)
        frame = pd.DataFrame({"a": [1, 2]}, index=dates)
        assert as_frame(frame).columns == ["time", "a"]
        assert as_frame(frame.rename_axis("when")).columns == ["when", "a"]
        assert as_frame(frame.set_axis([5, 7])).columns == ["a"]
        assert as_frame(frame.set_axis(pd.MultiIndex.from_product([["x"], dates], names=["id", "ds"]))).columns == [
            "id",
            "ds",
            "a",
        ]
        assert list(frame.columns) == ["a"]
        assert frame.index is dates or frame.index.equals(dates)

    def test_periods_are_their_beginnings(self):
        frame = pd.DataFrame({"a": [1.0, 2.0]}, index=pd.period_range("2020-01", periods=2, freq="M"))
        assert panel_of(frame).panel.times.astype("M8[D]").astype(str).tolist() == ["2020-01-01", "2020-02-01"]

    def test_a_series_is_a_column(self):
        assert as_frame(pd.Series([1.0, 2.0], index=pd.date_range("2020-01-01", periods=2))).columns == ["time", "y"]
        assert as_frame(pl.Series("load", [1.0])).columns == ["load"]

    def test_numbers_as_names_become_texts(self):
        assert as_frame(pd.DataFrame([[1, 2]])).columns == ["0", "1"]


def test_arrays_need_neither_polars_nor_narwhals():
    code = (
        "import sys\n"
        "for name in ('polars', 'narwhals', 'pandas', 'pyarrow', 'torch'): sys.modules[name] = None\n"
        "import numpy as np\n"
        "from ostinato.data.layout import Layout, panel_of\n"
        "print(panel_of(np.arange(6.0).reshape(3, 2)).panel.columns['2'].sum())\n"
        "print(panel_of([np.arange(3), np.arange(4)], Layout(known=[])).panel.lengths.tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "9.0\n[3, 4]\n"
