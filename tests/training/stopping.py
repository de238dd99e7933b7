"""Stopping runs, in this process and as commands, and going on with them: what is left is what a whole run leaves."""

import os
import signal
from contextlib import contextmanager

import pytest

from ostinato import model_file
from ostinato.errors import Interrupted
from tests.cli.running import message_of, succeed
from tests.forked import forked


def content(path):
    """All that a model file holds, its tensors as bytes."""
    document, tensors = model_file.read(path)
    return document, {name: array.tobytes() for name, array in tensors.items()}


def stop_in(monkeypatch, batches, steps, number=signal.SIGTERM):
    """Raise a signal when the batches of some steps are made, once each. batches: the class that makes them."""
    original, waiting = batches.batch, set(steps)

    def batch(made, step):
        if step in waiting:
            waiting.remove(step)
            signal.raise_signal(number)
        return original(made, step)

    monkeypatch.setattr(batches, "batch", batch)


def until_done(fit, path):
    """Call ``fit(path, resume=…)`` as often as the run is stopped; return the model and the number of stops."""
    for stops in range(20):
        try:
            return fit(path, resume=path.exists()), stops
        except Interrupted:
            pass
    raise AssertionError("the run never ends")


# ---- commands


@contextmanager
def in_step(batches, step, number):
    """Within this a run is stopped by a signal when the batch of a step is made. batches: the class that makes it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        stop_in(monkeypatch, batches, {step}, number)
        yield


@contextmanager
def in_call(name, count, number):
    """Within this a run is stopped by a signal when it calls a function of `os` for the n-th time."""
    call, calls = getattr(os, name), []

    def signalling(*arguments):
        calls.append(arguments)
        if len(calls) == count:
            signal.raise_signal(number)
        return call(*arguments)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, name, signalling)
        yield


def assert_stops_change_nothing(capsys, command, batches, stops, model):
    """Run a command of 12 steps to its end, and stopped in some of them (by number and step): both leave one model.

    batches: the class that makes a step's batch. model: the file that the command writes; the whole run's is
    ``whole.safetensors``.
    """
    succeed(capsys, *command, "-o", "whole.safetensors")
    before, going_on = {*os.listdir()}, []
    for number, step in stops:
        ended = forked(*command, *going_on, within=in_step, given=(batches, step, number))
        assert ended.stdout == ""
        assert {*os.listdir()} == before | {f"{model}.checkpoint"}
        going_on = ["--resume"]
        if number == signal.SIGKILL:
            assert ended.returncode == -number
            continue
        assert ended.returncode == 128 + number, ended.stderr
        message, hint = message_of(ended.stderr)
        assert message == f"after step {step + 1} of 12, which is saved."
        assert hint == f"go on with: ostinato {' '.join(command)} --resume"
    shown = succeed(capsys, *command, "--resume")
    assert "going on after step" in shown.err
    assert content(model) == content("whole.safetensors")
    assert {*os.listdir()} == before | {model}
