"""The files of networks and language models, and the snapshots of their streams."""

from __future__ import annotations

import hashlib
from functools import cache

import msgspec
import numpy as np

import ostinato
from ostinato import cells, model_file
from ostinato.architecture import (
    ActivationArchitecture,
    LastArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    ParallelArchitecture,
    RecurrentArchitecture,
)
from ostinato.errors import OstinatoError

from .common import file_of, stood

MOST_WIDE = 4096
"""A model that reads more features than this is loaded, but not run."""

# ---- models to begin with


@cache
def networks() -> tuple[ostinato.Network, ...]:
    """Small networks of every kind of part."""
    both = ParallelArchitecture(
        [
            [RecurrentArchitecture(cells.gru, 2, 2), LastArchitecture(2)],
            [RecurrentArchitecture(cells.elman, 2, 2, reverse=True), LastArchitecture(2, reverse=True)],
        ]
    )
    plain = [
        RecurrentArchitecture(cells.lstm, 2, 3, 2, learned_initial_state=True),
        LinearArchitecture(3, 2),
        ActivationArchitecture(2, "elu", 0.5),
    ]
    made = []
    for parts in (plain, [both, LinearArchitecture(4, 2)]):
        architecture = ModelArchitecture(2, parts)
        random = np.random.default_rng(0)
        shapes = architecture.weight_shapes()
        made.append(
            ostinato.Network(architecture, {n: random.normal(size=s).astype(np.float32) for n, s in shapes.items()})
        )
    return (*made, made[0].stored_as("int8"), made[0].stored_as("bfloat16"))


def saved(network: ostinato.Network) -> bytes:
    """Return a network's file."""
    with file_of(b"", ".safetensors") as path:
        network.save(path)
        return path.read_bytes()


# ---- the model file


def files() -> list[bytes]:
    """The files of small networks."""
    return [saved(network) for network in networks()]


def model_file_as_it_is(content: bytes) -> None:
    """Bytes that are taken for a model file."""
    with file_of(content, ".safetensors") as path, stood():
        run(ostinato.load(path))


def model_file_with_digest(content: bytes) -> None:
    """Bytes that are taken for the document of a model file, whose tensors and digest are in order."""
    network = networks()[content[0] % 4 if content else 0]
    try:
        document = msgspec.json.decode(content[1:], type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    kind = document.pop("kind", "network")
    document.pop("format", None)
    if not isinstance(kind, str):
        return
    with file_of(b"", ".safetensors") as path, stood():
        try:
            model_file.write(path, kind, document, network.weights_)
        except (UnicodeError, ValueError):
            return
        run(ostinato.load(path))


def run(model: object) -> None:
    """Run what was loaded, where that is a small thing."""
    assert isinstance(model, ostinato.Network | ostinato.LanguageModel)
    architecture = model.as_chain()[0]
    if architecture.input_size > MOST_WIDE:
        return
    x = np.zeros((2, 1), np.int64) if architecture.embedding else np.zeros((2, 1, architecture.input_size))
    with np.errstate(all="ignore"):
        model.run(x)
        model.summary()


def documents() -> list[bytes]:
    """The documents of small networks."""
    found = []
    for index, network in enumerate(networks()):
        with file_of(saved(network), ".safetensors") as path:
            found.append(bytes([index]) + msgspec.json.encode(model_file.read(path)[0]))
    return found


# ---- the snapshot


def snapshot(content: bytes) -> None:
    """Bytes that are taken for a snapshot; and with the digest that they would need."""
    for whole in (content, content + hashlib.sha256(content).digest()):
        stream = networks()[0].stream()
        before = stream.snapshot()
        try:
            stream.restore(whole)
        except OstinatoError:
            assert stream.snapshot() == before, "what was refused has changed the stream"
        else:
            with np.errstate(all="ignore"):
                stream.push(np.zeros(2))


def snapshots() -> list[bytes]:
    """Snapshots, with their digest and without."""
    stream = networks()[0].stream()
    fresh = stream.snapshot()
    stream.push(np.ones(2))
    return [fresh, fresh[:-32], stream.snapshot(), stream.snapshot()[:-32]]
