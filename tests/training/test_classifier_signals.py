"""The real command over texts, stopped by real signals in the midst of training: going on gives equal bits."""

import os
import signal

import polars as pl
import pytest

import ostinato
from ostinato import model_file
from tests.cli.running import message_of, process, succeed
from tests.small_labels import FLAGS, reviews

# Runs the command, and sends this process a signal when the batch of a step is made.
SCRIPT = """
import os, signal, sys
number, count = int(sys.argv[1]), int(sys.argv[2])
sys.argv[1:3] = []

from ostinato.data.sequences import ByLength
batch = ByLength.batch
def signalling(batches, step):
    if step == count:
        os.kill(os.getpid(), number)
    return batch(batches, step)
ByLength.batch = signalling

from ostinato.cli import main
main()
"""
COMMAND = ["fit", "classify", "r.csv", "--threads", "1", *FLAGS, "--steps", "12"]


def content(path):
    """All that a model file holds, its tensors as bytes."""
    document, tensors = model_file.read(path)
    return document, {name: array.tobytes() for name, array in tensors.items()}


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
    succeed(capsys, *COMMAND, "-o", "whole.safetensors")
    whole, going_on = content("whole.safetensors"), []
    for number, step in stops:
        ran = process(number, step, *COMMAND, *going_on, "-o", "r.safetensors", script=SCRIPT)
        assert ran.stdout == ""
        assert sorted(os.listdir()) == ["r.csv", "r.safetensors.checkpoint", "whole.safetensors"]
        going_on = ["--resume"]
        if number == signal.SIGKILL:
            assert ran.returncode == -number
            continue
        assert ran.returncode == 128 + number
        message, hint = message_of(ran.stderr)
        assert message == f"after step {step + 1} of 12, which is saved."
        assert "--resume" in hint.split()
    shown = succeed(capsys, *COMMAND, "--resume", "-o", "r.safetensors")
    assert "going on after step" in shown.err
    assert content("r.safetensors") == whole
    assert sorted(os.listdir()) == ["r.csv", "r.safetensors", "whole.safetensors"]
    one, other = (ostinato.load(name).predict_proba(texts) for name in ("r.safetensors", "whole.safetensors"))
    assert one.tobytes() == other.tobytes()
