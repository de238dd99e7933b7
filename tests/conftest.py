"""What all tests share: how they run, and a small model, trained once a session."""

import gc
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

from ostinato.tasks.language import LanguageModel
from tests.small import SIZES, TEXT

# Nothing here is about the clock or luck: a busy machine fails no test, nor does the day. To search further:
# pytest -m slow --hypothesis-profile=fresh
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("fresh", deadline=None)
settings.load_profile("same")

# The files of tests lie in memory where there is room: every model and checkpoint is synced twice, and that a disk is
# slow shows nothing. With PYTEST_DEBUG_TEMPROOT=/tmp they lie on the disk.
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# What is loaded and collected, a million objects, stays to the end; the garbage collector need not go through it again
# and again.
gc.disable()


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def small_model():
    """A GRU of two layers over characters, that has learned a little; not to be changed."""
    return LanguageModel(cell="gru", **SIZES).fit(TEXT, quiet=True)


@pytest.fixture(scope="session")
def small_file(small_model, tmp_path_factory):
    """The same, saved."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    small_model.save(path)
    return path
