"""Whatever fails on the disk, at every operation in turn: a checkpoint stays that goes on to equal bits."""

import errno
import os
from pathlib import Path

import polars as pl
import pytest

from ostinato import Forecaster, LanguageModel, model_file
from ostinato.errors import FileFormatError, TrainingError
from tests import small, small_series
from tests.faults import FAILURES, Disk, Killed, carelessly, each_fails, leave
from tests.forked import forked
from tests.training.stopping import content

TEXT = small.TEXT[:1500]
SERIES = pl.DataFrame(small_series.load())
SHORT = {"steps": 3, "evaluations": 2, "checkpoint_every": 1e-9}
"""Checkpoints after steps 0, 1, 2 and 3; those after 2 and 3 follow evaluations."""
A_FILE = ["open", "write", "flush", "sync", "rename", "open folder", "sync"]


def language(path, resume):
    model = LanguageModel("gru", **(small.SIZES | {"num_layers": 1} | SHORT))
    return model.fit(TEXT, checkpoint=path, resume=resume, quiet=True)


def forecast(path, resume):
    model = Forecaster(**(small_series.SIZES | {"target": ("load",)} | SHORT))
    return model.fit(SERIES, checkpoint=path, resume=resume, quiet=True)


class Trial:
    """A training that keeps a checkpoint and saves its model, each in a folder of its own."""

    def __init__(self, fit, folder):
        self.fit, self.folder = fit, folder
        self.whole = content(self.run("whole"))

    def run(self, name):
        folder = self.folder / str(name)
        folder.mkdir(exist_ok=True)
        kept, model = folder / "kept", folder / "model"
        self.fit(kept, resume=kept.exists()).save(model)
        return model

    def check(self, at, error):
        folder = self.folder / str(at)
        # Files that were in place when the operation failed: checkpoints, and at last the model. What fails after a
        # file's rename is no reason to stop.
        done = (at - 1) // len(A_FILE) + ((at - 1) % len(A_FILE) > A_FILE.index("rename"))
        done = 5 if error is None else done
        if done:
            document, _ = model_file.read(folder / "kept")
            assert document["run"]["step"] == min(done, 4) - 1
        assert [(folder / name).exists() for name in ("kept", "model")] == [done > 0, done > 4]
        if not isinstance(error, Killed):
            assert {path.name for path in folder.iterdir()} <= {"kept", "model"}
        if isinstance(error, TrainingError):
            assert f"the checkpoint {folder / 'kept'} cannot be written: " in error.message
            assert f"the run is kept as it was after step {done - 1}." in error.hint
        assert content(self.run(at)) == self.whole
        assert {path.name for path in folder.iterdir()} == {"kept", "model"}


@pytest.mark.parametrize("failures", [FAILURES, *(pytest.param([each], marks=pytest.mark.slow) for each in FAILURES)])
@pytest.mark.parametrize("fit", [language, pytest.param(forecast, marks=pytest.mark.slow)])
def test_whatever_fails_the_run_goes_on_to_the_same_model(tmp_path, fit, failures):
    trial = Trial(fit, tmp_path)
    assert each_fails(trial.run, trial.check, failures) == 5 * A_FILE


def test_the_check_finds_a_careless_writer(tmp_path, monkeypatch):
    trial = Trial(language, tmp_path)
    monkeypatch.setattr(model_file, "write_atomically", carelessly)
    with pytest.raises((AssertionError, FileFormatError)):
        each_fails(trial.run, trial.check)


@pytest.mark.parametrize(
    ("failure", "reason", "first"),
    [
        (errno.ENOSPC, "no space left on device", "free some space"),
        (errno.EIO, "input/output error", "see to it that the file can be written"),
    ],
)
def test_a_checkpoint_that_fails_amid_training_is_told_with_what_to_do(tmp_path, failure, reason, first):
    path = tmp_path / "kept"
    with Disk(len(A_FILE) + 2, failure), pytest.raises(TrainingError) as caught:
        language(path, resume=False)
    assert str(caught.value) == (
        f"the checkpoint {path} cannot be written: {reason}.\n"
        f"  hint: {first}, then go on with --resume: the run is kept as it was after step 0."
    )
    assert os.listdir(tmp_path) == ["kept"]


def test_a_first_checkpoint_that_fails_is_an_error_of_the_system(tmp_path):
    with Disk(2), pytest.raises(OSError, match="No space left") as caught:
        language(tmp_path / "kept", resume=False)
    assert caught.value.filename == str(tmp_path / "kept")
    assert os.listdir(tmp_path) == []


# ---- a process that really ends

FLAGS = [*small.FLAGS, "--steps", "3", "--evaluations", "2", "--checkpoint-every", "0.000001", "--threads", "1"]


@pytest.mark.slow
def test_a_command_that_ends_anywhere_goes_on_to_the_same_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT)
    command = ["fit", "language", "text.txt", "--cell", "gru", "-q", *FLAGS]
    assert forked(*command).returncode == 0
    model, kept = Path("text.safetensors"), Path("text.safetensors.checkpoint")
    whole = content(model)
    for at in range(1, 5 * len(A_FILE) + 2):
        model.unlink()
        ended = forked(*command, within=Disk, given=(at, leave)).returncode
        if at > 5 * len(A_FILE):
            assert ended == 0
            break
        assert ended == 137
        ran = forked(*command, *(["--resume"] if kept.exists() else []))
        assert ran.returncode == 0, ran.stderr
        assert content(model) == whole
        assert sorted(os.listdir()) == ["text.safetensors", "text.txt"]
