"""The files of other libraries: ONNX, state dicts, and Keras's."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import numpy as np

from ostinato.errors import OstinatoError
from ostinato.exchange.formats import read_file
from ostinato.exchange.reading import read_foreign

from .common import file_of, stood, zipped
from .models import networks


def onnx(content: bytes) -> None:
    """Bytes that are taken for an ONNX file."""
    with file_of(content, ".onnx") as path, stood():
        read_file(path)


def onnx_files() -> list[bytes]:
    """Networks as ONNX files."""
    found = []
    for network in networks()[:2]:
        with file_of(b"", ".onnx") as path:
            network.export_onnx(path)
            found.append(path.read_bytes())
    return found


def torch(content: bytes) -> None:
    """Bytes that are taken for a state dict in a safetensors file."""
    with file_of(content, ".safetensors") as path, stood():
        read_file(path)
    with file_of(content, ".safetensors") as path, stood():
        read_file(path, "lstm linear")


def torch_files() -> list[bytes]:
    """State dicts in safetensors files."""
    import safetensors.numpy

    random = np.random.default_rng(0)
    sizes = {"rnn.weight_ih_l0": (8, 3), "rnn.weight_hh_l0": (8, 2), "rnn.bias_ih_l0": (8,), "rnn.bias_hh_l0": (8,)}
    sizes |= {"head.weight": (1, 2), "head.bias": (1,)}
    tensors = {name: random.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    halves = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    return [safetensors.numpy.save(tensors), safetensors.numpy.save(halves)]


def description(content: bytes) -> None:
    """Bytes that are taken for the description of a state dict."""
    with file_of(torch_files()[0], ".safetensors") as path, stood():
        read_file(path, content.decode(errors="replace"))


def descriptions() -> list[bytes]:
    """Descriptions, right and wrong."""
    return [b"lstm linear", b"lstm=rnn last linear=head softmax", b"rnn:relu norm:eps=1e-6 leaky_relu:0.2 linear"]


def keras_config(content: bytes) -> None:
    """Bytes that are taken for the configuration of a Keras model, whose weights are in order."""
    with zipfile.ZipFile(io.BytesIO(keras_files()[0])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with file_of(zipped(members | {"config.json": content}), ".keras") as path, stood():
        read_file(path)


def keras_configs() -> list[bytes]:
    """The configuration of a small Keras model."""
    with zipfile.ZipFile(io.BytesIO(keras_files()[0])) as archive:
        return [archive.read("config.json")]


@cache
def keras_files() -> list[bytes]:
    """A small Keras model as the two files that Keras writes."""
    import h5py

    random = np.random.default_rng(0)
    layers = [
        ("LSTM", "lstm", {"units": 2, "return_sequences": True}, "layers/lstm/cell/vars", [(3, 8), (2, 8), (8,)]),
        ("Dense", "dense", {"units": 1, "activation": "sigmoid"}, "layers/dense/vars", [(2, 1), (1,)]),
    ]
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for _, _, _, group, shapes in layers:
            for index, shape in enumerate(shapes):
                file.create_dataset(f"{group}/{index}", data=random.normal(size=shape).astype(np.float32))
    described = [
        {"module": "keras.layers", "class_name": kind, "config": {"name": name, "dtype": "float32", **options}}
        for kind, name, options, _, _ in layers
    ]
    begin = {"batch_shape": [None, None, 3], "dtype": "float32", "name": "input_layer"}
    described.insert(0, {"module": "keras.layers", "class_name": "InputLayer", "config": begin})
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "sequential", "layers": described}}
    members = {
        "metadata.json": json.dumps({"keras_version": "3.15.1"}).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": weights.getvalue(),
    }
    return [zipped(members), weights.getvalue()]


def child(suffix: str) -> Callable[[bytes], None]:
    """Return a target that reads a file as users do: in a process of its own, which may die."""

    def target(content: bytes) -> None:
        with file_of(content, suffix) as path, suppress(OstinatoError):
            read_foreign(path)

    return target


def torch_pickles() -> list[bytes]:
    """State dicts as torch writes them."""
    import torch as library

    tensors = {"rnn.weight_ih_l0": (8, 3), "rnn.weight_hh_l0": (8, 2), "rnn.bias_ih_l0": (8,), "rnn.bias_hh_l0": (8,)}
    content = io.BytesIO()
    library.save({name: library.ones(size) for name, size in tensors.items()}, content)
    return [content.getvalue()]
