"""A classifier of reviews from text on disk to test accuracy, of one contender: what it takes, as JSON.

    PYTHON -m benchmarks.classification_peers FOLDER --contender torch-packed --setting '{"kind": "gru"}'

FOLDER has train.tsv.xz, valid.tsv.xz and test.tsv.xz, as `python -m benchmarks.classification` writes them, which also
starts this. PYTHON is that of an environment with the contender's library.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .classification_script import Array, Encoded, Setting, Vocabulary, read, words_of

LIBRARIES = ("ostinato", "torch", "keras", "jax", "tensorflow", "tensorflow-cpu", "scikit-learn", "numpy")


class Phases(NamedTuple):
    """What a run from text on disk to test accuracy takes.

    before, training, testing: seconds to the first step of training, of training with a look at the held-out texts
    after each epoch, and from the test file to the accuracy. weights: how many the network has.
    """

    before: float
    training: float
    testing: float
    accuracy: float
    weights: int


class Learner(Protocol):
    """A classifier of another library."""

    @property
    def weights(self) -> int:
        """How many weights there are."""
        ...

    def fit(self, train: Encoded, valid: Encoded) -> None:
        """Learn from texts, and keep the weights of the epoch that held-out texts were told apart best after."""
        ...

    def predict(self, rows: list[Array]) -> Array:
        """Return the likelier class of each text [S]."""
        ...


def main() -> None:
    """Print what a run took, as JSON; or which library is missing."""
    begin = time.perf_counter()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--contender", required=True, choices=CONTENDERS)
    parser.add_argument("--setting", type=json.loads, default={}, help="fields of Setting, as JSON")
    given = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        try:
            found = CONTENDERS[given.contender](given.folder, setting_of(given.setting), begin)
            told = found._asdict() | {"versions": {"python": platform.python_version()} | _versions()}
        except ModuleNotFoundError as error:
            told = {"missing": error.name}
    json.dump(told, sys.stdout)


def setting_of(given: dict[str, Any]) -> Setting:
    """Return a setting that came as JSON, which has lists alone."""
    return Setting(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def ostinato(folder: Path, setting: Setting, begin: float, linear: str = "never") -> Phases:
    """Run `ostinato.Classifier`. linear: its option, of the linear part."""
    from ostinato import Classifier

    # The log's clock does not count what `fit` imports before it starts.
    import_module("ostinato.training.classifier")

    train, valid, test = (folder / f"{part}.tsv.xz" for part in ("train", "valid", "test"))
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        fit_begin = time.perf_counter()
        classifier = Classifier(**options_of(setting), linear=linear).fit(train, valid=valid, quiet=True, log=log)
        fitted = time.perf_counter()
        events = [json.loads(line) for line in log.read_text().splitlines()]
    seconds = {event["event"]: event["seconds"] for event in events}
    accuracy = classifier.score(test)
    return Phases(
        fit_begin - begin + seconds["plan"],
        seconds["evaluation"] - seconds["plan"],
        time.perf_counter() - fitted,
        accuracy,
        sum(weight.size for weight in classifier.weights_.values()),
    )


def options_of(setting: Setting) -> dict[str, Any]:
    """Return a setting as options of `ostinato.Classifier`."""
    return {
        "header": False,
        "text": "4",
        "label": "1",
        "units": "words",
        "cell": setting.kind,
        "max_length": setting.words,
        "pooling": setting.pooling,
        "epochs": setting.epochs,
        "evaluations": setting.epochs,
        "threads": setting.threads,
        "seed": setting.seed,
        "vocabulary": setting.vocabulary,
        "embedding_size": setting.embedding_size,
        "hidden_size": setting.hidden_size,
        "num_layers": 1,
        "bidirectional": True,
        "word_dropout": 0.0,
        "input_dropout": 0.0,
        "dropout": setting.dropout,
        "batch_size": setting.batch_size,
        "learning_rate": setting.learning_rate,
        "weight_decay": setting.decay,
        "clip_norm": setting.clip_norm,
    }


def torch(folder: Path, setting: Setting, begin: float, packed: bool) -> Phases:
    """Run the classifier of `classification_torch`."""
    from .classification_torch import TorchClassifier

    return script(folder, setting, begin, partial(TorchClassifier, packed=packed))


def keras(folder: Path, setting: Setting, begin: float, backend: str, masked: bool) -> Phases:
    """Run the classifier of `classification_keras` on a backend."""
    os.environ["KERAS_BACKEND"] = backend
    from .classification_keras import KerasClassifier

    return script(folder, setting, begin, partial(KerasClassifier, masked=masked))


def script(folder: Path, setting: Setting, begin: float, learner: Callable[[Setting, int], Learner]) -> Phases:
    """Run what a script with another library does: read, number the words, train, predict."""
    train, valid = (read(folder / f"{part}.tsv.xz") for part in ("train", "valid"))
    words = [words_of(text) for text in train.texts]
    vocabulary = Vocabulary(words, setting.vocabulary)
    learned = Encoded(vocabulary.encode(words, setting.words), train.labels)
    held_out = Encoded(vocabulary.encode(map(words_of, valid.texts), setting.words), valid.labels)
    del words
    found = learner(setting, vocabulary.size)
    ready = time.perf_counter()
    found.fit(learned, held_out)
    trained = time.perf_counter()
    test = read(folder / "test.tsv.xz")
    right = found.predict(vocabulary.encode(map(words_of, test.texts), setting.words)) == test.labels
    accuracy = float(right.mean())
    return Phases(ready - begin, trained - ready, time.perf_counter() - trained, accuracy, found.weights)


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


CONTENDERS: dict[str, Callable[[Path, Setting, float], Phases]] = {
    "ostinato": ostinato,
    "ostinato-with-linear": partial(ostinato, linear="auto"),
    "torch-packed": partial(torch, packed=True),
    "torch-padded": partial(torch, packed=False),
    **{
        f"keras-{backend}-{'masked' if masked else 'padded'}": partial(keras, backend=backend, masked=masked)
        for backend in ("jax", "torch", "tensorflow")
        for masked in (True, False)
    },
}
"""Who takes part. What is packed or masked reads each text as if it were alone; what is padded begins in the second
direction with what pads it."""

if __name__ == "__main__":
    main()
