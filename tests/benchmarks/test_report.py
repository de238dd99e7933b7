import json

import pytest
from benchmarks.grid import Point
from benchmarks.report import Report, Row, Settings
from benchmarks.summary import summarise
from benchmarks.table import markdown
from benchmarks.timing import Timing
from click.testing import CliRunner

from benchmarks import command, machine
from tests.benchmarks.fakes import ANSWER, MACHINE, FakeWorker, entry, fake_field


def timing(milliseconds):
    return Timing(milliseconds, 0.9 * milliseconds, 1.2 * milliseconds, 9)


def row(group, cell="lstm", size=(64, 100, 256, 512), operations=10**9, cost=None, **milliseconds):
    timings = {name.replace("_", "-"): timing(value) for name, value in milliseconds.items()}
    return Row(Point(group, cell, *size), 6400, operations, timings, {}, peak=200.0, cost=cost)


def report(*rows, missing=(), quick=False):
    settings = Settings(threads=2, rounds=9, seconds=0.1, pause=0.1, quick=quick)
    return Report("2026-01-01", MACHINE, settings, {name: ["library"] for name in missing}, list(rows))


def test_ratio_and_rate():
    one = row("training", ostinato=10.0, torch=25.0, jax=20.0)
    assert one.ratio() == 2.0
    assert one.ratio("torch") == 2.5
    assert one.best_peer == "jax"
    assert one.gflops("ostinato") == pytest.approx(100.0)
    assert row("training", torch=25.0).ratio() is None


def test_the_summary_says_what_is_met():
    lines = {
        line.what: line
        for line in summarise(
            report(
                row("training", ostinato=5.0, torch=10.0),
                row("training", "gru", ostinato=10.0, torch=80.0),
                row("cells", ostinato=10.0, cost=1.0),
                row("cells", "gru", ostinato=13.0, cost=1.3),
                row("step", size=(1, 1, 128, 128), ostinato=1.0, onnxruntime=4.0, onnxruntime_1=2.0, torch=1.5),
            )
        )
    }
    assert lines["training: × torch.nn, worst point"].found == pytest.approx(2.0)
    assert lines["training: × torch.nn, geometric mean"].found == pytest.approx(4.0)
    assert lines["training at B64-T100-D256-H512: share of peak, worst kind"].found == pytest.approx(0.5)
    assert not lines["training at B64-T100-D256-H512: share of peak, worst kind"].is_met
    cells = lines["cells: time a multiply-add, × that of lstm, worst"]
    assert cells.found == pytest.approx(1.3)
    assert not cells.is_met
    assert lines["LSTM step, H=128: × ONNX Runtime"].found == pytest.approx(2.0)
    assert "training: × JAX, geometric mean" not in lines


def test_the_table_shows_times_spread_rate_share_and_ratio():
    text = markdown(report(row("training", ostinato=10.0, torch=25.0), missing=["jax"]))
    assert "| lstm | B64 T100 D256 H512 | 10 ±2 | 25 ±4 | 100.0 | 50% | 2.50 |" in text
    assert "a processor, 2 cores" in text
    assert "200 on 2" in text
    assert "jax: not installed (library)" in text


def test_a_quick_run_says_that_its_times_say_little():
    text = markdown(report(row("training", ostinato=10.0, torch=25.0), quick=True))
    assert "these times say little" in text
    assert "## Targets" not in text


def test_a_contender_that_was_left_out_has_no_time():
    left = row("training", ostinato=10.0)
    left.left_out["jax"] = "wrong: y differs"
    text = markdown(report(row("training", "gru", ostinato=10.0, jax=30.0), left))
    assert "| lstm | B64 T100 D256 H512 | 10 ±2 | – | 100.0 | 50% | – |" in text
    assert "training/lstm/B64-T100-D256-H512: jax: wrong: y differs" in text


def test_the_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.plot import draw

    path = tmp_path / "plot.svg"
    assert draw(report(row("training", ostinato=10.0, torch=25.0), row("step", ostinato=0.01)), path)
    text = path.read_text()
    assert text.count("<svg") == 1
    assert "Training" in text
    assert "One step" in text
    assert not draw(report(row("cells", ostinato=10.0)), tmp_path / "none.svg")


@pytest.fixture
def run(monkeypatch, tmp_path):
    """The command over fake contenders and a fake machine."""

    def run(ours, *arguments):
        workers = {"ostinato": FakeWorker(ours), "torch": FakeWorker(ANSWER, seconds=0.003)}
        monkeypatch.setattr(command, "field_of", lambda threads: fake_field(workers))
        monkeypatch.setattr(command, "CONTENDERS", (entry("ostinato"), entry("torch")))
        monkeypatch.setattr(command, "Meter", lambda threads: FakeWorker(ANSWER, seconds=0.005))
        monkeypatch.setattr(command, "describe", lambda meter: MACHINE)
        given = ["--quick", "--threads", "1", "--output", str(tmp_path), *arguments]
        return CliRunner().invoke(command.cli, given, standalone_mode=False)

    return run


def test_the_command_writes_table_and_data(run, tmp_path):
    result = run(ANSWER, "--only", "training/", "--json")
    assert result.return_value == 0
    printed = json.loads(result.stdout)
    (data,), (table,) = tmp_path.glob("*-quick-part.json"), tmp_path.glob("*-quick-part.md")
    assert json.loads(data.read_text()) == printed
    assert [row["timings"]["torch"]["median"] for row in printed["rows"]] == pytest.approx([3.0] * 6)
    assert [row["peak"] for row in printed["rows"]] == pytest.approx([200.0] * 6)
    assert "| elman |" in table.read_text()
    assert "training/gru" in result.stderr


def test_the_command_fails_when_ostinato_is_wrong(run):
    result = run({"y": -ANSWER["y"]}, "--only", "training/gru")
    assert result.return_value == 1
    assert "ostinato: wrong" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "nothing like it"], "no point of the grid"),
        (["--contenders", "tortch"], "there is no contender 'tortch'"),
        (["--threads", "200"], "no 200 cores"),
    ],
)
def test_wrong_options_are_told(run, arguments, said):
    assert said in str(run(ANSWER, *arguments).exception)


def test_the_machine_is_measured_without_a_compiler_too(monkeypatch):
    monkeypatch.setattr(machine, "COMPILERS", ())
    monkeypatch.delenv("CC", raising=False)
    meter = machine.Meter(1)
    abilities = meter.abilities()
    assert meter.time(0.1) > 0
    assert abilities.peak_one > 0
    assert abilities.l2_bandwidth > 0
    assert "NumPy" in abilities.measured_with
