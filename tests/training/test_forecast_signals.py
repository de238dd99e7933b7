"""The command over a table, stopped by real signals in the midst of training: going on gives equal bits."""

import signal

import polars as pl
import pytest

import ostinato
from ostinato.data.windows import Shuffled
from tests.small_series import FLAGS, load
from tests.training.stopping import assert_stops_change_nothing

COMMAND = ["fit", "forecast", "load.csv", "--target", "load,wind", "--time-column", "when", "--threads", "1", *FLAGS]
COMMAND += ["--steps", "12"]


@pytest.mark.parametrize(
    "stops",
    [
        [(signal.SIGINT, 5)],
        pytest.param([(signal.SIGTERM, 2), (signal.SIGINT, 8)], marks=pytest.mark.slow),
        pytest.param([(signal.SIGKILL, 7)], marks=pytest.mark.slow),
    ],
    ids=["once", "twice", "killed"],
)
def test_stopped_and_resumed_the_model_is_that_of_a_run_never_stopped(tmp_path, monkeypatch, capsys, stops):
    monkeypatch.chdir(tmp_path)
    pl.DataFrame(load()).write_csv("load.csv")
    assert_stops_change_nothing(capsys, COMMAND, Shuffled, stops, "load.safetensors")
    one, other = (ostinato.load(name).predict("load.csv") for name in ("load.safetensors", "whole.safetensors"))
    assert one.equals(other)
