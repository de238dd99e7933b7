"""The commands over a classifier: what they write and print, and how they refuse."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ostinato
from tests.cli.running import fail, message_of, process, succeed
from tests.small_labels import FLAGS, SIZES, reviews, topics, waves
from tests.tasks.classifiers import assert_same

FIT = ["fit", "classify"]


def lines_of(texts, labels, name, mark="\t", header=True):
    rows = [*([["text", "label"]] if header else []), *zip(texts, labels, strict=True)]
    Path(name).write_text("".join(f"{text}{mark}{label}\n" for text, label in rows))


def long_table(series, labels, name):
    rows = [
        {"series": f"s{s}", "time": t, "u": u, "v": v, "label": labels[s]}
        for s, one in enumerate(series)
        for t, (u, v) in enumerate(one)
    ]
    pl.DataFrame(rows).fill_nan(None).write_csv(name)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with tables, and classifiers of them."""
    folder = tmp_path_factory.mktemp("classify")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lines_of(*reviews(), "train.tsv")
        lines_of(*reviews(30, seed=9), "test.tsv")
        long_table(*waves(), "waves.csv")
        texts, labels = topics(80)
        lines_of(texts, ["+".join(own) for own in labels], "topics.tsv")
        ostinato.Classifier(**SIZES).fit("train.tsv", quiet=True).save("r.model")
        ostinato.Classifier(**SIZES).fit("waves.csv", quiet=True).save("w.model")
        ostinato.Classifier(**SIZES, separator="+").fit("topics.tsv", quiet=True).save("t.model")
    return folder


@pytest.fixture(autouse=True)
def folder(made, tmp_path, monkeypatch):
    """A fresh copy of that folder, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


# ---- fit


def test_fit_writes_a_model_and_tells_what_it_learned_from(capsys):
    shown = succeed(capsys, *FIT, "train.tsv", *FLAGS, "-o", "new.model", "--log", "log.jsonl")
    model = ostinato.load("new.model")
    found, data = model.metrics_, model.data_
    assert data.train + data.valid == 60
    told = f"accuracy {found['accuracy']:.4f}, log loss {found['log_loss']:.4f} on the {data.valid} held out"
    assert shown.out == f"new.model: {told}\n"
    for text in (
        "60 texts of",
        "2 classes: neg (30), pos (30)",
        f"{data.train} examples to learn from, {data.valid} to judge by",
        "plan: --steps 40",
        "weights: ",
        "written: new.model (",
        "ostinato evaluate new.model TEST --train train.tsv",
    ):
        assert text in shown.err
    assert not Path("new.model.checkpoint").exists()
    events = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "plan"
    assert_same(model, ostinato.load("r.model"), reviews(5)[0])


def test_fit_quietly_prints_nothing_but_the_result(capsys):
    shown = succeed(capsys, *FIT, "waves.csv", *FLAGS, "--quiet", "--json", "--valid", "waves.csv")
    assert shown.err == ""
    found = json.loads(shown.out)
    assert (found["task"], found["model"]) == ("classify", "waves.safetensors")
    assert {"accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error"} <= found["metrics"].keys()
    assert ostinato.load("waves.safetensors").data_.valid == 40


def test_lists_and_switches_are_flags(capsys):
    more = ["--pooling", "last,max", "--no-bidirectional", "--units", "characters", "--class-weights", "balanced"]
    lines_of(*reviews(), "bare.txt", header=False)
    more += ["--no-header", "--text", "1", "--label", "2", "--linear", "never", "--cell", "lstm", "--lower"]
    succeed(capsys, *FIT, "bare.txt", *FLAGS, "--steps", "2", *more, "-q")
    options = ostinato.load("bare.safetensors").options_
    assert options.pooling == ("last", "max")
    assert (options.bidirectional, options.units, options.lower, options.cell) == (False, "characters", True, "lstm")
    assert (options.class_weights, options.linear, options.header) == ("balanced", "never", False)


def test_a_folder_of_classes(capsys):
    texts, labels = reviews(24)
    for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
        path = Path("reviews") / label / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    succeed(capsys, *FIT, "reviews", *FLAGS, "--steps", "2", "-q")
    shown = succeed(capsys, "predict", "reviews.safetensors", "reviews/pos", "-q")
    assert shown.out.startswith("place,label,probability\n")
    assert len(shown.out.splitlines()) == 13


# ---- predict


def test_predict_prints_csv(capsys):
    shown = succeed(capsys, "predict", "r.model", "test.tsv")
    assert shown.err == ""
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    model = ostinato.load("r.model")
    assert [row["label"] for row in rows] == model.predict("test.tsv").tolist()
    expected = model.predict_proba("test.tsv").max(axis=1)
    assert [row["probability"] for row in rows] == [f"{p:.6f}" for p in expected]
    assert rows[0]["place"] == "test.tsv, row 2"


@pytest.mark.parametrize("kind", ["csv", "TSV", "jsonl", "parquet"])
def test_predict_writes_each_kind_of_table(capsys, kind):
    shown = succeed(capsys, "predict", "r.model", "test.tsv", "-o", f"next.{kind}")
    assert shown.out == ""
    assert shown.err == f"written: next.{kind}, 30 rows\n"
    read = {
        "csv": pl.read_csv,
        "tsv": lambda name: pl.read_csv(name, separator="\t"),
        "jsonl": pl.read_ndjson,
        "parquet": pl.read_parquet,
    }[kind.lower()](f"next.{kind}")
    model = ostinato.load("r.model")
    assert read.columns == ["place", "label", "probability"]
    assert read["label"].to_list() == model.predict("test.tsv").tolist()
    np.testing.assert_allclose(read["probability"], model.predict_proba("test.tsv").max(axis=1), atol=1e-6)
    assert succeed(capsys, "predict", "r.model", "test.tsv", "-o", f"next.{kind}", "-q").err == ""


def test_predict_prints_json_with_every_class(capsys):
    found = json.loads(succeed(capsys, "predict", "r.model", "test.tsv", "--json").out)
    assert found["task"] == "classify"
    lines = succeed(capsys, "predict", "r.model", "test.tsv", "--lines").out.splitlines()
    assert [json.loads(line) for line in lines] == found["predictions"]
    succeed(capsys, "predict", "r.model", "test.tsv", "--lines", "-o", "next.jsonl")
    assert Path("next.jsonl").read_text().splitlines() == lines
    p = ostinato.load("r.model").predict_proba("test.tsv")
    assert [list(row["probabilities"].values()) for row in found["predictions"]] == p.tolist()
    assert list(found["predictions"][0]["probabilities"]) == ["neg", "pos"]


def test_several_labels_stand_in_one_cell(capsys):
    rows = list(csv.DictReader(io.StringIO(succeed(capsys, "predict", "t.model", "topics.tsv").out)))
    model = ostinato.load("t.model")
    assert [row["label"] for row in rows] == [";".join(own) for own in model.predict("topics.tsv")]
    assert {row["label"] for row in rows} >= {"", "sea;war"}
    assert all(row["label"].count(";") == row["probability"].count(";") for row in rows)
    succeed(capsys, "predict", "t.model", "topics.tsv", "-o", "next.parquet")
    assert pl.read_parquet("next.parquet")["label"].to_list() == model.predict("topics.tsv").tolist()


def test_series_are_predicted_from_long_tables(capsys):
    shown = succeed(capsys, "predict", "w.model", "waves.csv")
    rows = list(csv.DictReader(io.StringIO(shown.out)))
    assert [row["label"] for row in rows] == [str(one) for one in ostinato.load("w.model").predict("waves.csv")]
    # The columns in another order, and a name of their own for the series.
    assert [row["series"] for row in rows] == pl.read_csv("waves.csv")["series"].unique(maintain_order=True).to_list()
    pl.read_csv("waves.csv").select("v", "label", "time", "u", "series").write_csv("other.csv")
    assert succeed(capsys, "predict", "w.model", "other.csv", "-q").out == shown.out.replace("waves.csv", "other.csv")


def test_standard_input_is_a_text_a_line_and_needs_no_torch():
    texts = reviews(4, seed=9)[0]
    ran = process("predict", "r.model", "-", input="\n".join(texts), without_torch=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(ran.stdout)))
    assert [row["label"] for row in rows] == ostinato.load("r.model").predict(texts).tolist()


def test_a_file_of_other_columns_is_read_as_flags_say(capsys):
    texts, labels = reviews(30, seed=9)
    Path("other.csv").write_text("verdict;what\n" + "".join(f"{b};{a}\n" for a, b in zip(texts, labels, strict=True)))
    expected = succeed(capsys, "predict", "r.model", "test.tsv").out.replace("test.tsv", "other.csv")
    assert succeed(capsys, "predict", "r.model", "other.csv", "--text", "what").out == expected
    message, hint = fail(capsys, "predict", "r.model", "other.csv")
    assert message == "other.csv: which column is the text is not said; its 2 columns are 1 'verdict', 2 'what'."
    assert "--text 1" in hint
    found = json.loads(succeed(capsys, "evaluate", "r.model", "other.csv", "--text", "2", "--label", "1", "--json").out)
    assert found["metrics"] == json.loads(succeed(capsys, "evaluate", "r.model", "test.tsv", "--json").out)["metrics"]


# ---- evaluate


def test_evaluate_prints_figures_beside_the_baselines_and_a_matrix(capsys):
    shown = succeed(capsys, "evaluate", "r.model", "test.tsv", "--train", "train.tsv")
    found = ostinato.load("r.model").evaluate("test.tsv", train="train.tsv")
    lines = shown.out.splitlines()
    assert lines[0] == "30 examples"
    assert lines[1].split() == ["accuracy", "balanced", "macro", "F1", "log", "loss", "calibration"]
    rows = {line.split()[0]: [float(cell) for cell in line.split()[1:]] for line in lines[2 : 3 + len(found.baselines)]}
    assert rows.keys() == {"r.model", *found.baselines}
    for name, figures in {"r.model": found.metrics, **found.baselines}.items():
        assert rows[name] == [float(f"{value:.4f}") for value in figures.values()]
    order = [cells[0] for cells in rows.values()]
    assert order == sorted(order, reverse=True)
    assert ("beats the model here" in shown.out) == (found.winner is not None)
    matrix = lines[lines.index("true class, and what it was taken for:") + 1 :]
    assert matrix[0].split() == ["neg", "pos", "recall"]
    for line, name, row in zip(matrix[1:], found.classes, found.confusion, strict=True):
        assert line.split() == [name, *map(str, row), f"{row[found.classes.index(name)] / sum(row):.3f}"]
    assert shown.err == ""


def test_without_training_examples_it_is_said_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["ostinato", "evaluate", "r.model", "test.tsv"])
    shown = succeed(capsys, "evaluate", "r.model", "test.tsv")
    assert "missing: majority, words, which learn from the training examples; with them:" in shown.err
    assert "ostinato evaluate r.model test.tsv --train FILE" in shown.err
    assert succeed(capsys, "evaluate", "r.model", "test.tsv", "-q").err == ""


def reviews_in_parts(folder):
    """A folder of parts as aclImdb has them: train holds classes the other way round than test."""
    for part, swapped in (("train", False), ("test", True)):
        texts, labels = reviews(20)
        for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
            name = {"neg": "pos", "pos": "neg"}[label] if swapped else label
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            (folder / part / name / f"{number}.txt").write_text(text)


def test_baselines_learn_from_the_part_for_training_whichever_is_judged(capsys):
    reviews_in_parts(Path("parts"))
    shown = succeed(capsys, "evaluate", "r.model", "parts", "--part", "test", "--train", "parts", "--json")
    figures = json.loads(shown.out)["baselines"]
    assert figures["words"]["accuracy"] < 0.5
    beside = succeed(capsys, "evaluate", "r.model", "parts/test", "--train", "parts/train", "--json")
    assert figures == json.loads(beside.out)["baselines"]


def test_it_is_said_where_the_training_file_is_judged(capsys):
    shown = succeed(capsys, "evaluate", "r.model", "train.tsv", "--train", "./train.tsv")
    assert shown.err.startswith("train.tsv is --train, too: ")
    assert succeed(capsys, "evaluate", "r.model", "train.tsv", "--train", "train.tsv", "-q").err == ""


def test_what_was_left_out_is_said_in_prediction_too(capsys):
    reviews_in_parts(Path("parts"))
    assert (
        succeed(capsys, "predict", "r.model", "parts").err == "of the parts of parts, train was read; not read: test\n"
    )
    assert succeed(capsys, "predict", "r.model", "parts", "-q").err == ""


def test_a_figure_that_cannot_be_had_is_a_dash(capsys):
    Path("new.tsv").write_text("text\tlabel\ngood\tnew\n")
    shown = succeed(capsys, "evaluate", "r.model", "new.tsv")
    assert shown.out.splitlines()[2].split() == ["r.model", "0.0000", "0.0000", "0.0000", "-", "-"]


def test_an_output_that_is_no_file_is_refused_before_it_is_read(capsys):
    message, _ = fail(capsys, *FIT, "train.tsv", *FLAGS, "-o", "/dev/zero")
    assert message == "/dev/zero exists and is no model file, so it is not overwritten."


def test_a_baseline_that_wins_is_told(capsys):
    succeed(capsys, *FIT, "train.tsv", *FLAGS, "--steps", "1", "--linear", "never", "-q", "-o", "one.model")
    shown = succeed(capsys, "evaluate", "one.model", "test.tsv", "--train", "train.tsv")
    found = ostinato.load("one.model").evaluate("test.tsv", train="train.tsv")
    assert found.winner is not None
    assert f"\nThe baseline {found.winner} beats the model here, by its accuracy.\n" in shown.out


def test_labels_that_the_model_does_not_know_are_told(capsys):
    texts, labels = reviews(20)
    lines_of(texts, ["odd\x1b[2J" if place == 3 else label for place, label in enumerate(labels)], "odd.tsv")
    shown = succeed(capsys, "evaluate", "r.model", "odd.tsv")
    assert "labels that the model does not know, so that they count as wrong: 'odd\\x1b[2J' (1)\n" in shown.out
    assert "none of them" not in shown.out
    assert "\x1b" not in shown.out


def test_evaluate_several_classes_and_series(capsys):
    shown = succeed(capsys, "evaluate", "t.model", "topics.tsv", "--train", "topics.tsv")
    assert "micro F1" in shown.out
    assert "taken for" not in shown.out
    shown = succeed(capsys, "evaluate", "w.model", "waves.csv", "--train", "waves.csv")
    assert {"majority", "summaries", "neighbour"} <= {line.split()[0] for line in shown.out.splitlines() if line}


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_evaluate_draws(capsys, kind, begins):
    shown = succeed(capsys, "evaluate", "r.model", "test.tsv", "--plot", f"picture.{kind}", "-q")
    assert "taken for" in shown.out
    assert Path(f"picture.{kind}").read_bytes().startswith(begins)


def test_info_tells_classes_and_sizes(capsys):
    shown = succeed(capsys, "info", "r.model")
    assert "classes: 2: neg, pos" in shown.out
    told = json.loads(succeed(capsys, "info", "w.model", "--json").out)
    assert (told["task"], told["classes"]) == ("classify", "2: 1, 2")
    assert told["reads"].endswith(" numbers a step")


# ---- wrong usage


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([*FIT, "nothing.csv"], 1, "nothing.csv"),
        (
            [*FIT, "train.tsv", "--label", "lable"],
            1,
            "train.tsv has no column 'lable'; its 2 columns are 1 'text', 2 'label'.",
        ),
        ([*FIT, "train.tsv", "--text", "2", "--label", "2"], 2, "column 'label' cannot be text and label."),
        ([*FIT, "train.tsv", "--pooling", "men"], 2, "there is no pooling 'men'."),
        ([*FIT, "train.tsv", "--pooling", "max,max"], 2, "a pooling is named twice."),
        ([*FIT, "train.tsv", "--units", "letters"], 2, "Invalid value for '--units'"),
        ([*FIT, "train.tsv", "--hidden", "0"], 2, "hidden_size: expected"),
        ([*FIT, "train.tsv", "--hiden", "3"], 2, "No such option"),
        ([*FIT, "train.tsv", "--time", "soon"], 2, "'soon' is no length of time."),
        ([*FIT, "train.tsv", "--time", "1m", "--steps", "3"], 2, "time and steps exclude each other."),
        ([*FIT, "train.tsv", "--cell", "grue"], 2, "there is no cell named 'grue'."),
        ([*FIT, "train.tsv", "--vectors", "none.txt", "--steps", "1", "--linear", "never"], 1, "none.txt"),
        ([*FIT, "waves.csv", "--vectors", "none.txt"], 2, "series of numbers have no words."),
        ([*FIT, "train.tsv", "--noise", "0.1"], 2, "texts have no values."),
        ([*FIT, "train.tsv", "--no-changes"], 2, "texts have no values."),
        ([*FIT, "train.tsv", "waves.csv"], 1, ""),
        ([*FIT, "train.tsv", "-o", "train.tsv"], 1, "train.tsv exists and is no model file, so it is not overwritten."),
        ([*FIT, "train.tsv", "-o", "no/m.model"], 1, "there is no folder no for the output."),
        ([*FIT, "train.tsv", "--resume"], 1, "there is no checkpoint"),
        ([*FIT], 2, "Missing argument"),
        (["predict", "train.tsv", "train.tsv"], 1, "train.tsv"),
        (["predict", "r.model", "nothing.csv"], 1, "nothing.csv"),
        (["predict", "r.model", "waves.csv"], 1, "the model reads texts, but series came."),
        (["predict", "w.model", "train.tsv"], 1, "the model reads series, but texts came."),
        (["predict", "r.model", "test.tsv", "--text", "txt"], 1, "test.tsv has no column 'txt'"),
        (["predict", "r.model", "test.tsv", "-o", "next.xlsx"], 2, "next.xlsx names no kind of table."),
        (["predict", "r.model", "test.tsv", "-o", "no/next.csv"], 1, "there is no folder no for the output."),
        (
            ["predict", "r.model", "test.tsv", "-o", "next.csv", "--lines"],
            2,
            "--lines writes JSON lines, and next.csv is another kind of file.",
        ),
        (
            ["predict", "r.model", "test.tsv", "--plot", "a.png"],
            2,
            "--plot is for a forecast model; this is a classify model.",
        ),
        (
            ["predict", "r.model", "test.tsv", "--paths", "3"],
            2,
            "--paths is for a forecast model; this is a classify model.",
        ),
        (
            ["evaluate", "r.model", "test.tsv", "--refit", "2"],
            2,
            "--refit is for a forecast model; this is a classify model.",
        ),
        (["evaluate", "r.model", "test.tsv", "--unknown", "skip"], 2, "--unknown is for a language model;"),
        (["evaluate", "r.model", "test.tsv", "--plot", "a.pdf"], 2, "a picture is a .png or .svg file, not 'a.pdf'."),
        (["evaluate", "t.model", "topics.tsv", "--plot", "a.png"], 1, "there is no confusion matrix"),
        (["evaluate", "r.model", "test.tsv", "--train", "nothing.tsv"], 1, "nothing.tsv"),
        (["evaluate", "r.model", "waves.csv"], 1, ""),
        (["generate", "r.model"], 1, "r.model is a classify, not a model of text."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_and_takes_nothing_away(capsys, arguments, code, message):
    before = {path: path.read_bytes() for path in Path().iterdir()}
    found, _ = fail(capsys, *arguments, code=code)
    assert found.startswith(message), found
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize("flag", [["--text", "1"], ["--lines"], ["--no-header"]])
def test_flags_of_a_classifier_are_refused_for_others(capsys, small_file, flag):
    Path("text.txt").write_text("some text, of some length")
    command = ["evaluate", small_file, "text.txt"] if "--lines" not in flag else ["predict", small_file, "text.txt"]
    message, _ = fail(capsys, *command, *flag, code=2)
    name = flag[0].replace("--no-", "--")
    kinds = "classify or tag" if name == "--lines" else "classify"
    assert message.startswith(f"{name} is for a {kinds} model; this is a ")


def test_a_damaged_model_is_refused(capsys):
    content = bytearray(Path("r.model").read_bytes())
    content[-3] ^= 1
    Path("r.model").write_bytes(content)
    for command in ("predict", "evaluate"):
        message, _ = fail(capsys, command, "r.model", "test.tsv")
        assert message == "r.model is damaged: its contents do not match their digest."


def test_fitting_without_torch_says_what_to_install():
    ran = process(*FIT, "train.tsv", *FLAGS, without_torch=True)
    assert ran.returncode == 1
    assert message_of(ran.stderr) == ("this needs torch, which is not installed.", "pip install 'ostinato[train]'")


def test_standard_input_holds_what_the_model_reads(capsys, monkeypatch):
    """Of series a long table, which nothing tells from a text a line but the model."""
    for command in (["predict"], ["evaluate", "--json"]):
        expected = succeed(capsys, command[0], "w.model", "waves.csv", *command[1:], "-q").out
        with open("waves.csv", "rb") as file:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
            shown = succeed(capsys, command[0], "w.model", "-", *command[1:], "-q").out
        assert shown.replace("standard input", "waves.csv") == expected


def test_files_of_another_encoding_are_read_and_what_was_odd_is_told(capsys):
    texts, labels = reviews(8, seed=9)
    Path("latin.tsv").write_text(
        "text\tlabel\n" + "".join(f'"é {text}"\t{label}\n' for text, label in zip(texts, labels, strict=True)),
        encoding="latin-1",
    )
    assert "--encoding" in fail(capsys, "evaluate", "r.model", "latin.tsv")[1]
    shown = succeed(capsys, "evaluate", "r.model", "latin.tsv", "--encoding", "latin-1")
    assert "8 examples" in shown.out
    assert "quotes were kept" in shown.err
    assert "quotes" not in succeed(capsys, "evaluate", "r.model", "latin.tsv", "--encoding", "latin-1", "-q").err
    assert len(succeed(capsys, "predict", "r.model", "latin.tsv", "--encoding", "latin-1").out.splitlines()) == 9


# ---- stream


def streamed(capsys, monkeypatch, model, lines, *flags):
    """Return what `ostinato stream` answers to lines."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("".join(f"{line}\n" for line in lines).encode())))
    return succeed(capsys, "stream", model, *flags).out.splitlines()


@pytest.fixture
def one_way(folder):
    """Classifiers that read one way, of texts and of series."""
    options = SIZES | {"bidirectional": False, "linear": "never", "steps": 3}
    for data, name, more in (("train.tsv", "words.model", {}), ("waves.csv", "values.model", {"changes": True})):
        ostinato.Classifier(**options, **more).fit(data, quiet=True).save(name)
    return ostinato.load("words.model"), ostinato.load("values.model")


def test_a_text_is_told_line_by_line_as_it_grows(capsys, monkeypatch, one_way):
    lines = ["", "what a fine", "film", ""]
    answers = streamed(capsys, monkeypatch, "words.model", lines)
    model = one_way[0]
    for read, answer in zip(["", "what a fine", "what a fine film", "what a fine film"], answers, strict=True):
        told = model.decisions(model.read([read]))[0]
        assert answer == (f"{told['label']} {told['probability']:.3f}" if read else "-")
    told = json.loads(streamed(capsys, monkeypatch, "words.model", ["what a fine film"], "--json")[0])
    assert told["probabilities"][told["label"]] == told["probability"]
    # From run to run.
    first = streamed(capsys, monkeypatch, "words.model", lines[:2], "--snapshot", "kept")
    assert first + streamed(capsys, monkeypatch, "words.model", lines[2:], "--snapshot", "kept", "-q") == answers


def test_a_series_is_told_step_by_step(capsys, monkeypatch, one_way):
    rows = waves()[0][0]
    lines = [", ".join("nan" if np.isnan(value) else repr(float(value)) for value in row) for row in rows]
    answers = streamed(capsys, monkeypatch, "values.model", lines)
    told = one_way[1].decisions(one_way[1].read([rows]))[0]
    assert (len(answers), answers[-1]) == (len(rows), f"{told['label']} {told['probability']:.3f}")
    for line, message in (("1, x", "line 1: 'x' is no number."), ("1", "line 1: expected values [D] or [T, D]")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{line}\n".encode())))
        assert fail(capsys, "stream", "values.model")[0].startswith(message)
    message, hint = fail(capsys, "stream", "values.model", "--snapshot", "kept", code=2)
    assert (message[:33], hint) == ("a snapshot does not hold the valu", "fit with --no-changes.")
    assert not Path("kept").exists()


def test_a_wrong_column_of_labels_is_said_and_not_listed_line_by_line(capsys):
    texts, labels = reviews(30, seed=9)
    lines_of(labels, texts, "turned.tsv", header=False)
    said = succeed(capsys, "evaluate", "r.model", "turned.tsv", "--no-header", "--text", "1", "--label", "2").out
    assert said.count("\n") < 10
    assert "more\nIt knows none of them: check the column, and name it with --label." in said
