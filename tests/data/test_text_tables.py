"""Texts with labels from tables of every kind; what is refused, with its place; and random tables, there and back."""

import csv
import gzip
import io
import json
import lzma
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import strategies as st

from ostinato.data import tables
from ostinato.data.labelled import text_examples
from ostinato.data.text_tables import TextLayout
from ostinato.errors import DataError, MissingExtraError, OptionError
from tests.data.labelled_files import assert_same, fact, file_of, refusal, write
from tests.quick import examples

TSV = '0\t3\tneg/0\tBad, bad; "bad"\n1\t9\tpos/1\t"It" was 1,5 h. <br />\n'


def read(path, labelled=None, **layout):
    return text_examples(path, TextLayout(**layout), labelled=labelled)


class TestTabs:
    @pytest.mark.parametrize(
        ("name", "pack"),
        [
            ("t.tsv", bytes),
            ("t.txt", bytes),
            ("t", bytes),
            ("t.tsv.gz", gzip.compress),
            ("t.TSV.xz", lzma.compress),
            ("bom.tsv", lambda raw: b"\xef\xbb\xbf" + raw),
            ("wide.tsv", lambda raw: raw.decode().encode("utf-16")),
            ("wider.tsv", lambda raw: raw.decode().encode("utf-32")),
            ("dos.tsv", lambda raw: raw.replace(b"\n", b"\r\n")),
            ("mac.tsv", lambda raw: raw.replace(b"\n", b"\r")),
            ("blank.tsv", lambda raw: raw + b"\n\n"),
            ("open.tsv", lambda raw: raw[:-1]),
        ],
    )
    def test_however_it_is_packed(self, tmp_path, name, pack):
        path = write(tmp_path, pack(TSV.encode()), name)
        found = read(path, header=False, text=4, label="1")
        assert found.texts == ['Bad, bad; "bad"', '"It" was 1,5 h. <br />']
        assert found.labels == ["0", "1"]
        assert found.places[1] == f"{path}, row 2"
        assert found.remarks == []

    def test_characters_that_are_no_line_ends_stay(self, tmp_path):
        odd = "a\x0bb\x0cc\x1cd\x85e\u2028f"
        assert read(write(tmp_path, f"{odd}\tx\n\ufeff\ty\n", "t.tsv"), header=False, text=1, label=2).texts == [
            odd,
            "\ufeff",
        ]

    def test_quotes_are_kept_and_that_is_said(self, tmp_path):
        path = write(tmp_path, 'text\tlabel\n"good"\ta\n"so" so\tb\n', "t.tsv")
        found = read(path)
        assert found.texts == ['"good"', '"so" so']
        assert found.remarks == ["quotes were kept around 1 texts; --quotes takes them off"]
        assert refusal(read, path, quotes=True) == (
            f"{path}, row 3: '\t' expected after '\"'.\n"
            '  hint: it was cut at tabs, and " opens and closes a cell; where it is but a character say --no-quotes.'
        )

    def test_quotes_where_the_caller_says_so(self, tmp_path):
        path = write(tmp_path, 'text\tlabel\n"a\tb\n""c"""\tx\n', "t.tsv")
        assert read(path, quotes=True).texts == ['a\tb\n"c"']
        assert read(path).texts == ['"a', '""c"""']

    def test_a_text_a_line(self, tmp_path):
        path = write(tmp_path, 'one, two\n\n"three"\n\n', "lines.txt")
        found = read(path)
        assert (found.texts, found.labels) == (["one, two", "", '"three"'], None)
        assert found.summary == ["3 texts of 0 to 8 characters", "texts that are empty: 1"]
        assert read(write(tmp_path, "Text\nfirst\n", "named.txt")).texts == ["first"]
        assert read(write(tmp_path, "line\nfirst\n", "named.txt"), text="line").texts == ["first"]

    def test_standard_input(self, monkeypatch):
        from pathlib import Path

        for content, texts in (("a\nb\n", ["a", "b"]), ('{"text": "c"}\n', ["c"])):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
            found = read(Path("-"))
            assert found.texts == texts
            assert found.places[0].startswith("standard input, ")

    @pytest.mark.parametrize("layout", [{}, {"text": "4", "label": "1"}, {"text": "review"}])
    def test_where_labels_do_not_matter_standard_input_is_a_text_a_line(self, monkeypatch, layout):
        from pathlib import Path

        for content, texts in (
            ('a\tb\n\n"c\n', ["a\tb", "", '"c']),
            ("a\n\n\n", ["a", "", ""]),
            ("text\nb", ["text", "b"]),
        ):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
            found = read(Path("-"), labelled=False, **layout)
            assert (found.texts, found.labels) == (texts, None)
            assert found.remarks == ["standard input was read as a text a line"]
            assert found.places[1] == "standard input, line 2"
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"review": "d"}')))
        assert read(Path("-"), labelled=False, **layout).texts == ["d"]

    def test_where_labels_do_not_matter_a_lone_column_is_the_text(self, tmp_path):
        path = write(tmp_path, "one\ntwo\n", "t.tsv")
        for layout in ({"text": "4", "label": "1"}, {"text": "review"}):
            assert read(path, labelled=False, **layout).texts == ["one", "two"]
        assert "has no column 4" in fact(read, path, text=4)

    def test_an_empty_cell_is_no_blank_line(self, tmp_path):
        for content, texts in (('""\n\n\n', [""]), ('a\n\n""\n\n', ["a", "", ""]), ('\n"b"\n', ["", "b"])):
            assert read(write(tmp_path, content, "t.csv")).texts == texts
        path = write(tmp_path, '\ntext,label\na,b\n""\n', "t.csv")
        assert fact(read, path) == f"{path}, row 4: it has 1 cells, and the first row has 2."

    def test_blank_lines_among_rows(self, tmp_path):
        found = read(write(tmp_path, "text\tlabel\na\tx\n\nb\ty\n", "t.tsv"))
        assert found.texts == ["a", "b"]
        assert found.remarks == ["blank lines left out: 1"]
        assert found.places[1].endswith("row 4")


class TestCommas:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_the_delimiter_is_found(self, tmp_path, delimiter):
        content = 'label,text\n7,"a; b, ""c"""\n8,"a\tb\nc, d; e"\n'
        rows = io.StringIO()
        csv.writer(rows, delimiter=delimiter).writerows(csv.reader(io.StringIO(content)))
        found = read(write(tmp_path, rows.getvalue(), "t.csv"))
        assert found.texts == ['a; b, "c"', "a\tb\nc, d; e"]
        assert found.labels == ["7", "8"]

    def test_a_delimiter_that_the_caller_names(self, tmp_path):
        found = read(write(tmp_path, "text|label\na,b;c|x\n", "t.csv"), delimiter="|")
        assert (found.texts, found.labels) == (["a,b;c"], ["x"])

    def test_a_lone_column_of_texts_that_hold_no_comma(self, tmp_path):
        assert read(write(tmp_path, "a\nb\n", "t.csv")).texts == ["a", "b"]

    def test_a_huge_cell(self, tmp_path):
        huge = "x, " * 200_000
        for quotes in (True, False):
            content = f'text\tlabel\n"{huge}"\ta\nb\tc\n'
            texts = read(write(tmp_path, content, "t.tsv"), quotes=quotes).texts
            assert texts == [huge if quotes else f'"{huge}"', "b"]
        assert read(write(tmp_path, f'text,label\n"{huge}",a\n', "t.csv")).texts == [huge]
        assert csv.field_size_limit() < len(huge)


class TestColumns:
    def test_by_name_by_number_and_by_usual_names(self, tmp_path):
        path = write(tmp_path, "id,Review,2,Sentiment\n1,good,u,pos\n2,bad,v,neg\n", "t.csv")
        for layout in ({}, {"text": "Review", "label": "Sentiment"}, {"text": 2, "label": 4}, {"label": "4"}):
            found = read(path, **layout)
            assert (found.texts, found.labels) == (["good", "bad"], ["pos", "neg"])
        assert read(path, label="2").labels == ["u", "v"]

    def test_the_header_is_said_where_it_was_not_read_by_its_names(self, tmp_path):
        path = write(tmp_path, "kommentar,klasse\ngut,1\n", "t.csv")
        remark = "the first row was taken as the header: 'kommentar', 'klasse'"
        assert read(path, text=1, label=2).remarks == [remark]
        assert read(path, text="kommentar", label=2).remarks == []
        assert read(path, text=1, label=2, header=True).remarks == []

    def test_an_example_that_would_be_the_header(self, tmp_path):
        path = write(tmp_path, "fine\t1\nbad\t0\nmeh\t1\n", "t.tsv")
        assert refusal(read, path, text=1, label=2) == (
            f"{path}: the header would call the labels '1', which is one of them.\n"
            "  hint: say --no-header where the first row is an example, else --header."
        )
        assert read(path, text=1, label=2, header=False).labels == ["1", "0", "1"]
        assert read(path, text=1, label=2, header=True).labels == ["0", "1"]

    @pytest.mark.parametrize(
        ("layout", "message"),
        [
            ({"label": "Class"}, " has no column 'Class'; its 3 columns are 1 'id', 2 'words', 3 'klass'.\n"
             "  hint: did you mean 'klass'?"),
            ({"label": "KLASS"}, " has no column 'KLASS'; its 3 columns are 1 'id', 2 'words', 3 'klass'.\n"
             "  hint: did you mean 'klass'?"),
            ({"text": "9" * 5000}, None),
            ({"text": 4}, " has no column 4; its 3 columns are 1 'id', 2 'words', 3 'klass'.\n"
             "  hint: columns count from 1, here to 3."),
            ({"text": "0"}, " has no column 0; its 3 columns are 1 'id', 2 'words', 3 'klass'.\n"
             "  hint: columns count from 1, here to 3."),
            ({"text": "zzz"}, " has no column 'zzz'; its 3 columns are 1 'id', 2 'words', 3 'klass'.\n"
             "  hint: name one of them, or give its number, which counts from 1."),
            ({}, ": which column is the text is not said; its 3 columns are 1 'id', 2 'words', 3 'klass'.\n"
             "  hint: name it, as in --text 1, and say --no-header where the first row is an example."),
            ({"text": 2, "labelled": True}, ": which column is the label is not said; its 3 columns are 1 'id', "
             "2 'words', 3 'klass'.\n"
             "  hint: name it, as in --label 2, and say --no-header where the first row is an example."),
            ({"delimiter": ";", "header": True, "labelled": True}, ": which column is the label is not said; its one "
             "column is 1 'id,words,klass'.\n"
             "  hint: a text and its label are two columns; say what stands between these: --delimiter."),
        ],
    )  # fmt: skip
    def test_one_that_is_not_there(self, tmp_path, layout, message):
        path = write(tmp_path, "id,words,klass\n1,a,b\n", "t.csv")
        found = refusal(read, path, **layout)
        assert found == f"{path}{message}" if message else "columns count from 1" in found

    def test_two_of_one_name(self, tmp_path):
        path = write(tmp_path, "text,a,a\nx,1,2\n", "t.csv")
        assert refusal(read, path, label="a") == f"{path} has 2 columns 'a'.\n  hint: name the column by its number."
        assert read(path, label=3).labels == ["2"]

    def test_one_column_for_both(self, tmp_path):
        path = write(tmp_path, "text,a\nx,1\n", "t.csv")
        assert fact(read, path, label=1, error=OptionError) == "column 'text' cannot be text and label."

    @pytest.mark.parametrize("layout", [{"delimiter": "::"}, {"delimiter": '"'}, {"delimiter": ""}, {"separator": " "}])
    def test_what_cannot_stand_between(self, tmp_path, layout):
        fact(read, write(tmp_path, "text,a\nx,1\n", "t.csv"), **layout, error=OptionError)


class TestLabels:
    def test_they_stay_as_they_are_written(self, tmp_path):
        found = read(write(tmp_path, "text,label\na, 01 \nb,1.0\nc,NA\n", "t.csv"))
        assert found.labels == ["01", "1.0", "NA"]

    def test_several(self, tmp_path):
        found = read(write(tmp_path, "text,labels\na,x; y\nb,\nc,x\n", "t.csv"), separator=";")
        assert found.labels == [["x", "y"], [], ["x"]]
        assert found.summary[1:] == [
            "2 classes: x (2), y (1)",
            "labels of one example: 0 to 2, 1 on average",
        ]

    def test_missing_ones(self, tmp_path):
        path = write(tmp_path, "text,label\na,x\nb,\n", "t.csv")
        assert fact(read, path) == f"1 of 2 labels are missing, the first at {path}, row 3."
        assert read(path, labelled=False).labels is None
        path = write(tmp_path, "text,label\na,\nb,\n", "t.csv")
        assert (read(path).labels, read(path).remarks) == (None, ["column 'label' holds no labels"])
        assert fact(read, path, labelled=True) == f"{path} has no labels."


class TestJson:
    def test_values_of_every_kind(self, tmp_path):
        content = (
            '\n{"label": 1.50, "text": "a\\u00e9\\n", "x": {"y": [1]}}\n \n'
            '{"text": null, "label": "b"}\r\n{"text": 7, "label": true}\n'
        )
        for name in ("t.jsonl", "t.ndjson", "t.json", "t"):
            path = write(tmp_path, content, name)
            found = read(path)
            assert (found.texts, found.labels) == (["aé\n", "", "7"], ["1.50", "b", "true"])
            assert [found.places[n] for n in range(3)] == [f"{path}, line {n}" for n in (2, 4, 5)]
        assert read(path, text="2", label=1).labels == ["1.50", "b", "true"]

    def test_lists_are_several_labels(self, tmp_path):
        path = write(tmp_path, '{"text": "a", "label": ["x", 2]}\n{"text": "b", "label": "z"}\n', "t.jsonl")
        assert read(path).labels == [["x", "2"], ["z"]]

    def test_objects_without_names(self, tmp_path):
        path = write(tmp_path, "{}\n", "t.jsonl")
        assert fact(read, path) == f"{path}: which column is the text is not said; it has no columns."

    def test_a_label_that_is_absent_is_missing(self, tmp_path):
        path = write(tmp_path, '{"text": "a", "label": "x"}\n{"text": "b"}\n', "t.jsonl")
        assert fact(read, path) == f"1 of 2 labels are missing, the first at {path}, line 2."

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("[1]", "it is no JSON object (Expected `object`, got `array`)."),
            ('{"text": "a"', "it is no JSON object (Input data was truncated)."),
            ('{"text": {"a": 1}}', '{"a": 1} is neither a text, a number nor a list of them.'),
            ('{"text": "a", "label": [[1]]}', "[[1]] is neither a text, a number nor a list of them."),
            ('{"text": ["a"]}', "['a'] is no text."),
            ('{"text": false}', "False is no text."),
            ('{"txt": "a"}', "there is no 'text'; its names are 'txt'."),
            ("{}", "there is no 'text'; its names are none."),
            ('{"text": "a", "label": ' + "[" * 5000 + "]" * 5000 + "}", None),
        ],
    )
    def test_what_is_refused(self, tmp_path, line, message):
        path = write(tmp_path, '{"text": "a", "label": "b"}\n' + line + "\n", "t.jsonl")
        found = fact(read, path)
        assert found == f"{path}, line 2: {message}" if message else found.startswith(f"{path}, line 2: ")


class TestFrames:
    COLUMNS = {"text": ["a", None, "c"], "label": [1, 2, 1]}  # noqa: RUF012

    def test_every_kind_and_parquet(self, tmp_path):
        pl.DataFrame(self.COLUMNS).write_parquet(tmp_path / "t.parquet")
        for data in (
            pl.DataFrame(self.COLUMNS),
            pl.LazyFrame(self.COLUMNS),
            pd.DataFrame(self.COLUMNS),
            pd.DataFrame(self.COLUMNS).astype({"text": "string", "label": "category"}),
            pa.table(self.COLUMNS),
            tmp_path / "t.parquet",
        ):
            found = text_examples(data)
            assert (found.texts, found.labels) == (["a", "", "c"], ["1", "2", "1"])
        assert found.places[2] == f"{tmp_path / 't.parquet'}, row 3"
        assert text_examples(pl.Series(["a", "b"])).texts == ["a", "b"]

    def test_labels_of_every_type(self):
        texts = ["a", "b"]
        for values, labels in (
            ([0.0, 1.0], ["0", "1"]),
            ([True, False], ["true", "false"]),
            ([["x", "y"], []], [["x", "y"], []]),
        ):
            for frame in (pl.DataFrame({"text": texts, "y": values}), pd.DataFrame({"text": texts, "y": values})):
                assert text_examples(frame).labels == labels

    def test_refused(self):
        frame = pd.DataFrame(self.COLUMNS)
        assert fact(text_examples, frame, TextLayout(text=2, label=1)) == (
            "row 0 (from 0): column 'label' holds int and no text."
        )
        assert "2 of 3 labels are missing, the first at row 1 (from 0)" in fact(
            text_examples, pd.DataFrame({"text": list("abc"), "label": [1, None, float("nan")]})
        )
        assert fact(text_examples, frame.iloc[:0]) == "the table has no rows."
        assert fact(text_examples, 7).startswith("int is no table.")

    def test_parquet_without_the_extra(self, tmp_path, monkeypatch):
        pl.DataFrame(self.COLUMNS).write_parquet(tmp_path / "t.parquet")
        path = write(tmp_path, "text,label\na,b\n", "t.csv")
        monkeypatch.setattr("ostinato.extras.find_spec", lambda module: None)
        with pytest.raises(MissingExtraError, match=r"ostinato\[tables\]"):
            text_examples(tmp_path / "t.parquet")
        assert text_examples(path).labels == ["b"]


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "is empty."),
            (" \n\n", "is empty."),
            ("text,label\n", "has a header but no rows."),
            ("a\0b", "is binary, not text."),
            (b"text,label\n\xff,a\n", "is not valid utf-8: byte 0xFF at offset 11."),
            (b"\xff\xfea\0b", "is not valid utf-16: byte 0x62 at offset 4."),
        ],
    )
    def test_what_holds_no_texts(self, tmp_path, content, message):
        path = write(tmp_path, content, "t.csv")
        assert fact(read, path) == f"{path} {message}"

    @pytest.mark.parametrize(
        ("content", "row", "cells"), [("text,label\na,b\na\n", 3, 1), ("text,label\na,b,c\n", 2, 3)]
    )
    def test_ragged_rows(self, tmp_path, content, row, cells):
        path = write(tmp_path, content, "t.csv")
        assert fact(read, path) == f"{path}, row {row}: it has {cells} cells, and the first row has 2."

    def test_quotes_that_do_not_close(self, tmp_path):
        path = write(tmp_path, 'text,label\na,b\n"c,d\ne,f\n', "t.csv")
        assert fact(read, path) == f"{path}, row 3: unexpected end of data."

    def test_an_encoding(self, tmp_path):
        path = write(tmp_path, "text,label\nété,a\n".encode("latin-1"), "t.csv")
        assert read(path, encoding="latin-1").texts == ["été"]
        assert fact(read, path, encoding="latin-7000", error=OptionError) == "there is no text encoding 'latin-7000'."
        assert "is not valid idna" in fact(read, write(tmp_path, b"xn--\xff." * 40, "i.csv"), encoding="idna")

    def test_one_too_large(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tables, "MOST_BYTES", 1000)
        path = write(tmp_path, gzip.compress(b"text,label\n" + b"a,b\n" * 1000), "t.csv.gz")
        assert "holds more than" in fact(read, path)

    def test_a_missing_or_damaged_file(self, tmp_path):
        assert "no such file" in fact(read, tmp_path / "nowhere.csv")
        assert "is damaged" in fact(read, write(tmp_path, gzip.compress(b"text,label\n" * 9)[:20], "t.csv.gz"))

    def test_a_part_of_what_is_no_folder(self, tmp_path):
        path = write(tmp_path, "text,label\na,b\n", "t.csv")
        assert "is no folder" in fact(read, path, part="test", error=OptionError)


# ---- there and back

CHARACTERS = st.characters(exclude_characters="\0\r", exclude_categories=["Cs"])
CELLS = st.text(CHARACTERS, max_size=12)
LABEL_CELLS = st.text(CHARACTERS, min_size=1, max_size=4).map(str.strip).filter(bool)
ROWS = st.lists(st.tuples(CELLS, LABEL_CELLS), min_size=1, max_size=6)


def expected(rows):
    return [text for text, _ in rows], [label for _, label in rows]


@examples(60, 2000, st.lists(st.tuples(CELLS, LABEL_CELLS), min_size=1, max_size=6))
def test_tabs_there_and_back(rows):
    rows = [tuple(cell.replace("\t", " ").replace("\n", " ").strip(" ") or "-" for cell in row) for row in rows]
    content = "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)
    with file_of(content, "t.tsv") as path:
        found = read(path, header=True)
    texts, labels = expected(rows)
    assert (found.texts, found.labels) == (texts, [label.strip() for label in labels])


@examples(60, 2000, ROWS, st.sampled_from(",;\t|"))
def test_quotes_there_and_back(rows, delimiter):
    content = io.StringIO()
    csv.writer(content, delimiter=delimiter, lineterminator="\n").writerows([("text", "label"), *rows])
    with file_of(content.getvalue(), "t.csv") as path:
        found = read(path, header=True, delimiter=delimiter)
    assert (found.texts, found.labels) == expected(rows)


@examples(60, 2000, st.lists(st.tuples(st.text(max_size=9), LABEL_CELLS), min_size=1, max_size=6), st.booleans())
def test_json_there_and_back(rows, is_ascii):
    rows = [(text.encode("utf-8", "replace").decode(), label) for text, label in rows]
    lines = [json.dumps({"label": label, "text": text}, ensure_ascii=is_ascii) for text, label in rows]
    with file_of("\n".join(lines), "t.jsonl") as path:
        found = read(path)
    assert (found.texts, found.labels) == expected(rows)


def test_examples_that_differ_are_told_apart():
    one = text_examples(["a", "b"], labels=["x", "y"])
    assert_same(one, text_examples(np.array(["a", "b"]), labels=np.array(["x", "y"])))
    for other in (text_examples(["a", "c"], labels=["x", "y"]), text_examples(["a", "b"], labels=["x", "x"])):
        with pytest.raises(AssertionError):
            assert_same(one, other)


def test_a_message_of_two_lines_at_most():
    with pytest.raises(AssertionError):
        refusal(lambda: (_ for _ in ()).throw(DataError("a\nb", "c")))
