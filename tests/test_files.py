"""A file is the old one or the new one, whatever fails and wherever the process ends."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ostinato import files, model_file
from ostinato.files import write_atomically
from tests import faults
from tests.faults import FAILURES, Disk, Killed, carelessly, each_fails
from tests.quick import some_quick

OPERATIONS = ["open", "write", "flush", "sync", "rename", "open folder", "sync"]
OLD, NEW = (
    ({"which": which}, {"weights": np.random.default_rng(which).normal(size=(37, 11)).astype(np.float32)})
    for which in (0, 1)
)


def write(path, what):
    model_file.write(path, "test", *what)


def is_one(path, what):
    document, tensors = model_file.read(path)
    return document["which"] == what[0]["which"] and tensors["weights"].tobytes() == what[1]["weights"].tobytes()


class Trial:
    """A new file is written over an old one, or where there is none, with each operation failing in turn."""

    def __init__(self, folder, had_old):
        self.folder, self.had_old = folder, had_old
        write(folder / "old", OLD)
        self.old = (folder / "old").read_bytes()

    def path(self, at):
        return self.folder / str(at) / "file"

    def act(self, at):
        path = self.path(at)
        path.parent.mkdir()
        if self.had_old:
            path.write_bytes(self.old)
        write(path, NEW)

    def check(self, at, error):
        path, is_new = self.path(at), at > OPERATIONS.index("rename") + 1
        if is_new or self.had_old:
            assert is_one(path, NEW if is_new else OLD)
        else:
            assert not path.exists()
        if isinstance(error, OSError):
            assert error.filename == str(path)
            assert str(error).endswith(f"'{path}'")
        if not isinstance(error, Killed):
            assert os.listdir(path.parent) == ["file"] * path.exists()
        write(path, NEW)
        assert is_one(path, NEW)
        assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("had_old", [True, False])
@pytest.mark.parametrize("failure", FAILURES)
def test_whatever_fails_there_is_the_old_file_or_the_new_one(tmp_path, failure, had_old):
    trial = Trial(tmp_path, had_old)
    assert each_fails(trial.act, trial.check, [failure]) == OPERATIONS


def too_soon(path, content):
    """Take the name before the content is there."""
    temporary = f"{path}.part"
    with vars(files).get("open", open)(temporary, "wb") as file:
        files.os.replace(temporary, path)
        file.write(content)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("writer", [carelessly, too_soon])
def test_the_check_finds_a_careless_writer(tmp_path, monkeypatch, writer, failure):
    monkeypatch.setattr(model_file, "write_atomically", writer)
    trial = Trial(tmp_path, had_old=True)
    with pytest.raises((AssertionError, model_file.FileFormatError)):
        each_fails(trial.act, trial.check, [failure])


def test_the_disk_fails_where_it_is_told_to_and_is_itself_again(tmp_path):
    with Disk(2, errno.EIO) as disk, pytest.raises(OSError, match="Input/output"):
        write_atomically(tmp_path / "file", b"content")
    assert disk.operations == OPERATIONS[:2]
    write_atomically(tmp_path / "file", b"content")
    assert (files.os, "open" in vars(files)) == (os, False)
    assert len(disk.operations) == 2


# ---- a process that really ends

ENDING = """
import sys
from ostinato.files import write_atomically
from tests.faults import Disk, leave
with Disk(int(sys.argv[1]), leave):
    write_atomically(sys.argv[2], b"new" * 10_000)
"""


@pytest.mark.parametrize("at", some_quick(range(1, len(OPERATIONS) + 2), [2, 5]))
def test_a_process_that_ends_anywhere_leaves_the_old_file_or_the_new_one(tmp_path, at):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    environment = os.environ | {"PYTHONPATH": str(Path(faults.__file__).parents[1])}
    ran = subprocess.run([sys.executable, "-c", ENDING, str(at), path], env=environment, check=False)
    assert ran.returncode == (137 if at <= len(OPERATIONS) else 0)
    assert path.read_bytes() == (b"old" if at <= OPERATIONS.index("rename") + 1 else b"new" * 10_000)
    # What it left half-written is taken away when the file is next written.
    assert len(os.listdir(tmp_path)) == (2 if 1 < at <= OPERATIONS.index("rename") + 1 else 1)
    write_atomically(path, b"newer")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "name", [".file.1.part", ".file.part", ".file.x.part", ".other.4194304.part", "file.4194304.part"]
)
def test_what_is_not_a_dead_writers_is_left_alone(tmp_path, name):
    """The process 1 always runs."""
    (tmp_path / name).write_bytes(b"dear to me")
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / name).read_bytes() == b"dear to me"


def test_what_a_dead_writer_left_is_taken_away(tmp_path):
    (tmp_path / ".file.4194304.part").write_bytes(b"half")  # beyond the largest number that Linux gives
    (tmp_path / f".file.{10**30}.part").write_bytes(b"of nobody knows whom")
    write_atomically(tmp_path / "file", b"content")
    assert sorted(os.listdir(tmp_path)) == [f".file.{10**30}.part", "file"]
