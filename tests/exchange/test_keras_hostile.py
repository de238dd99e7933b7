"""Files that are damaged, wrong, of other versions or other kinds are refused; Keras is not imported."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from ostinato.errors import DataError, FileFormatError
from ostinato.exchange.from_keras.reader import read_keras
from tests.exchange.keras_models import KERAS, D, H, functional, h5py, layers, sequential

pytestmark = KERAS


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a `.keras` file, its config, and its weights' file."""
    path = tmp_path_factory.mktemp("whole") / "m.keras"
    sequential(layers.LSTM(H), layers.Dense(2)).save(path)
    with zipfile.ZipFile(path) as archive:
        return path.read_bytes(), json.loads(archive.read("config.json")), archive.read("model.weights.h5")


def packed(path, config, weights, compression=zipfile.ZIP_STORED, metadata="{}"):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        archive.writestr("model.weights.h5", weights)
        archive.writestr("metadata.json", metadata)
    return path


def error_of(path):
    with pytest.raises((FileFormatError, DataError)) as caught:
        read_keras(path)
    return caught.value.message


def test_a_file_that_ends_early_is_refused(whole, tmp_path):
    content, config, weights = whole
    for size in [*range(0, 60, 7), *range(60, len(content), 997)]:
        (tmp_path / "cut.keras").write_bytes(content[:size])
        error_of(tmp_path / "cut.keras")
    for size in range(2000, len(weights), 997):
        error_of(packed(tmp_path / "cut.keras", config, weights[:size]))


def changed(config, *place, value):
    config = json.loads(json.dumps(config))
    here = config
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = value
    return config


def test_a_config_that_is_none_is_refused(whole, tmp_path):
    _, config, weights = whole
    lstm = ("config", "layers", 1, "config")
    for wrong in [
        b"{",
        b"[" * 100_000,
        [],
        {},
        changed(config, "class_name", value="Mine"),
        changed(config, "class_name", value=3),
        changed(config, "config", "layers", value=None),
        changed(config, "config", "layers", value=[3]),
        changed(config, "config", "layers", value=[]),
        changed(config, *lstm, "units", value=6),
        changed(config, *lstm, "units", value=-1),
        changed(config, *lstm, "units", value=2**62),
        changed(config, *lstm, "units", value="5"),
        changed(config, *lstm, "activation", value={"class_name": []}),
        changed(config, *lstm, "activation", value=7),
        changed(config, *lstm, "use_bias", value=False),
        changed(config, "config", "layers", 2, "config", "units", value=3),
        changed(config, "config", "layers", 2, "class_name", value="Embedding"),
        changed(config, "config", "layers", 2, "name", value="other"),
        changed(config, "config", "layers", value=config["config"]["layers"] * 2),
        changed(config, "config", "layers", value=config["config"]["layers"][:2]),
    ]:
        error_of(packed(tmp_path / "wrong.keras", wrong, weights))
    deep = []
    for _ in range(900):
        deep = [deep]
    error_of(packed(tmp_path / "wrong.keras", changed(config, *lstm, "cells", value=deep), weights))
    nested = config
    for _ in range(60):
        nested = changed(config, "config", "layers", value=[nested])
    assert "at most 8 deep" in error_of(packed(tmp_path / "wrong.keras", nested, weights))


def test_a_functional_config_that_is_none_is_refused(tmp_path):
    functional(lambda x: layers.Dense(2)(layers.LSTM(H)(x))).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config, weights = json.loads(archive.read("config.json")), archive.read("model.weights.h5")
    history = ("config", "layers", 1, "inbound_nodes", 0, "args", 0, "config", "keras_history")
    own = config["config"]["layers"][1]["name"]
    for wrong in [
        changed(config, "config", "output_layers", value=[]),
        changed(config, "config", "output_layers", value="dense"),
        changed(config, "config", "output_layers", value=["nobody", 0, 0]),
        changed(config, *history, value=["nobody", 0, 0]),
        changed(config, *history, value=[own, 0, 0]),
        changed(config, *history, value=3),
        changed(config, "config", "layers", 1, "inbound_nodes", value=[[["lstm", 0, 0, {}]]]),
    ]:
        error_of(packed(tmp_path / "wrong.keras", wrong, weights))


def edited(weights, edit):
    """Return an HDF5 file's bytes after a function has changed the open file."""
    memory = io.BytesIO(weights)
    with h5py.File(memory, "a") as file:
        edit(file)
    return memory.getvalue()


KERNEL = "layers/lstm/cell/vars/0"


def replace(file, **how):
    del file[KERNEL]
    file.create_dataset(KERNEL, **how)


def link(file, to):
    del file[KERNEL]
    file[KERNEL] = to


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda file: file.pop("layers"), "has 0 variables, where 3 were expected"),
        (lambda file: file.pop(KERNEL), "has 2 variables, where 3 were expected"),
        (lambda file: file.create_dataset("layers/lstm/cell/vars/3", data=[1.0]), "has 4 variables"),
        (
            lambda file: file.create_dataset("layers/gru/cell/vars/0", data=[1.0]),
            "variables that no layer of its config",
        ),
        (lambda file: replace(file, data=np.zeros((D, 19), "f")), "should have shape [any, 20], but has [4, 19]"),
        (lambda file: replace(file, data=np.zeros(3, "f")), "should have shape"),
        (lambda file: replace(file, data=np.zeros((0, 20), "f")), "nothing in it"),
        (lambda file: replace(file, data=np.zeros((D, 20), int)), "no floating-point numbers"),
        (lambda file: replace(file, data=[["a"] * 20] * D), "no floating-point numbers"),
        (lambda file: replace(file, data=np.full((D, 20), np.nan, "f")), "not finite"),
        (lambda file: replace(file, shape=(2**40, 20), dtype="f4", chunks=(1, 20)), "larger than the file can account"),
        (lambda file: link(file, h5py.ExternalLink("/etc/passwd", "/x")), "no array of this file"),
        (lambda file: link(file, h5py.SoftLink("/layers/lstm/cell/vars/1")), "no array of this file"),
        (lambda file: link(file, file["layers"]), "no array of this file"),
        (lambda file: file["layers/lstm/vars"].attrs.modify("name", "other"), "are those of other"),
    ],
)
def test_variables_that_are_not_those_of_the_config_are_refused(whole, tmp_path, edit, said):
    _, config, weights = whole
    assert said in error_of(packed(tmp_path / "wrong.keras", config, edited(weights, edit)))


def test_what_would_come_to_too_much_is_refused(whole, tmp_path):
    _, config, weights = whole
    zeros = bytes(2**24)
    assert "would come to" in error_of(packed(tmp_path / "bomb.keras", config, weights + zeros, zipfile.ZIP_DEFLATED))

    def huge(file):
        del file["layers"]
        file.create_dataset("layers/dense/vars/0", shape=(2**20, 2**20), dtype="f4", chunks=(64, 64))

    (tmp_path / "huge.weights.h5").write_bytes(edited(weights, huge))
    assert "larger than the file can account for" in error_of(tmp_path / "huge.weights.h5")


def test_files_of_other_versions_are_told(whole, tmp_path):
    _, config, weights = whole
    for version, said in [
        ("2.15.0", "written by Keras 2.15.0"),
        ("10.1", "by Keras 10.1"),
        (3, "not what Keras writes"),
    ]:
        path = packed(tmp_path / "m.keras", config, weights, metadata=json.dumps({"keras_version": version}))
        assert said in error_of(path)


def test_files_of_other_kinds_are_told(tmp_path):
    model = sequential(layers.Dense(2))
    model.save(tmp_path / "old.h5")
    with pytest.raises(FileFormatError, match="older HDF5 format") as caught:
        read_keras(tmp_path / "old.h5")
    assert "model.keras" in caught.value.hint
    (tmp_path / "text.keras").write_text("no archive")
    assert "its archive cannot be read" in error_of(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("other.txt", "x")
    assert "holds no config.json" in error_of(tmp_path / "other.keras")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_keras(tmp_path / "missing.keras")


def test_keras_is_not_imported(whole, tmp_path):
    (tmp_path / "m.keras").write_bytes(whole[0])
    script = """
import sys
from ostinato.exchange.from_keras.reader import read_keras
print(len(read_keras(sys.argv[1]).weights))
assert not {"keras", "torch", "tensorflow"} & set(sys.modules)
"""
    found = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "m.keras"], capture_output=True, text=True, check=True
    )
    assert found.stdout == "5\n"
