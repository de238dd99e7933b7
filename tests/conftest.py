"""What several tests share: a small model, trained once a session."""

import pytest
from hypothesis import settings

from ostinato.tasks.language import LanguageModel
from tests.small import SIZES, TEXT

# Nothing here is about the clock: a busy machine fails no test.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


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
