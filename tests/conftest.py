"""What several tests share: a small model, trained once a session."""

import pytest
from hypothesis import settings

from ostinato.tasks.language import LanguageModel
from tests.small import SIZES, TEXT

# Nothing here is about the clock or luck: a busy machine fails no test, nor does the day. To search further:
# pytest -m slow --hypothesis-profile=fresh
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("fresh", deadline=None)
settings.load_profile("same")


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
