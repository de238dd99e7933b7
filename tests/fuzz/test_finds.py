"""Every file that a target once could not stand, and those that the fuzzer begins with."""

import pytest

from .targets import FINDS, TARGETS

FILES = [(path.parent.name, path) for path in sorted(FINDS.glob("*/*"))]


@pytest.mark.parametrize(("name", "path"), FILES, ids=lambda part: getattr(part, "name", part))
def test_what_was_found_is_stood(name, path):
    TARGETS[name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_fuzzer_begins_with_is_stood(name):
    for seed in TARGETS[name].seeds()[: 1 if TARGETS[name].in_child else None]:
        TARGETS[name].run(seed)


def test_an_error_that_is_not_ours_is_a_find(monkeypatch):
    import ostinato

    monkeypatch.setattr(ostinato.model_file, "_metadata", lambda *given: {}["no such key"])
    with pytest.raises(KeyError):
        TARGETS["model_file"].run(b"anything")
