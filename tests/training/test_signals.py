"""The real command, stopped by real signals at any moment: what was saved loads, and going on gives equal bits."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

import ostinato
from ostinato import model_file
from tests.cli.running import message_of, process, succeed
from tests.small import FLAGS, TEXT

# Runs the command, and sends this process a signal at a chosen moment: in a step, or when the checkpoint is
# written for the n-th time, in the midst of it.
SCRIPT = """
import os, signal, sys
number, moment, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.argv[1:4] = []

if moment == "step":
    from ostinato.data.streams import Streams
    batch = Streams.batch
    def signalling(streams, step):
        if step == count:
            os.kill(os.getpid(), number)
        return batch(streams, step)
    Streams.batch = signalling
else:
    call, calls = getattr(os, moment), []
    def signalling(*arguments):
        calls.append(arguments)
        if len(calls) == count:
            os.kill(os.getpid(), number)
        return call(*arguments)
    setattr(os, moment, signalling)

from ostinato.cli import main
main()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


COMMAND = ["fit", "language", "text.txt", "--cell", "gru", "--threads", "1", *FLAGS]


def weights(path):
    """The weights in a model file, as bytes, and its history."""
    document, tensors = model_file.read(path)
    return {name: array.tobytes() for name, array in tensors.items()}, document["history"], document["metrics"]


@pytest.fixture
def unstopped(folder, capsys):
    """What a run that is never stopped leaves."""
    succeed(capsys, *COMMAND, "-o", "unstopped.safetensors")
    found = weights("unstopped.safetensors")
    os.remove("unstopped.safetensors")
    return found


def stopped(number, moment, count, *more):
    return process(number, moment, count, *COMMAND, *more, script=SCRIPT)


@pytest.mark.parametrize(
    "stops",
    [
        [(signal.SIGTERM, 2)],
        pytest.param([(signal.SIGTERM, 2), (signal.SIGINT, 8)], marks=pytest.mark.slow),
    ],
    ids=["once", "twice"],
)
def test_stopped_and_resumed_the_weights_are_those_of_a_run_never_stopped(folder, unstopped, capsys, stops):
    going_on = []
    for number, step in stops:
        ran = stopped(number, "step", step, *going_on)
        assert ran.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
        message, hint = message_of(ran.stderr)
        assert message == f"after step {step + 1} of 12, which is saved."
        assert hint == f"go on with: ostinato {' '.join(COMMAND)} --resume"
        assert ran.stdout == ""
        assert sorted(os.listdir(folder)) == ["text.safetensors.checkpoint", "text.txt"]
        going_on = ["--resume"]
    succeed(capsys, *COMMAND, "--resume")
    assert weights("text.safetensors") == unstopped
    assert sorted(os.listdir(folder)) == ["text.safetensors", "text.txt"]


@pytest.mark.parametrize(
    ("moment", "count"),
    [
        ("fsync", 3),  # the second checkpoint is written, and not yet synced
        pytest.param("replace", 2, marks=pytest.mark.slow),  # it is synced, and has not yet taken its name
        pytest.param("step", 7, marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_moment_the_last_checkpoint_loads_and_goes_on_to_equal_bits(
    folder, unstopped, capsys, moment, count
):
    killed = stopped(signal.SIGKILL, moment, count)
    assert killed.returncode == -signal.SIGKILL
    document, _ = model_file.read("text.safetensors.checkpoint")
    assert document["run"]["step"] == (4 if moment == "step" else 0)
    succeed(capsys, *COMMAND, "--resume")
    assert weights("text.safetensors") == unstopped


@pytest.mark.slow
def test_a_signal_before_training_ends_the_command_at_once(folder):
    ended = stopped(signal.SIGTERM, "fsync", 1)
    assert ended.returncode == 143
    assert not (folder / "text.safetensors").exists()
    assert sorted(os.listdir(folder)) in (["text.txt"], ["text.safetensors.checkpoint", "text.txt"])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signals_from_outside_at_random_times(folder, number):
    """The clock chooses the moment here, so that it is another one each time."""
    command = [*COMMAND, "--steps", "600", "--evaluations", "30"]
    assert process(*command, "-o", "whole.safetensors").returncode == 0
    for _ in range(200):
        going_on = ["--resume"] if os.path.exists("text.safetensors.checkpoint") else []
        running = subprocess.Popen(
            [sys.executable, "-m", "ostinato", *command, *going_on], stderr=subprocess.PIPE, text=True
        )
        while going_on == [] and running.poll() is None and not os.path.exists("text.safetensors.checkpoint"):
            time.sleep(0.01)
        time.sleep(random.uniform(0.0, 7.0))
        running.send_signal(number)
        _, said = running.communicate(timeout=300)
        if os.path.exists("text.safetensors"):
            break
        assert running.returncode in (128 + number, -number), said
        model_file.read("text.safetensors.checkpoint")
    else:
        pytest.fail("the run never ends")
    assert weights("text.safetensors") == weights("whole.safetensors")
    assert ostinato.load("text.safetensors").generate("a", 5)
