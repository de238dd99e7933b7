"""The command over a text, stopped by real signals at any moment: what was saved loads, going on gives equal bits."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

import ostinato
from ostinato import model_file
from ostinato.data.streams import Streams
from tests.cli.running import process, succeed
from tests.forked import forked
from tests.small import FLAGS, TEXT
from tests.training.stopping import assert_stops_change_nothing, content, in_call, in_step

COMMAND = ["fit", "language", "text.txt", "--cell", "gru", "--threads", "1", *FLAGS]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


@pytest.mark.parametrize(
    "stops",
    [
        [(signal.SIGTERM, 2)],
        pytest.param([(signal.SIGTERM, 2), (signal.SIGINT, 8)], marks=pytest.mark.slow),
    ],
    ids=["once", "twice"],
)
def test_stopped_and_resumed_the_model_is_that_of_a_run_never_stopped(folder, capsys, stops):
    assert_stops_change_nothing(capsys, COMMAND, Streams, stops, "text.safetensors")


@pytest.mark.parametrize(
    ("within", "given", "saved"),
    [
        (in_call, ("fsync", 3), 0),  # the second checkpoint is written, and not yet synced
        pytest.param(in_call, ("replace", 2), 0, marks=pytest.mark.slow),  # it is synced, and has not yet its name
        pytest.param(in_step, (Streams, 7), 4, marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_moment_the_last_checkpoint_loads_and_goes_on_to_equal_bits(folder, capsys, within, given, saved):
    succeed(capsys, *COMMAND, "-o", "whole.safetensors")
    killed = forked(*COMMAND, within=within, given=(*given, signal.SIGKILL))
    assert killed.returncode == -signal.SIGKILL
    document, _ = model_file.read("text.safetensors.checkpoint")
    assert document["run"]["step"] == saved
    succeed(capsys, *COMMAND, "--resume")
    assert content("text.safetensors") == content("whole.safetensors")


@pytest.mark.slow
def test_a_signal_before_training_ends_the_command_at_once(folder):
    ended = forked(*COMMAND, within=in_call, given=("fsync", 1, signal.SIGTERM))
    assert ended.returncode == 143
    assert not (folder / "text.safetensors").exists()
    assert sorted(os.listdir(folder)) in (["text.txt"], ["text.safetensors.checkpoint", "text.txt"])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signals_from_outside_at_random_times(folder, number):
    """The clock chooses the moment here, so that it is another one each time, and a later one the oftener it stops: a
    busy machine too comes to an end.
    """
    command = [*COMMAND, "--steps", "600", "--evaluations", "30"]
    assert process(*command, "-o", "whole.safetensors").returncode == 0
    for stops in range(200):
        going_on = ["--resume"] if os.path.exists("text.safetensors.checkpoint") else []
        running = subprocess.Popen(
            [sys.executable, "-m", "ostinato", *command, *going_on], stderr=subprocess.PIPE, text=True
        )
        while going_on == [] and running.poll() is None and not os.path.exists("text.safetensors.checkpoint"):
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 7.0 + stops))
        running.send_signal(number)
        _, said = running.communicate(timeout=300)
        if os.path.exists("text.safetensors"):
            break
        assert running.returncode in (128 + number, -number), said
        model_file.read("text.safetensors.checkpoint")
    else:
        pytest.fail("the run never ends")
    assert content("text.safetensors") == content("whole.safetensors")
    assert ostinato.load("text.safetensors").generate("a", 5)
