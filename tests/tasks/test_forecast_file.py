"""A forecaster's file: it comes back as it was, and damage is refused."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

import ostinato
from ostinato import model_file
from ostinato.errors import DataError, FileFormatError
from tests.small import PEEPHOLE
from tests.small_series import load, shops
from tests.tasks.forecasters import ahead, assert_same_after_saving, fitted, refusal, weights


def test_a_saved_forecaster_is_the_same(wide, many, tmp_path):
    assert_same_after_saving(wide, tmp_path, wide.predict(future=ahead()), pl.DataFrame(load()), ahead())
    assert_same_after_saving(many, tmp_path, many.predict())
    with pytest.raises(AssertionError):
        assert_same_after_saving(many, tmp_path, many.predict(pl.DataFrame(shops(seed=8))))
    opened = ostinato.load(tmp_path / "model")
    assert opened.evaluate(pl.DataFrame(shops())) == many.evaluate()
    assert refusal(DataError, opened.predict)[0] == "there are no series to predict from."
    assert refusal(DataError, opened.evaluate)[0] == "there are no series to evaluate from."


def test_a_forecaster_that_was_opened_can_be_saved_cloned_and_fitted_again(many, tmp_path):
    many.save(tmp_path / "model")
    opened = ostinato.load(tmp_path / "model")
    opened.save(tmp_path / "again")
    assert model_file.read(tmp_path / "again")[0] == model_file.read(tmp_path / "model")[0]
    assert weights(clone(opened).fit(pl.DataFrame(shops()), quiet=True)) == weights(many)


def test_a_cell_of_ones_own_travels_in_the_file(tmp_path):
    model = fitted(np.arange(60.0) % 7, cell=PEEPHOLE)
    model.save(tmp_path / "model")
    opened = ostinato.load(tmp_path / "model")
    assert opened.architecture_.cell == PEEPHOLE
    assert np.array_equal(opened.predict(np.arange(60.0) % 7), model.predict())


def test_opening_and_using_a_forecaster_loads_no_torch(tmp_path):
    fitted(np.arange(60.0) % 7).save(tmp_path / "model")
    code = f"""
import sys, numpy as np, ostinato
model = ostinato.load({str(tmp_path / "model")!r})
model.predict(np.arange(30.0)); model.evaluate(np.arange(60.0))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def file(wide, tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "wide"
    wide.save(path)
    return path


def changed(document, *place, to):
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = to


DAMAGE = [
    *((("architecture", name), 2**31 - 1) for name in ("hidden_size", "num_layers", "lookback", "horizon", "segment")),
    *((("architecture", name), 1) for name in ("channels", "outputs", "past_size", "future_size")),
    (("architecture", "middle"), 0),
    *((("architecture", name), "no") for name in ("channels", "masked", "further")),
    *((("options", name), None) for name in ("horizon", "lookback", "segment")),
    (("options", "quantiles"), [0.1, 0.9]),
    (("options", "quantiles"), [0.1, 0.3, 0.5]),
    (("share",), [0.5]),
    (("share",), [0.5, 7.0]),
    (("season",), 0),
    (("history",), []),
    (("history",), [{"valid": 1.0}]),
    (("history",), [{"step": 0}]),
    (("history",), [{"step": 2.5}]),
    (("season",), 10**12),
    (("frequency", "count"), 0),
    (("frequency", "unit"), "eon"),
    (("encoder", "means"), [1.0]),
    (("encoder", "deviations"), [0.0, 1.0]),
    (("encoder", "deviations"), [-1.0, 1.0]),
    (("encoder", "past", 0, "deviation"), 0.0),
    (("encoder", "past", 0, "name"), "other"),
    (("encoder", "past"), []),
    (("encoder", "calendar"), []),
    (("encoder", "roles", "targets"), ["load"]),
    (("linear_shared",), True),
    (("cell",), {}),
]


@pytest.mark.parametrize(("place", "to"), DAMAGE, ids=str)
def test_a_document_that_is_wrong_is_refused(file, tmp_path, place, to):
    document, tensors = model_file.read(file)
    changed(document, *place, to=to)
    kind = document.pop("kind")
    model_file.write(tmp_path / "model", kind, {k: v for k, v in document.items() if k != "format"}, tensors)
    message, _ = refusal(FileFormatError, ostinato.load, tmp_path / "model")
    assert "\n" not in message


def test_the_damage_is_what_is_refused(file, tmp_path):
    document, tensors = model_file.read(file)
    kind = document.pop("kind")
    model_file.write(tmp_path / "model", kind, {k: v for k, v in document.items() if k != "format"}, tensors)
    assert ostinato.load(tmp_path / "model").horizon_ == 4


@pytest.mark.parametrize("name", ["network.place", "network.input.weight", "linear.matrices", "linear.residuals"])
def test_tensors_that_do_not_fit_are_refused(file, tmp_path, name):
    document, tensors = model_file.read(file)
    kind = document.pop("kind")
    rest = {k: v for k, v in document.items() if k != "format"}
    infinite = np.array(tensors[name])
    infinite.ravel()[0] = np.inf
    for tensor in (None, tensors[name][..., :-1], tensors[name].astype(np.float64), tensors[name][None], infinite):
        spoilt = tensors | {name: tensor} if tensor is not None else {k: v for k, v in tensors.items() if k != name}
        model_file.write(tmp_path / "model", kind, rest, spoilt)
        refusal(FileFormatError, ostinato.load, tmp_path / "model")
    model_file.write(tmp_path / "model", kind, rest, tensors | {"more": np.zeros(1, np.float32)})
    refusal(FileFormatError, ostinato.load, tmp_path / "model")


@pytest.fixture(scope="module")
def stepwise(tmp_path_factory):
    """A file whose tensors do not say how far it looks back and ahead."""
    path = tmp_path_factory.mktemp("stepwise") / "model"
    fitted(np.arange(60.0) % 7, decoder="stepwise", linear="never", segment=3).save(path)
    return path


def with_size(path, name, value, new):
    """Write a file as it was, but for one size, which all of its document agrees upon; and without its ranks."""
    document, tensors = model_file.read(path)
    tensors.pop("ranks", None)
    for part in ("options", "architecture"):
        changed(document, part, name, to=value)
    kind = document.pop("kind")
    model_file.write(new, kind, {k: v for k, v in document.items() if k != "format"}, tensors)
    return new


@pytest.mark.parametrize("name", ["lookback", "horizon"])
@pytest.mark.parametrize("value", [3 * 2**20, 3 * 2**24, 3 * 2**29])
def test_a_size_that_would_take_gigabytes_is_refused(stepwise, tmp_path, name, value):
    message, _ = refusal(FileFormatError, ostinato.load, with_size(stepwise, name, value, tmp_path / "model"))
    assert "at most 33,554,432 in 1,048,576 are allowed" in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["lookback", "horizon"])
def test_a_size_that_is_merely_large_is_not(stepwise, tmp_path, name):
    model = ostinato.load(with_size(stepwise, name, 3000, tmp_path / "model"))
    found = model.predict(np.arange(60.0) % 7)
    assert found.shape == (3000 if name == "horizon" else 4, 3)
    assert np.isfinite(found).all()


def test_a_season_longer_than_any_series_takes_no_memory(wide):
    """As long as a document, or a person, may say."""
    found = wide.evaluate(season=2**31 - 1, windows=2).baselines
    assert found["seasonal naive"]["mse"] == found["persistence"]["mse"]


def test_flipped_bits_and_truncations_are_refused(file, tmp_path):
    content, path = file.read_bytes(), tmp_path / "model"
    random = np.random.default_rng(0)
    for place in random.integers(0, len(content), 30):
        path.write_bytes(content[:place])
        refusal(FileFormatError, ostinato.load, path)
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        refusal(FileFormatError, ostinato.load, path)
