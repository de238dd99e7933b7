"""The commands over a tagger: what they write and print, and how they refuse."""

import json

import polars as pl
import pytest

import ostinato
from tests.cli.running import fail, succeed
from tests.small_sentences import FLAGS, SIZES, columns, entities, speech

FIT = ["fit", "tag", "train.conll", *FLAGS]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with sentences, and a tagger of them."""
    folder = tmp_path_factory.mktemp("tagger")
    (folder / "train.conll").write_text(columns(*entities()))
    (folder / "test.conll").write_text(columns(*entities(20, seed=1)))
    (folder / "words.txt").write_text(columns(entities(20, seed=1)[0]))
    ostinato.Tagger(**SIZES).fit(folder / "train.conll", quiet=True).save(folder / "places.model")
    return folder


@pytest.fixture(autouse=True)
def folder(made, tmp_path, monkeypatch):
    """A fresh copy of that folder, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_fit_writes_a_model_and_tells_how_it_does(capsys, folder):
    shown = succeed(capsys, *FIT, "--valid", "test.conll", "-o", "new.model")
    assert shown.out.startswith("new.model: accuracy ")
    assert "entity F1" in shown.out
    for text in ("60 sentences of 5 to 6 words", "3 tags: ", "scheme BIO", "plan: --steps 40", "evaluate new.model"):
        assert text in shown.err
    assert not (folder / "new.model.checkpoint").exists()
    tagger = ostinato.load("new.model")
    assert tagger.data_.valid == 20
    assert (
        json.loads(succeed(capsys, *FIT, "--steps", "1", "-o", "new.model", "--json", "-q").out)["metrics"].keys()
        == tagger.metrics_.keys()
    )


def test_fit_reads_conllu_and_columns_by_name(capsys, folder):
    words, tags = speech(30)
    lines = [
        "".join(f"{n}\t{w}\t_\t{t}\tX\t_\t_\t_\t_\t_\n" for n, (w, t) in enumerate(zip(*pair, strict=True), 1))
        for pair in zip(words, tags, strict=True)
    ]
    (folder / "train.conllu").write_text("\n".join(lines) + "\n")
    succeed(capsys, "fit", "tag", "train.conllu", *FLAGS, "-o", "pos.model")
    assert list(ostinato.load("pos.model").classes_) == ["DET", "NOUN", "PUNCT", "VERB"]
    assert fail(capsys, "fit", "tag", "train.conllu", "--tag", "XPOS", *FLAGS)[0] == "every word is tagged 'X'."


def test_predict_writes_columns_that_can_be_read_again(capsys, folder):
    shown = succeed(capsys, "predict", "places.model", "words.txt")
    words, _ = entities(20, seed=1)
    tags = ostinato.load("places.model").predict(words)
    assert shown.out == columns(words, tags)
    shown = succeed(capsys, "predict", "places.model", "test.conll", "-o", "out.conll")
    assert (folder / "out.conll").read_text() == columns(words, tags)
    assert shown.err == "written: out.conll, 20 sentences\n"
    found = json.loads(succeed(capsys, "evaluate", "places.model", "out.conll", "--json").out)
    assert found["metrics"]["accuracy"] == 1


def test_predict_writes_tables_and_lines_with_probabilities(capsys, folder):
    words, _ = entities(20, seed=1)
    tagger = ostinato.load("places.model")
    expected = tagger.tagged(words)
    succeed(capsys, "predict", "places.model", "words.txt", "-o", "out.parquet", "-q")
    table = pl.read_parquet("out.parquet")
    assert table.columns == ["place", "number", "word", "tag", "probability"]
    assert table["tag"].to_list() == [tag for tags, _ in expected for tag in tags]
    assert table["probability"].to_list() == [p for _, found in expected for p in found.tolist()]
    assert table["place"][0] == "words.txt, line 1"
    succeed(capsys, "predict", "places.model", "words.txt", "-o", "out.csv", "-q")
    assert pl.read_csv("out.csv")["word"].to_list() == [word for sentence in words for word in sentence]
    lines = succeed(capsys, "predict", "places.model", "words.txt", "--lines").out.splitlines()
    assert [json.loads(line)["words"] for line in lines] == words
    succeed(capsys, "predict", "places.model", "words.txt", "-o", "out.jsonl")
    assert (folder / "out.jsonl").read_text().splitlines() == lines
    whole = json.loads(succeed(capsys, "predict", "places.model", "words.txt", "--json").out)
    assert whole["predictions"] == [json.loads(line) for line in lines]


def test_evaluate_prints_figures_beside_the_baseline(capsys):
    shown = succeed(capsys, "evaluate", "places.model", "test.conll", "--train", "train.conll").out
    for text in (
        "20 sentences",
        "entity F1",
        "macro F1",
        "calibration",
        "most_frequent_tag",
        "entities of type",
        "place",
    ):
        assert text in shown
    shown = succeed(capsys, "evaluate", "places.model", "test.conll")
    assert "missing: most_frequent_tag" in shown.err
    found = json.loads(
        succeed(capsys, "evaluate", "places.model", "test.conll", "--train", "train.conll", "--json").out
    )
    assert found["baselines"]["most_frequent_tag"]["entity_f1"] <= found["metrics"]["entity_f1"]


def test_evaluate_says_so_where_the_baseline_wins(capsys, folder):
    words, tags = entities()
    ostinato.Tagger(steps=1, hidden_size=2, learning_rate=1e-9).fit(words, tags, quiet=True).save(folder / "poor.model")
    shown = succeed(capsys, "evaluate", "poor.model", "test.conll", "--train", "train.conll").out
    assert "The baseline most_frequent_tag beats the model here, by its entity F1." in shown


def test_info_tells_what_the_file_holds(capsys):
    shown = succeed(capsys, "info", "places.model").out
    for text in ("task: tag", "tags: 3: B-place, I-place, O", "scheme: BIO", "discount: ", "matrices: float32"):
        assert text in shown


def test_a_tagger_is_kept_in_fewer_bytes_and_is_no_single_network(capsys, folder):
    assert succeed(capsys, "export", "places.model", "-o", "small.safetensors", "--dtype", "int8").out
    assert succeed(capsys, "predict", "small.safetensors", "words.txt").out
    expected = "places.model is a tag model, more than one network: it is neither streamed nor written as ONNX."
    for command in (["export", "places.model", "-o", "places.onnx"], ["stream", "places.model"]):
        assert fail(capsys, *command) == (expected, "use: ostinato predict places.model FILE")


def test_what_is_wrong_is_said_in_a_line(capsys, folder):
    (folder / "bad.conll").write_text("a\tO\nb\n")
    (folder / "one.conll").write_text("a\nb\n")
    assert (
        fail(capsys, "fit", "tag", "bad.conll")[0] == "bad.conll, line 2: it has 1 columns, and the first word has 2."
    )
    assert fail(capsys, "fit", "tag", "one.conll")[0] == "one.conll has no labels."
    assert fail(capsys, "predict", "places.model", "words.txt", "-o", "out.xls", code=2)[1] == (
        "end it in .conll, .csv, .tsv, .jsonl, .parquet."
    )
    assert fail(capsys, "predict", "places.model", "words.txt", "--paths", "3", code=2)[0] == (
        "--paths is for a forecast model; this is a tag model."
    )
    assert fail(capsys, "evaluate", "places.model", "test.conll", "--by-step", code=2)[0] == (
        "--by-step is for a forecast model; this is a tag model."
    )
    assert fail(capsys, "generate", "places.model")[0] == "places.model is a tag, not a model of text."
