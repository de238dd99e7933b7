"""The commands over a forecaster: what they write and print, and how they refuse."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ostinato
from tests.cli.running import fail, message_of, process, succeed
from tests.small_series import FLAGS, load, shops, times

FIT = ["fit", "forecast"]
WIDE = ["--target", "load,wind", "--known", "price", "--past", "heat,day", "--time-column", "when"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with tables, and forecasters of them."""
    folder = tmp_path_factory.mktemp("forecast")
    pl.DataFrame(load()).write_csv(folder / "load.csv")
    pl.DataFrame(shops()).write_parquet(folder / "shops.parquet")
    pl.DataFrame({"when": times(94)[90:], "price": [1.0, 2, 3, 4]}).write_csv(folder / "ahead.csv")
    ostinato.Forecaster(**_sizes(), target="load,wind", known="price", time_column="when").fit(
        folder / "load.csv", quiet=True
    ).save(folder / "load.model")
    ostinato.Forecaster(**_sizes()).fit(folder / "shops.parquet", quiet=True).save(folder / "shops.model")
    return folder


@pytest.fixture(autouse=True)
def folder(made, tmp_path, monkeypatch):
    """A fresh copy of that folder, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def _sizes():
    names = [flag.removeprefix("--").replace("-", "_") for flag in FLAGS[::2]]
    return dict(zip(names, map(float, FLAGS[1::2]), strict=True)) | {
        name: int(value) for name, value in zip(names, FLAGS[1::2], strict=True) if value.isdecimal()
    }


# ---- fit


def test_fit_writes_a_model_tells_what_it_inferred_and_prints_figures(capsys):
    shown = succeed(capsys, *FIT, "load.csv", *WIDE, "--split", "0.6,0.2,0.2", *FLAGS, "-o", "new.model")
    assert "15 windows of the test part" in shown.out
    for title in ("MSE", "MAE", "sMAPE", "MASE", "WQL", "80% band", "seasonal naive", "drift", "linear", "new.model"):
        assert title in shown.out
    for text in (
        "hourly",
        "targets: load, wind",
        "known: price",
        "54 rows train, 18 validate, 18 test",
        "plan: --steps 3",
    ):
        assert text in shown.err
    assert "ostinato predict new.model load.csv" in shown.err
    assert ostinato.load("new.model").options_.split == ("0.6", "0.2", "0.2")
    assert not Path("new.model.checkpoint").exists()


def test_fit_quietly_prints_nothing_but_the_result(capsys):
    shown = succeed(capsys, *FIT, "shops.parquet", *FLAGS, "--quiet", "--json")
    assert shown.err == ""
    found = json.loads(shown.out)
    assert (found["task"], found["model"]) == ("forecast", "shops.safetensors")
    assert {"mse", "mae", "smape", "mase", "wql", "coverage_80"} <= found["metrics"].keys()
    assert {"persistence", "seasonal naive", "drift"} <= found["baselines"].keys()


def test_flags_and_keywords_give_the_same_model(capsys):
    succeed(capsys, *FIT, "shops.parquet", *FLAGS, "--quiet", "-o", "by_flags")
    assert (
        ostinato.load("by_flags").predict("shops.parquet").equals(ostinato.load("shops.model").predict("shops.parquet"))
    )


def test_rows_that_are_series(capsys):
    values = np.random.default_rng(0).normal(size=(5, 30)).round(3)
    lines = ["name," + ",".join(f"V{step}" for step in range(30))]
    lines += [f"H{row}," + ",".join(map(str, values[row])) for row in range(5)]
    Path("m4.csv").write_text("\n".join(lines) + "\n")
    succeed(capsys, *FIT, "m4.csv", "--rows-are-series", *FLAGS, "--quiet", "-o", "m4.model")
    shown = succeed(capsys, "predict", "m4.model", "m4.csv")
    assert shown.out.splitlines()[0] == "name,row,y,y_q0.1,y_q0.9"
    assert [line.split(",")[:2] for line in shown.out.splitlines()[1:3]] == [["H0", "30"], ["H0", "31"]]


# ---- predict


def test_predict_prints_csv(capsys):
    shown = succeed(capsys, "predict", "shops.model", "shops.parquet")
    table = pl.read_csv(shown.out.encode())
    assert table.columns == ["unique_id", "ds", "y", "y_q0.1", "y_q0.9"]
    assert table.height == 12
    assert shown.err == ""


def test_predict_prints_json(capsys):
    shown = succeed(capsys, "predict", "load.model", "load.csv", "--future", "ahead.csv", "--json")
    found = json.loads(shown.out)
    assert found["task"] == "forecast"
    assert [datetime.fromisoformat(row["when"]) for row in found["forecast"]] == times(94)[90:].tolist()
    assert {"load", "load_q0.1", "wind_q0.9"} <= found["forecast"][0].keys()


@pytest.mark.parametrize("kind", ["csv", "parquet", "json", "CSV"])
def test_predict_writes_each_kind_of_table(capsys, kind):
    shown = succeed(capsys, "predict", "load.model", "load.csv", "--future", "ahead.csv", "-o", f"next.{kind}")
    assert shown.out == ""
    assert shown.err == f"written: next.{kind}, 4 rows\n"
    expected = ostinato.load("load.model").predict("load.csv", "ahead.csv")
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "json": pl.read_json}[kind.lower()](f"next.{kind}")
    assert read.columns == expected.columns
    np.testing.assert_allclose(read["load"], expected["load"])
    again = succeed(capsys, "predict", "load.model", "load.csv", "--future", "ahead.csv", "-o", f"next.{kind}", "-q")
    assert again.err == again.out == ""


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_predict_draws(capsys, kind, begins):
    succeed(capsys, "predict", "shops.model", "shops.parquet", "--plot", f"picture.{kind}", "-o", "next.csv")
    content = Path(f"picture.{kind}").read_bytes()
    assert content.startswith(begins)
    assert len(content) > 5000
    succeed(capsys, "predict", "load.model", "load.csv", "--future", "ahead.csv", "--plot", f"other.{kind}")
    assert Path(f"other.{kind}").read_bytes() != content


# ---- evaluate


def test_evaluate_prints_figures_beside_the_baselines(capsys):
    shown = succeed(capsys, "evaluate", "load.model", "load.csv")
    assert shown.out.startswith("6 windows of the validation part\n")
    assert "Nothing was left for a test" in shown.err
    width = len("seasonal naive  ")
    rows = {line[:width].strip(): line[width:].split() for line in shown.out.splitlines()[2:7]}
    found = ostinato.load("load.model").evaluate("load.csv")
    for name, figures in {"load.model": found.metrics, **found.baselines}.items():
        assert rows[name][:2] == [f"{figures['mse']:.4f}", f"{figures['mae']:.4f}"]
    order = [float(figures[0]) for figures in rows.values()]
    assert order == sorted(order)
    assert ("beats the model here" in shown.out) == (found.winner is not None)


def test_evaluate_as_json_and_by_step(capsys):
    found = json.loads(succeed(capsys, "evaluate", "load.model", "load.csv", "--json", "--stride", "2").out)
    assert (found["windows"], found["part"]) == (3, "validation")
    assert len(found["by_step"]["mse"]) == 4
    assert list(found["by_series"]) == ["load", "wind"]
    shown = succeed(capsys, "evaluate", "load.model", "load.csv", "--by-step", "--standardised", "--season", "7")
    assert [line.split()[0] for line in shown.out.splitlines()[-4:]] == ["1", "2", "3", "4"]


def test_evaluate_refits_on_the_way_and_leaves_the_file_as_it_is(capsys):
    before = Path("load.model").read_bytes()
    shown = succeed(capsys, "evaluate", "load.model", "load.csv", "--refit", "2")
    assert shown.out.startswith("6 windows of the validation part, with 2 refits on the way\n")
    said = [line for line in shown.err.splitlines() if line.startswith("refit")]
    assert said == [
        "refit 1 of 2: learns from 81 rows, and is tested on 3 windows after them",
        "refit 2 of 2: learns from 84 rows, and is tested on 3 windows after them",
    ]
    assert shown.err.count("plan: --steps 3") == 2
    assert "these rows chose the weights" not in shown.err, "here they did not"
    quiet = succeed(capsys, "evaluate", "load.model", "load.csv", "--refit", "2", "--quiet", "--json")
    assert quiet.err == ""
    found = ostinato.load("load.model").evaluate("load.csv", refit=2, quiet=True)
    assert (json.loads(quiet.out)["refits"], json.loads(quiet.out)["metrics"]["mse"]) == (2, found.metrics["mse"])
    assert Path("load.model").read_bytes() == before


def test_refitting_without_torch_says_what_to_install():
    ran = process("evaluate", "load.model", "load.csv", "--refit", "2", without_torch=True)
    assert ran.returncode == 1
    assert message_of(ran.stderr) == ("this needs torch, which is not installed.", "pip install 'ostinato[train]'")
    assert process("evaluate", "load.model", "load.csv", "--plot", "a.svg", without_torch=True).returncode == 0
    assert Path("a.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("more", [[], ["--refit", "2", "-q"], ["--windows", "20"]], ids=" ".join)
def test_evaluate_draws(capsys, more):
    shown = succeed(capsys, "evaluate", "load.model", "load.csv", "--plot", "picture.png", *more)
    assert "persistence" in shown.out
    content = Path("picture.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) > 5000


def test_a_baseline_that_wins_is_told(capsys):
    Path("line.csv").write_text("y\n" + "".join(f"{row * 2.5}\n" for row in range(90)))
    shown = succeed(capsys, *FIT, "line.csv", *FLAGS, "--linear", "never", "-q")
    assert "The baseline drift beats the model here, by its MSE." in shown.out


def test_info_tells_roles_and_sizes(capsys):
    shown = succeed(capsys, "info", "load.model")
    assert "forecasts: 4 steps of load, wind" in shown.out
    assert json.loads(succeed(capsys, "info", "load.model", "--json").out)["roles"]["known"] == ["price"]


# ---- wrong usage


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([*FIT, "nothing.csv"], 1, "nothing.csv"),
        ([*FIT, "load.csv", "--target", "lod"], 1, "load.csv: there is no column 'lod'."),
        ([*FIT, "load.csv", "--target", "load", "--known", "load"], 2, "column 'load' was given two roles."),
        ([*FIT, "load.csv", "--split", "0.5,0.3"], 2, "the fractions 0.5, 0.3 do not add up to 1."),
        (
            [*FIT, "load.csv", "--split", "soon,later"],
            2,
            "the split soon, later is neither rows nor fractions nor dates.",
        ),
        (
            [*FIT, "load.csv", "--quantiles", "0.1,x"],
            2,
            "quantiles should be numbers separated by commas, got '0.1,x'.",
        ),
        ([*FIT, "load.csv", "--quantiles", "0.1,0.9"], 2, "quantiles are 0.1, 0.9, but should rise and hold 0.5."),
        ([*FIT, "load.csv", "--horizon", "0"], 2, "horizon: expected"),
        ([*FIT, "load.csv", "--horizon", "many"], 2, "Invalid value for '--horizon'"),
        ([*FIT, "load.csv", "--horizn", "3"], 2, "No such option"),
        ([*FIT, "load.csv", "--time", "soon"], 2, "'soon' is no length of time."),
        ([*FIT, "load.csv", "--time", "1m", "--steps", "3"], 2, "time and steps exclude each other."),
        ([*FIT, "load.csv", "--cell", "grue"], 2, "there is no cell named 'grue'."),
        ([*FIT, "load.csv", "--horizon", "400"], 1, "no series has a row to train on"),
        ([*FIT, "load.csv", "-o", "load.csv"], 1, "load.csv exists and is no model file, so it is not overwritten."),
        ([*FIT, "load.csv", "--resume"], 1, "there is no checkpoint"),
        ([*FIT], 2, "Missing argument"),
        (["predict", "load.csv", "load.csv"], 1, "load.csv"),
        (["predict", "load.model", "load.csv"], 1, "'price' should be known 4 steps ahead, but 4 values are missing."),
        (["predict", "load.model", "shops.parquet"], 1, "shops.parquet: there is no column 'when'."),
        (["predict", "shops.model", "shops.parquet", "-o", "next.xlsx"], 2, "next.xlsx names no kind of table."),
        (
            ["predict", "shops.model", "shops.parquet", "--plot", "a.pdf"],
            2,
            "a picture is a .png or .svg file, not 'a.pdf'.",
        ),
        (["predict", "shops.model", "shops.parquet", "-o", "no/next.csv"], 1, "there is no folder no for the output."),
        (["evaluate", "shops.model", "shops.parquet", "--season", "0"], 2, "Invalid value for '--season'"),
        (["evaluate", "shops.model", "shops.parquet", "--refit", "0"], 2, "Invalid value for '--refit'"),
        (
            ["evaluate", "shops.model", "shops.parquet", "--refit", "9"],
            2,
            "9 refits take as many origins of a series, and none has more than 3.",
        ),
        (
            ["evaluate", "shops.model", "shops.parquet", "--plot", "a.pdf"],
            2,
            "a picture is a .png or .svg file, not 'a.pdf'.",
        ),
        (
            ["evaluate", "shops.model", "shops.parquet", "--plot", "no/a.png"],
            1,
            "there is no folder no for the output.",
        ),
        (
            ["evaluate", "shops.model", "shops.parquet", "--train", "x"],
            2,
            "--train is for a language or classify or tag model;",
        ),
        (["evaluate", "shops.model", "shops.parquet", "--unknown", "skip"], 2, "--unknown is for a language model;"),
        (["generate", "shops.model"], 1, "shops.model is a forecast, not a model of text."),
        (["stream", "shops.model"], 1, "shops.model is a forecast model, more than one network"),
        (["export", "shops.model", "-o", "x.onnx"], 1, "shops.model is a forecast model, more than one network"),
        (
            ["export", "shops.model", "-o", "x.safetensors", "--dtype", "int8"],
            1,
            "shops.model is a forecast model, which",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_one_line_and_takes_nothing_away(capsys, arguments, code, message):
    before = {path: path.read_bytes() for path in Path().iterdir()}
    found, _ = fail(capsys, *arguments, code=code)
    assert found.startswith(message), found
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    "flag",
    [["--standardised"], ["--season", "3"], ["--stride", "2"], ["--by-step"], ["--refit", "2"], ["--plot", "a.png"]],
)
def test_flags_of_a_forecaster_are_refused_for_text(capsys, small_file, flag):
    Path("text.txt").write_text("some text, of some length")
    message, _ = fail(capsys, "evaluate", small_file, "text.txt", *flag, code=2)
    kinds = "forecast or classify" if flag[0] == "--plot" else "forecast"
    assert message == f"{flag[0]} is for a {kinds} model; this is a language model."


def test_a_forecast_needs_a_forecaster(capsys, small_file):
    message, _ = fail(capsys, "predict", small_file, "load.csv")
    assert message == f"{small_file} is a language model, not a forecaster."


@pytest.mark.parametrize("name", ["next.csv", "next.parquet", "next.json", "next.png"])
def test_an_output_that_was_there_is_not_lost_on_failure(capsys, monkeypatch, name):
    Path(name).write_text("dear to me")
    _no_space(monkeypatch)
    flag = "--plot" if name.endswith("png") else "-o"
    message, _ = fail(capsys, "predict", "shops.model", "shops.parquet", flag, name)
    assert "no space left" in message
    assert Path(name).read_text() == "dear to me"
    assert not [path for path in Path().iterdir() if path.name.startswith(("next", ".")) and path.name != name]


def _no_space(monkeypatch):
    """Let files be opened, but not be put in place."""
    import errno
    import os

    def replace(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", replace)


def test_text_in_a_column_of_numbers_names_file_row_and_column(capsys):
    lines = Path("load.csv").read_text().splitlines()
    lines[7] = lines[7].replace(lines[7].split(",")[1], "much")
    Path("spoilt.csv").write_text("\n".join(lines))
    message, _ = fail(capsys, *FIT, "spoilt.csv", *WIDE, *FLAGS)
    assert message == "spoilt.csv, row 8, column 'load': 'much' is no number."


def test_a_damaged_model_is_refused(capsys):
    content = bytearray(Path("load.model").read_bytes())
    content[-3] ^= 1
    Path("load.model").write_bytes(content)
    for command in ("predict", "evaluate"):
        message, _ = fail(capsys, command, "load.model", "load.csv")
        assert message == "load.model is damaged: its contents do not match their digest."
