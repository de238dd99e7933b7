"""What the tests of labelled sequences share: small files, refusals, and the one comparison of examples."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from ostinato.errors import DataError


def write(folder, content, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@contextmanager
def file_of(content, name):
    """Give a file for one example of a random test, for which pytest has no folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield write(Path(folder), content, name)


def refusal(call, *arguments, error=DataError, **keywords):
    """Return the message of an error, which is a line and a hint at most."""
    with pytest.raises(error) as caught:
        call(*arguments, **keywords)
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def fact(call, *arguments, **keywords):
    """Return the message without its hint."""
    return refusal(call, *arguments, **keywords).splitlines()[0]


def assert_same(left, right):
    """Compare what examples hold; where they came from and what was said of them may differ."""
    assert type(left) is type(right)
    for name in vars(right):
        if name in ("places", "remarks"):
            continue
        one, other = getattr(left, name), getattr(right, name)
        if isinstance(other, np.ndarray):
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, err_msg=name)
        else:
            assert one == other, name
    assert len(left.places) == len(left)
