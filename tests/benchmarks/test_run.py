import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.contenders import CONTENDERS, OURS, STORED, Refused, is_ours
from benchmarks.grid import Point
from benchmarks.parity import TOLERANCE, fault
from benchmarks.report import Settings
from benchmarks.run import run_point
from benchmarks.timing import in_turns, summarise
from benchmarks.worker import Failed, Worker

from benchmarks import run
from tests.benchmarks.fakes import ANSWER, FakeField, FakeWorker, entry

ROOT = Path(__file__).parents[2]
POINT = Point("training", "gru", 2, 3, 4, 5)
SETTINGS = Settings(threads=1, rounds=3, seconds=0.0, pause=0.0, quick=True)
METER = FakeWorker(ANSWER, seconds=0.004)


def changed(name, change):
    return ANSWER | {name: change(ANSWER[name].copy())}


def set_nan(values):
    values.flat[1] = np.nan
    return values


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (changed("y", lambda y: y + 2e-3), "y differs by 0.002, allowed are 0.0005"),
        (changed("d_x", lambda d: -d), "d_x differs by 2"),
        (changed("y", lambda y: y[:2]), "y has shape [2, 2, 1], expected [3, 2, 1]"),
        (changed("y", set_nan), "y differs by nan"),
        ({"y": ANSWER["y"]}, "d_x is missing"),
    ],
)
def test_what_is_wrong_is_found(given, said):
    assert fault(given, ANSWER).startswith(said)


def test_what_is_right_within_the_tolerance_is_let_in():
    assert fault(ANSWER, ANSWER) is None
    assert fault(changed("y", lambda y: y + 4.9 * TOLERANCE), ANSWER) is None


def test_who_is_wrong_refuses_or_fails_is_not_timed():
    workers = {
        "right": FakeWorker(ANSWER, seconds=0.002),
        "wrong": FakeWorker(changed("y", np.negative)),
        "refusing": FakeWorker(Refused("not today")),
        "failing": FakeWorker(Failed("failing", "ZeroDivisionError: no luck")),
    }
    field = FakeField(workers)
    told = []
    row = run_point(field, POINT, [entry(name) for name in workers], SETTINGS, METER, told.append)
    assert list(row.timings) == ["right"]
    assert row.timings["right"].median == pytest.approx(2.0)
    assert row.peak == pytest.approx(250.0)
    assert row.left_out["wrong"].startswith("wrong: y differs")
    assert row.left_out["refusing"] == "refused: not today"
    assert row.left_out["failing"] == "failed: ZeroDivisionError: no luck"
    assert workers["wrong"].timed == 0
    assert field.dismissed == ["failing"]
    assert len(told) == 3


def test_who_dies_while_being_timed_is_left_out_and_the_others_are_timed():
    workers = {"dying": FakeWorker(ANSWER, dies="dying"), "right": FakeWorker(ANSWER)}
    row = run_point(FakeField(workers), POINT, [entry(name) for name in workers], SETTINGS, METER, lambda line: None)
    assert list(row.timings) == ["right"]
    assert row.left_out == {"dying": "failed: its process died"}


def test_a_library_that_is_missing_is_no_error():
    missing = entry("nowhere", libraries=("a_library_that_is_nowhere",))
    assert missing.missing == ["a_library_that_is_nowhere"]
    row = run_point(FakeField({}), POINT, [missing], SETTINGS, METER, lambda line: None)
    assert (row.timings, row.left_out) == ({}, {})


def test_contenders_take_turns():
    order = []

    class Noting:
        def __init__(self, name):
            self.name = name

        def time(self, seconds):
            order.append(self.name)
            return 1.0

    in_turns({name: Noting(name) for name in "ABC"}, rounds=2, seconds=0.0, pause=0.0)
    assert "".join(order) == "ABCABC"


def test_a_timing_is_median_and_quartiles_in_milliseconds():
    timing = summarise([0.005, 0.001, 0.002, 0.003, 0.004])
    assert (timing.low, timing.median, timing.high, timing.rounds) == pytest.approx((2.0, 3.0, 4.0, 5))
    assert summarise([0.007]).low == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("Raising", Failed, "ZeroDivisionError: no luck"),
        ("Refusing", Refused, "not today"),
        ("Dying", Failed, "exit code 7"),
    ],
)
def test_a_process_that_goes_wrong_is_told(name, error, said):
    worker = Worker(entry("fake", f"tests.benchmarks.fakes:{name}"), threads=1)
    try:
        with pytest.raises(error, match=re.escape(said)):
            worker.prepare(POINT)
    finally:
        worker.close()


def test_a_process_answers_on_as_many_threads_as_it_is_given():
    worker = Worker(entry("fake"), threads=1)
    try:
        arrays = worker.prepare(POINT)
        assert arrays["y"].shape == (3, 2, 4)
        assert arrays["threads"] == 1
        assert 0 < worker.time(0.001) < 1
    finally:
        worker.close()


def test_each_class_of_a_name_has_a_process_of_its_own(monkeypatch):
    closed = []

    class Process:
        def __init__(self, entry, threads):
            self.source = entry.source

        def close(self):
            closed.append(self.source)

    monkeypatch.setattr(run, "Worker", Process)
    one, other, third = entry("fake", "a:A"), entry("fake", "b:B"), entry("third", "c:C")
    with run.field_of(threads=1) as field:
        assert [field.worker(each).source for each in (one, other, third)] == ["a:A", "b:B", "c:C"]
        assert field.worker(one) is field.worker(one)
        field.dismiss("fake")
        assert closed == ["a:A", "b:B"]
        field.dismiss("nobody")
    assert closed == ["a:A", "b:B", "c:C"]


def test_what_only_runs_models_loads_no_torch():
    live = [entry for entry in CONTENDERS if is_ours(entry.name) and entry.takes(Point("push", "lstm", 1, 1, 4, 5))]
    assert [entry.name for entry in live] == [OURS, *STORED]
    loads = "\n".join(f"import benchmarks.contenders{entry.source.split(':')[0]}" for entry in live)
    code = f"import sys, benchmarks.worker\n{loads}\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_lstm_takes_turns_with_other_cells():
    point = Point("cells", "gru", 2, 3, 4, 5)
    workers = {"ostinato": FakeWorker(ANSWER, seconds=0.003), "lstm": FakeWorker(ANSWER, seconds=0.002)}
    row = run_point(FakeField(workers), point, [entry("ostinato")], SETTINGS, METER, lambda line: None)
    assert list(row.timings) == ["ostinato"]
    assert workers["lstm"].timed == SETTINGS.rounds
    # Of an LSTM's four gates a GRU has three: at equal speed it would take three quarters of the time.
    assert row.cost == pytest.approx(3 / 2 / (3 / 4))


def test_a_cell_is_timed_without_an_lstm_that_fails():
    point = Point("cells", "gru", 2, 3, 4, 5)
    for lstm in (FakeWorker(Failed("lstm", "no luck")), FakeWorker(ANSWER, dies="lstm")):
        workers = {"ostinato": FakeWorker(ANSWER), "lstm": lstm}
        row = run_point(FakeField(workers), point, [entry("ostinato")], SETTINGS, METER, lambda line: None)
        assert list(row.timings) == ["ostinato"]
        assert row.cost is None
