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


PUSHED = {"size": (1, 1, 512, 512), "ostinato": 0.1, "ostinato_int8": 0.03}


def test_ostinato_is_no_peer_of_itself():
    one = row("push", **PUSHED, onnxruntime=0.2, openvino=0.12)
    assert one.ratio() == pytest.approx(1.2)
    assert one.best_peer == "openvino"
    assert one.stored == {"ostinato-int8": pytest.approx(0.3)}
    assert row("push", ostinato_int8=0.03).stored == {}


def test_the_summary_says_how_live_streams_fare():
    rows = [
        row("push", **PUSHED, onnxruntime=0.2, torch_cell=0.25, keras=0.15, openvino=0.01),
        row("push", size=(1, 1, 32, 32), ostinato=1.0, onnxruntime=2.0, onnxruntime_1=1.8),
        row("pool", size=(10_000, 1, 64, 64), operations=1.3e9, ostinato=10.0, onnxruntime=20.0),
        row("generation", size=(1, 200, 64, 512), operations=None, ostinato=10.0, torch=60.0, torch_cell=20.0),
    ]
    lines = {line.what: line for line in summarise(report(*rows))}
    widest = lines["LSTM push, H=512: × the quickest of ONNX Runtime, torch's cell and Keras"]
    assert (widest.found, widest.is_met) == (pytest.approx(1.5), True)
    least = lines["LSTM push, H=32: × the quickest of ONNX Runtime, torch's cell and Keras"]
    assert (least.found, least.is_met) == (pytest.approx(1.8), False)
    assert lines["LSTM push, H=512: int8's time, × float32's"].found == pytest.approx(0.3)
    assert lines["LSTM push, H=512: int8's time, × float32's"].is_met
    assert lines["generation: characters a second, × torch.nn.LSTM"].found == pytest.approx(6.0)
    assert lines["pool step: share of peak (or 3 × ONNX Runtime)"].found == pytest.approx(0.65)


@pytest.mark.parametrize(("theirs", "what"), [(50.0, "× ONNX Runtime (or"), (20.0, "share of peak (or")])
def test_one_of_two_targets_of_a_pool_is_enough(theirs, what):
    (line,) = summarise(report(row("pool", operations=1.5e9, ostinato=10.0, onnxruntime=theirs)))
    assert what in line.what
    assert line.is_met


def test_the_table_shows_live_groups_in_their_units():
    rows = [
        row("push", **PUSHED, onnxruntime=0.2),
        row("generation", size=(1, 200, 64, 512), operations=None, ostinato=10.0, torch=60.0),
    ]
    text = markdown(report(*rows))
    assert "| lstm | B1 T1 D512 H512 | 100 ±15 | 30 ±4 | 200 ±30 |" in text
    assert "int8 ÷ float32" in text
    assert text.count("| 2.00 | 0.30 |") == 1
    assert "| lstm | B1 T200 D64 H512 | 10 ±2 | 60 ±9 | 6.00 | 640,000 |" in text


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
    live = [row(group, ostinato=10.0, ostinato_int8=5.0, keras=30.0) for group in ("push", "pool", "generation")]
    assert draw(report(row("training", ostinato=10.0, torch=25.0), row("step", ostinato=0.01), *live), path)
    text = path.read_text()
    assert "One push" in text
    assert "Characters written" in text
    assert "keras" in text
    assert text.count("<svg") == 1
    assert "Training" in text
    assert "One step" in text
    assert not draw(report(row("cells", ostinato=10.0)), tmp_path / "none.svg")


@pytest.fixture
def run(monkeypatch, tmp_path):
    """The command over fake contenders and a fake machine."""

    def run(ours, *arguments, stored=ANSWER):
        workers = {
            "ostinato": FakeWorker(ours),
            "ostinato-int8": FakeWorker(stored),
            "torch": FakeWorker(ANSWER, seconds=0.003),
        }
        monkeypatch.setattr(command, "field_of", lambda threads: fake_field(workers))
        monkeypatch.setattr(command, "CONTENDERS", tuple(map(entry, workers)))
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


def test_the_command_fails_when_ostinato_is_wrong_in_fewer_bytes(run):
    assert run(ANSWER, "--only", "push/lstm").return_value == 0
    result = run(ANSWER, "--only", "push/lstm", stored={"y": -ANSWER["y"]})
    assert result.return_value == 1
    assert "ostinato-int8: wrong" in result.stdout


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
