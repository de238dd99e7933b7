"""Bad input of a classifier: each is handled, or refused in one line that names the row."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ostinato import Classifier
from ostinato.errors import DataError, OptionError, ShapeError
from ostinato.tasks.classifier_data import kind_of
from ostinato.tasks.classifier_options import ClassifierOptions
from tests.small_labels import SIZES, reviews, waves
from tests.tasks.classifiers import fitted, refusal


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where the files are that a test writes."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(name="r.csv", count=30, change=None, header=("text", "label"), mark=","):
    """Write a table of reviews, and return its path. change: of its rows, by number from 2 as an editor counts them."""
    rows = [list(pair) for pair in zip(*reviews(count), strict=True)]
    for number, row in (change or {}).items():
        rows[number - 2] = row
    Path(name).write_text("\n".join([mark.join(header), *map(mark.join, rows)]) + "\n")
    return Path(name)


# ---- texts


def test_empty_texts_are_texts(capsys):
    texts, labels = reviews(30)
    texts[3] = texts[8] = texts[20] = ""
    model = fitted(texts, labels, steps=2)
    assert np.isfinite(model.predict_proba(["", " \n", "a"])).all()
    Classifier(**SIZES | {"steps": 1, "linear": "never"}).fit(texts, labels)
    assert "texts that are empty: 3" in capsys.readouterr().err


def test_texts_that_are_all_empty_teach_nothing():
    assert refusal(DataError, fitted, [""] * 10, ["a", "b"] * 5)[0] == "the texts hold no character to learn."
    message, hint = refusal(DataError, fitted, [""] * 10, ["a", "b"] * 5, units="words")
    assert message == "the texts hold no word to learn."
    assert hint == "give texts with something in them."


def test_one_class_only():
    message, hint = refusal(DataError, fitted, reviews(20)[0], ["pos"] * 20)
    assert message == "every example is labelled 'pos'."
    assert hint == "a classifier needs examples of two classes at least; check the column of labels."


def test_a_label_column_with_holes_names_the_row():
    message, hint = refusal(DataError, fitted, table(change={7: ["a text", ""], 9: ["b text", " "]}))
    assert message == "2 of 30 labels are missing, the first at r.csv, row 7."
    assert "leave those without a label out" in hint
    message, _ = refusal(DataError, fitted, reviews(4)[0], ["a", None, "b", float("nan")])
    assert message == "2 of 4 labels are missing, the first at text 1 (from 0)."


@pytest.mark.slow
def test_ten_megabytes_in_one_cell():
    """It is a text of very many units, of which the ends are read."""
    path = table(change={5: ["good " * 2_000_000, "pos"]})
    model = fitted(path, steps=3)
    p = model.predict_proba([*reviews(3)[0], "good " * 2_000_000, "x" * 10_000_000])
    assert np.isfinite(p).all()
    assert model.predict_proba(["good " * 2_000_000]).tobytes() == p[3:4].tobytes()


def test_texts_of_1_to_10_000_words():
    random = np.random.default_rng(0)
    texts, labels = reviews(24)
    sizes = np.geomspace(1, 10_000, 24).astype(int)
    texts = [
        " ".join(random.choice(["good", "bad", "a", "film"], size)) + text
        for text, size in zip(texts, sizes, strict=True)
    ]
    model = fitted(texts, labels, steps=1, max_length=200, linear="never")
    p = model.predict_proba(texts)
    for row in (0, 12, 23):
        assert model.predict_proba([texts[row]]).tobytes() == p[row : row + 1].tobytes()


def test_a_class_seen_once_is_learned_from():
    texts, labels = reviews(30)
    model = fitted([*texts, "a strange thing"], [*labels, "odd"], steps=2)
    assert model.classes_.tolist() == ["neg", "odd", "pos"]
    assert model.predict_proba(["a strange thing"]).shape == (1, 3)
    two = refusal(DataError, fitted, ["a", "b"], ["x", "y"])
    assert two[0] == "of 2 examples none is left to judge by."
    assert "--valid" in two[1]


def test_broken_quoting_names_the_row():
    path = table(change={6: ['"a "quoted text', "pos"]})
    message, hint = refusal(DataError, fitted, path)
    assert message.startswith("r.csv, row 6: ")
    assert "--no-quotes" in hint
    assert fitted(path, quotes=False, steps=1, linear="never").predict(["a text"]).shape == (1,)
    message, _ = refusal(DataError, fitted, table(change={30: ['"never closed', "pos"]}))
    assert message.startswith("r.csv, row 30: ")


def test_rows_that_are_too_long_or_too_short_name_the_row():
    for cells in (["a, b, c", "pos"], ["alone"]):
        message, _ = refusal(DataError, fitted, table(change={6: cells}))
        assert message.startswith("r.csv, row 6: it has ")


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"text": "txt"}, "r.csv has no column 'txt'; its 2 columns are 1 'text', 2 'label'.", "did you mean 'text'?"),
        (
            {"label": "lable"},
            "r.csv has no column 'lable'; its 2 columns are 1 'text', 2 'label'.",
            "did you mean 'label'?",
        ),
        (
            {"label": "3"},
            "r.csv has no column 3; its 2 columns are 1 'text', 2 'label'.",
            "columns count from 1, here to 2.",
        ),
    ],
    ids=str,
)
def test_a_wrong_column_name_lists_the_near_ones(options, message, hint):
    assert refusal(DataError, fitted, table(), **options) == (message, hint)


def test_columns_of_unusual_names_are_to_be_named():
    path = table(header=("what", "verdict"))
    message, hint = refusal(DataError, fitted, path)
    assert message == "r.csv: which column is the label is not said; its 2 columns are 1 'what', 2 'verdict'."
    assert hint.startswith("name it, as in --label 2")
    named = fitted(path, text="what", label="verdict", steps=1)
    assert (
        named.predict_proba(["a text"]).tobytes()
        == fitted(path, text="1", label="2", steps=1).predict_proba(["a text"]).tobytes()
    )
    assert refusal(OptionError, fitted, path, text="what", label="1")[0] == "column 'what' cannot be text and label."


def test_labels_that_training_never_showed_are_wrong_and_told(reviewer):
    texts, labels = reviews(20, seed=3)
    labels[4] = labels[7] = "odd"
    labels[9] = "other"
    found = reviewer.evaluate(texts, labels)
    assert found.unseen == {"odd": 2, "other": 1}
    assert found.classes == ["neg", "pos", "odd", "other"]
    right = (reviewer.predict(texts) == np.array(labels)).mean()
    assert found.metrics["accuracy"] == right <= 17 / 20
    known = [place for place in range(20) if labels[place] in ("neg", "pos")]
    alone = reviewer.evaluate([texts[place] for place in known], [labels[place] for place in known])
    assert found.metrics["log_loss"] == pytest.approx(alone.metrics["log_loss"])
    assert np.array(found.confusion).sum(axis=1)[2:].tolist() == [2, 1]


def test_what_is_no_text_names_the_place(reviewer):
    assert refusal(DataError, reviewer.predict, ["a", None])[0] == "text 1 (from 0): NoneType is no text."
    assert refusal(DataError, reviewer.predict, [])[0] == "there are no texts."
    Path("r.jsonl").write_text('{"text": "a", "label": 1}\n{"text": ["b"], "label": 2}\n')
    assert refusal(DataError, fitted, Path("r.jsonl"))[0].startswith("r.jsonl, line 2: ")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, "gone.csv"),
        ("empty.csv", b"", "empty.csv is empty."),
        ("head.csv", b"text,label\n", "head.csv has a header but no rows."),
        ("latin.csv", "text,label\nS\xfc\xdf,a\nb,c\n".encode("latin-1"), "latin.csv"),
        ("cut.csv.gz", gzip.compress(b"text,label\na,b\n" * 99)[:-9], "cut.csv.gz"),
        ("broken.parquet", b"PAR1 and no more", "broken.parquet"),
        ("broken.jsonl", b'{"text": "a", "label": "b"}\n{"text": \n', "broken.jsonl, line 2"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 50, "picture.csv"),
    ],
)
def test_files_that_are_no_tables_are_refused(name, content, message):
    if content is not None:
        Path(name).write_bytes(content)
    assert message in refusal(DataError, fitted, Path(name))[0]


def test_one_text_is_given_in_a_list(reviewer):
    message, hint = refusal(DataError, reviewer.predict, "what a good film")
    assert "what a good film" in message
    assert hint


# ---- series


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e31])
def test_an_infinite_value_names_series_step_and_channel(value, waver):
    series, labels = waves(10)
    series[6][3, 1] = value
    message, hint = refusal(DataError, fitted, series, labels)
    assert message.startswith("series 6 (from 0): step 4, channel '2': ")
    assert hint.startswith("correct it, leave it missing")
    assert refusal(DataError, waver.predict, series)[0] == message


def test_huge_values_are_numbers_still(waver):
    series = waves(4)[0]
    for size in (1e6, 1e20, 1e30, -1e30):
        series[1][:, 0] = size
        assert np.isfinite(waver.predict_proba(series)).all()


def test_series_of_nothing_but_holes_teach_what_they_can():
    series, labels = waves(20)
    holes = [np.where([True, False], np.nan, one) for one in series]
    model = fitted(holes, labels, steps=2)
    assert np.isfinite(model.predict_proba(series)).all()
    assert np.isfinite(fitted([np.full((3, 1), np.nan)] * 10, [1, 2] * 5, steps=1).predict_proba([[1.0, 2.0]])).all()


def test_series_of_1_to_10_000_steps():
    random = np.random.default_rng(0)
    series = [random.normal(size=(size, 1)) for size in np.geomspace(1, 10_000, 12).astype(int)]
    model = fitted(series, [1, 2] * 6, steps=1, hidden_size=2)
    p = model.predict_proba(series)
    for row in (0, 5, 11):
        assert model.predict_proba([series[row]]).tobytes() == p[row : row + 1].tobytes()


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (
            [np.zeros((3, 2)), np.zeros((3, 1))],
            ShapeError,
            "expected series [T, D] of one width D from 1 on, got 1, 2.",
        ),
        ([["a"], ["b"]], ShapeError, "expected numbers [T] or [T, D] for series 0 (from 0)"),
        (np.zeros((0, 5, 2)), ShapeError, "expected series"),
        (np.zeros((3, 5, 0)), ShapeError, "expected series"),
        ([["a", "b"], 3], ShapeError, "expected numbers [T] or [T, D] for series 0 (from 0)"),
    ],
    ids=str,
)
def test_what_are_no_series_is_told(data, error, message):
    assert refusal(error, fitted, data, ["a", "b"])[0].startswith(message)


# ---- what data holds


SERIES = pl.DataFrame({"series": ["a", "a", "b"], "time": [1, 2, 1], "v": [0.5, 1, 2], "label": ["x", "x", "y"]})


def test_texts_and_series_are_told_apart():
    options = ClassifierOptions()
    SERIES.write_csv("s.csv")
    SERIES.write_parquet("s.parquet")
    SERIES.write_csv("s.tsv", separator="\t")
    Path("t.csv").write_text("\ufeff" + '"series","text","label"\n1,a,b\n')
    Path("lines.txt").write_text("a text\nanother\n")
    Path("a.ts").write_text("@data\n1,2:a\n")
    os.mkdir("pos")
    for data, kind in (
        (["a"], "text"),
        (np.array(["a"]), "text"),
        (np.zeros((2, 3)), "series"),
        ([[1, 2]], "series"),
        ([np.zeros(3)], "series"),
        ([], "text"),
        (Path("s.csv"), "series"),
        ("s.parquet", "series"),
        ("s.tsv", "series"),
        ([Path("s.csv"), Path("s.csv")], "series"),
        (Path("t.csv"), "text"),
        ("lines.txt", "text"),
        ("a.ts", "series"),
        ("gone.npz", "series"),
        ("gone.csv", "text"),
        (Path("."), "text"),
        ("-", "text"),
        (SERIES, "series"),
        (SERIES.to_pandas(), "series"),
        (SERIES.with_columns(text=pl.lit("a")), "text"),
        (SERIES["label"], "text"),
    ):
        assert kind_of(data, options) == kind, data
    assert kind_of(SERIES, ClassifierOptions(text="label")) == "text"
    assert kind_of(pl.DataFrame({"id": [1], "at": [2]}), ClassifierOptions(series="id")) == "series"


def test_what_is_said_of_the_kind_counts():
    Path("odd.csv").write_text("series,time,v,label\na,1,2,x\na,2,3,x\nb,1,2,y\nb,2,3,y\n")
    assert refusal(DataError, fitted, Path("odd.csv"), kind="text")[0].startswith("odd.csv: which column is the text")
    message, _ = refusal(OptionError, fitted, ["a", "b"], ["x", "y"], kind="series")
    assert message == "labels were given beside files.", "strings are paths of series"


def test_labels_beside_files_are_refused(reviewer):
    path = table()
    assert refusal(OptionError, fitted, path, ["a"])[0] == "labels were given beside files."
    reviewer.predict(path)
    lines = [json.dumps({"text": text}) for text in reviews(3)[0]]
    Path("r.jsonl").write_text("\n".join(lines))
    assert reviewer.predict(Path("r.jsonl")).tolist() == reviewer.predict(reviews(3)[0]).tolist()
    assert "no labels" in refusal(DataError, reviewer.evaluate, reviews(3)[0])[0]


def test_a_file_may_be_read_in_another_way_than_the_training_files(reviewer):
    path = table("other.tsv", header=("what", "verdict"), mark="\t")
    assert "which column is the text" in refusal(DataError, reviewer.predict, path)[0]
    other = reviewer.reading(text="what", label="verdict")
    assert other.predict(path).tolist() == reviewer.predict(reviews(30)[0]).tolist()
    assert other.evaluate(path).metrics == reviewer.evaluate(*reviews(30)).metrics
    assert reviewer.options_.text is None


def test_embeddings_are_as_wide_as_the_vectors_that_they_begin_at(tmp_path):
    path = tmp_path / "words.vec"
    path.write_text("film 1 0 0\nfine 0 1 0\n")
    options = {"vectors": str(path), "steps": 1, "linear": "never"}
    for units in ("words", "spellings"):
        model = fitted(*reviews(20), units=units, **(options | {"embedding_size": None}))
        assert model.options_.embedding_size == 3
    for size in (2, 4):
        message, hint = refusal(OptionError, fitted, *reviews(20), **options, embedding_size=size)
        assert (message, hint) == (
            f"embedding_size is {size}, but the vectors of {path} are 3 wide.",
            "leave it out.",
        )
