"""The command over texts, stopped by real signals in the midst of training: going on gives equal bits."""

import signal

import polars as pl
import pytest

import ostinato
from ostinato.data.sequences import ByLength
from tests.small_labels import FLAGS, reviews
from tests.training.stopping import assert_stops_change_nothing

COMMAND = ["fit", "classify", "r.csv", "--threads", "1", *FLAGS, "--steps", "12"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "stops",
    [[(signal.SIGINT, 5)], [(signal.SIGTERM, 2), (signal.SIGINT, 8)], [(signal.SIGKILL, 7)]],
    ids=["once", "twice", "killed"],
)
def test_stopped_and_resumed_the_model_is_that_of_a_run_never_stopped(tmp_path, monkeypatch, capsys, stops):
    monkeypatch.chdir(tmp_path)
    texts, labels = reviews()
    pl.DataFrame({"text": texts, "label": labels}).write_csv("r.csv")
    assert_stops_change_nothing(capsys, COMMAND, ByLength, stops, "r.safetensors")
    one, other = (ostinato.load(name).predict_proba(texts) for name in ("r.safetensors", "whole.safetensors"))
    assert one.tobytes() == other.tobytes()
