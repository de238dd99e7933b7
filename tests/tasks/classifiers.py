"""What the tests of the classifier share: small ones of every kind, and what is compared."""

import numpy as np
import pytest

import ostinato
from ostinato import Classifier
from tests.small_labels import SIZES


def fitted(data, labels=None, *, valid=None, **options):
    return Classifier(**(SIZES | options)).fit(data, labels, valid, quiet=True)


def refusal(error, call, *arguments, **options):
    """Return message and hint of an error, each of which is one line."""
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    assert "\n" not in caught.value.message + (caught.value.hint or "")
    return caught.value.message, caught.value.hint


def tensors(model):
    """All numbers that a classifier learned, as bytes by name."""
    own = {f"network.{name}": array.tobytes() for name, array in model.weights_.items()}
    if model.linear_ is not None:
        own |= {f"linear.{name}": array.tobytes() for name, array in model.linear_.tensors().items()}
    return own


def assert_same(one, other, data):
    """Compare two classifiers, and what they say of data, bit for bit."""
    names = ("options_", "encoder_", "architecture_", "mixture_", "history_", "metrics_", "data_", "versions_")
    for name in names:
        assert getattr(one, name) == getattr(other, name), name
    assert np.array_equal(one.classes_, other.classes_)
    assert tensors(one) == tensors(other)
    assert one.predict_proba(data).tobytes() == other.predict_proba(data).tobytes()


def assert_same_after_saving(model, folder, data):
    model.save(folder / "model")
    opened = ostinato.load(folder / "model")
    assert_same(opened, model, data)
    assert opened.predict(data).tolist() == model.predict(data).tolist()
    return opened
