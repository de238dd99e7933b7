"""What the tests of the forecaster share: small ones of every kind, and what is compared."""

import numpy as np
import polars as pl
import pytest

import ostinato
from ostinato import Forecaster
from tests.small_series import SIZES, times

ROLES = {
    "target": ("load", "wind"),
    "known": ("price",),
    "past": ("heat", "day"),
    "time_column": "when",
    "calendar": True,
}


def fitted(data, **options):
    return Forecaster(**(SIZES | options)).fit(data, quiet=True)


def refusal(error, call, *arguments, **options):
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    return caught.value.message, caught.value.hint


def ahead(rows=4, after=90):
    """Rows for the horizon: what is known of it."""
    return pl.DataFrame({"when": times(after + rows)[after:], "price": np.linspace(1, 5, rows)})


def weights(model):
    return {name: array.tobytes() for name, array in model.weights_.items()}


def assert_same_after_saving(model, folder, expected, *data):
    path = folder / "model"
    model.save(path)
    opened = ostinato.load(path)
    data = data or (model._data,)
    assert opened.predict(*data).equals(expected)
    for name in ("options_", "encoder_", "architecture_", "history_", "season_", "frequency_", "data_", "versions_"):
        assert getattr(opened, name) == getattr(model, name), name
    assert weights(opened) == weights(model)
