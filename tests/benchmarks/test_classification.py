"""Runs from text on disk to test accuracy, of small texts: everybody has the same model, and what is told of it."""

import json
import lzma
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np
import pytest
from benchmarks.classification_script import WHOLE, Setting, Vocabulary, by_length, drawn, padded, read, words_of
from benchmarks.forecast import Took
from benchmarks.machine import Abilities, Machine
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import classification, classification_peers
from ostinato import Classifier
from ostinato.data.sequences import UnitSequences, shortened
from ostinato.data.words import WordEncoder
from tests.quick import some_quick
from tests.real_data import imdb

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch")
# Keras's own way to NumPy, under NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SMALL = Setting(epochs=1, vocabulary=30, embedding_size=7, hidden_size=5, batch_size=9, judged_size=13, words=20)
LETTERS = "aAbéÉzßI0_ '’.,!<>/-\t\"&"


def texts_of(random, count):
    """Texts of a few words, of which "fine" or "poor" tells the class."""
    words = ["the", "film", "was", "not", "it's", "long", "<br", "/>", ".", "I", "rarely"]
    labels = np.arange(count) % 2
    texts = [
        " ".join(random.permutation([*random.choice(words, random.integers(3, 40)), ("poor", "fine")[label]]))
        for label in labels
    ]
    return texts, labels


def write_file(path, texts, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = enumerate(zip(labels, texts, strict=True))
    lines = (f"{label}\t7\t{place}_7.txt\t{text}\n" for place, (label, text) in rows)
    path.write_bytes(lzma.compress("".join(lines).encode()))


def lines_of(path):
    return lzma.decompress(path.read_bytes()).decode().splitlines()


@pytest.fixture
def random():
    return np.random.default_rng(8)


@pytest.fixture
def parts(tmp_path, random):
    for part, count in (("train", 45), ("valid", 14), ("test", 21)):
        write_file(tmp_path / f"{part}.tsv.xz", *texts_of(random, count))
    return tmp_path


# ---- words and batches


def assert_numbered_alike(texts, most, words):
    """Compare the numbers that scripts and Ostinato have for the words of texts, cut to some words."""
    cut = [words_of(text) for text in texts]
    vocabulary, encoder = Vocabulary(cut, most), WordEncoder.fit(texts, most=most)
    expected = shortened(UnitSequences(encoder.encode(texts)), words)
    assert vocabulary.size == encoder.size
    for number, row in enumerate(vocabulary.encode(cut, words)):
        x = expected.take(np.array([number]))
        np.testing.assert_array_equal(row, x.x[: x.lengths[0], 0])


@given(st.lists(st.text(LETTERS), min_size=1), st.integers(1, 5), st.integers(1, 9))
def test_words_are_numbered_as_ostinato_does(texts, most, words):
    assert_numbered_alike(["a a", *texts], most, words)


def test_other_numbers_are_seen(monkeypatch):
    monkeypatch.setattr("benchmarks.classification_script.BUCKETS", 1023)
    with pytest.raises(AssertionError):
        assert_numbered_alike(["a a b"], 1, 9)


@pytest.mark.slow
def test_words_of_reviews_are_numbered_as_ostinato_does():
    assert_numbered_alike(imdb("train")[0][::10], 20_000, 400)


@given(st.lists(st.integers(0, 30), min_size=1), st.integers(1, 7), st.integers(0, 99))
def test_batches_have_each_text_once(lengths, size, seed):
    lengths = np.array(lengths)
    for batches in (drawn(lengths, size, np.random.default_rng(seed)), by_length(lengths, size)):
        assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
        assert max(map(len, batches)) <= size
    longest = [lengths[numbers].max() for numbers in by_length(lengths, size)]
    assert longest == sorted(longest, reverse=True)


def test_drawn_batches_have_like_lengths_and_change(random):
    lengths = random.permutation(400)
    first, second = drawn(lengths, 8, random), drawn(lengths, 8, random)
    assert max(np.ptp(lengths[numbers]) for numbers in first) == 7
    assert any((a != b).any() for a, b in zip(first, second, strict=True))


def test_rows_are_padded():
    rows = [np.array([3, 1, 2], np.int32), np.array([], np.int32), np.array([5], np.int32)]
    ids, lengths = padded(rows)
    assert (ids.tolist(), lengths.tolist()) == ([[3, 1, 2], [0, 0, 0], [5, 0, 0]], [3, 1, 1])
    assert padded(rows, multiple=5, first=1)[0].tolist() == [[4, 2, 3, 0, 0], [0] * 5, [6, 0, 0, 0, 0]]


# ---- the model


def randomised(setting, folder, random):
    """Return Ostinato's classifier with random weights."""
    model = Classifier(**classification_peers.options_of(setting), linear="never")
    model.fit(folder / "train.tsv.xz", valid=folder / "valid.tsv.xz", quiet=True)
    weights = {name: random.normal(size=w.shape, scale=0.7).astype(np.float32) for name, w in model.weights_.items()}
    model.weights_ = weights
    del model._runtime
    return model


def torch_weights(setting, weights):
    """Return weights of Ostinato's by the names of the torch network; what it has besides is 0."""
    gates = {"lstm": 4, "gru": 3}[setting.kind] * setting.hidden_size
    found = {"embedding.weight": weights["embedding.weight"]}
    head = next(name for name in weights if name.startswith("parts.") and name.endswith(".weight"))
    found |= {"head.weight": weights[head], "head.bias": weights[head.replace("weight", "bias")]}
    for direction, ending in enumerate(("l0", "l0_reverse")):
        own = {name: weights.get(f"parts.0.layers.0.{direction}.{name}") for name in ("W", "R", "W_bias", "R_bias")}
        recurrent = np.zeros(gates, np.float32)
        if own["R_bias"] is not None:
            recurrent[-setting.hidden_size :] = own["R_bias"]
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        values = (own["W"], own["R"], own["W_bias"], recurrent)
        found |= {f"layer.{name}_{ending}": value for name, value in zip(names, values, strict=True)}
    return {name: torch.from_numpy(np.array(value)) for name, value in found.items()}


def keras_weights(setting, weights):
    """Return weights of the torch network in the order of the Keras model's."""
    order = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}[setting.kind]

    def placed(array):
        blocks = np.split(array.numpy(), len(order))
        return np.concatenate([blocks[gate] for gate in order])

    found = [np.concatenate([np.full((1, setting.embedding_size), 9.0), weights["embedding.weight"]])]
    for ending in ("l0", "l0_reverse"):
        matrices = [placed(weights[f"layer.weight_{side}_{ending}"]).T for side in ("ih", "hh")]
        biases = [placed(weights[f"layer.bias_{side}_{ending}"]) for side in ("ih", "hh")]
        found += [*matrices, sum(biases) if setting.kind == "lstm" else np.stack(biases)]
    return [*found, weights["head.weight"].T, weights["head.bias"]]


def log_p(scores):
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def encoded(model, setting, texts):
    vocabulary = Vocabulary([], setting.vocabulary)
    vocabulary._numbers = type(vocabulary._numbers)(model.encoder_.words)
    return vocabulary.encode(map(words_of, texts), setting.words)


def assert_same_model(found, expected):
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("kind", "pooling"),
    [("lstm", ("max", "mean")), *(pytest.param("gru", (name,), marks=pytest.mark.slow) for name in ("max", "mean"))],
)
def test_everybody_has_the_same_model(parts, random, kind, pooling):
    pytest.importorskip("keras")
    from benchmarks.classification_keras import KerasClassifier
    from benchmarks.classification_torch import TorchClassifier

    setting = replace(SMALL, kind=kind, pooling=pooling, words=WHOLE)
    model = randomised(setting, parts, random)
    texts = read(parts / "test.tsv.xz").texts
    # The temperature of the held-out examples is Ostinato's alone.
    expected = log_p(model._scores(model.read(texts), lambda done: None))
    rows = encoded(model, setting, texts)
    weights = torch_weights(setting, model.weights_)
    for is_exact in (True, False):
        peer = TorchClassifier(setting, model.encoder_.size, packed=is_exact)
        peer.network.load_state_dict(weights)
        peer.network.eval()
        with torch.no_grad():
            of_torch = log_p(peer._scores(rows).numpy())
        other = KerasClassifier(setting, model.encoder_.size, masked=is_exact)
        other.model.set_weights(keras_weights(setting, weights))
        of_keras = log_p(other.model.predict_on_batch(padded(rows, 50, first=1)[0]))
        if is_exact:
            assert_same_model(of_torch, expected)
            assert_same_model(of_keras, expected)
        else:
            # What begins in the padding comes to something else.
            for found in (of_torch, of_keras):
                with pytest.raises(AssertionError):
                    assert_same_model(found, expected)
        np.testing.assert_array_equal(peer.predict(rows), of_torch.argmax(axis=1))
        np.testing.assert_array_equal(other.predict(rows), of_keras.argmax(axis=1))


# ---- runs


@pytest.mark.parametrize(
    "contender",
    some_quick(
        ("ostinato", "torch-packed", "torch-padded", "keras-torch-masked", "keras-torch-padded"),
        ("ostinato", "torch-packed"),
    ),
)
def test_a_run_learns(parts, contender, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ["KERAS_BACKEND"])  # a run sets it
    setting = replace(SMALL, epochs=12, hidden_size=8, learning_rate=0.03, dropout=0.1, words=50)
    found = classification_peers.CONTENDERS[contender](parts, setting, 0.0)
    assert found.accuracy > 0.9
    assert min(found.training, found.testing) > 0
    gates = 2 * 4 * setting.hidden_size
    symbols = len(Vocabulary(map(words_of, read(parts / "train.tsv.xz").texts), 30)._numbers) + 1024
    expected = symbols * 7 + gates * (7 + 8 + 1) + 2 * (2 * 2 * 8 + 1)
    # torch has a second bias a gate, Keras one more symbol.
    assert found.weights - expected in (0, gates, 7)


def test_a_process_tells_what_it_took(parts):
    def told(*arguments, **environment):
        command = [sys.executable, "-m", "benchmarks.classification_peers", str(parts), *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
        done = subprocess.run(command, capture_output=True, check=True, env=environment, cwd=classification_root())
        return json.loads(done.stdout)

    found = told("--contender", "torch-packed", "--setting", json.dumps(asdict(SMALL)))
    assert found.keys() == {*classification_peers.Phases._fields, "versions"}
    assert found["versions"]["torch"] == torch.__version__
    (parts / "without").mkdir()
    (parts / "without" / "torch.py").write_text("raise ModuleNotFoundError('no', name='torch')")
    assert told("--contender", "torch-padded", PYTHONPATH=str(parts / "without")) == {"missing": "torch"}


def classification_root():
    return Path(classification.__file__).parents[1]


def test_a_setting_survives_json():
    assert classification_peers.setting_of(json.loads(json.dumps(asdict(SMALL)))) == SMALL


# ---- the report


def test_parts_are_lines_as_they_were(tmp_path, random):
    texts, labels = texts_of(random, 400)
    for part in ("train", "test"):
        write_file(tmp_path / "imdb" / f"{part}.tsv.xz", texts, labels)
    assert classification.write_parts(tmp_path, tmp_path, None) == {"train": 360, "valid": 40, "test": 400}
    whole = lines_of(tmp_path / "imdb" / "train.tsv.xz")
    train, valid, test = (lines_of(tmp_path / f"{part}.tsv.xz") for part in ("train", "valid", "test"))
    assert test == whole
    assert sorted(train + valid) == sorted(whole)
    # Neighbours, two by two.
    assert [line.split("\t")[2] for line in valid[:4]] == ["18_7.txt", "19_7.txt", "38_7.txt", "39_7.txt"]
    assert classification.write_parts(tmp_path, tmp_path, 50) == {"train": 45, "valid": 5, "test": 50}
    assert read(tmp_path / "test.tsv.xz").labels.tolist() == labels[::8].tolist()


def took(before, training, testing, accuracy, seconds):
    told = {"before": before, "training": training, "testing": testing, "accuracy": accuracy}
    return Took(told | {"weights": 70, "versions": {"torch": "9"}}, seconds, 3.0 * seconds)


@pytest.fixture
def report():
    abilities = Abilities(1.0, 2.0, 3.0, "a test")
    machine = Machine("a machine", 2, ["avx2"], 512, 4.0, "Linux", {"torch": "9"}, 0.0, abilities)
    sizes = {"train": 90, "valid": 10, "test": 50}
    return classification.Report("2030-01-01", machine, asdict(SMALL), sizes, [], {})


def test_rounds_are_taken_in_turns_and_their_medians_told(report, monkeypatch):
    runs = []
    taken = {
        "ostinato": iter([took(1, 9, 5, 0.5, 20), took(2, 10, 5, 0.5, 30), took(30, 90, 50, 0.5, 200)]),
        "torch-packed": iter([took(2, 20, 10, 0.5, 50)] * 3),
        "keras-torch-padded": iter([took(2, 45, 10, 0.5, 60)] * 3),
    }

    def run(python, *command):
        name = command[command.index("--contender") + 1]
        runs.append(name)
        if name == "torch-padded":
            raise subprocess.CalledProcessError(3, "it")
        return next(taken[name]) if name in taken else Took({"missing": "jax"}, 1, 1)

    monkeypatch.setattr(classification, "run", run)
    pythons = dict.fromkeys(["ostinato", "torch-packed", "torch-padded", "keras-jax-masked", "keras-torch-padded"], "p")
    *_, last = classification.measure(Path("there"), [replace(SMALL, epochs=2)], pythons, 3, report)
    assert runs[:6] == [*pythons, "ostinato"]
    assert runs.count("keras-jax-masked") == 1
    assert last.left_out.keys() == {"keras-jax-masked", "torch-padded, lstm, 20 words"}
    table = classification.markdown(last)
    assert "| ostinato | 2 | 18 | 10 | 30 | 600 | 0.5000 |" in table
    assert "Ostinato trains 2.00 times as fast as torch.nn (torch-packed), and the whole takes it 0.60 of" in table
    assert "Ostinato trains 4.50 times as fast as Keras (keras-torch-padded), and the whole takes it 0.50 of" in table
    assert "not installed: jax" in table


def test_pythons_of_contenders():
    found = classification.pythons_of(("torch-", "keras-jax"), ("keras-jax=there/python",))
    assert found["torch-packed"] == sys.executable
    assert found["keras-jax-padded"] == str(Path("there/python").absolute())
    assert "ostinato" not in found
    for only, peers in (((), ("jax=python",)), ((), ("keras-jax=",)), (("tensor-flow",), ())):
        with pytest.raises(click.BadParameter, match="keras-jax-masked"):
            classification.pythons_of(only, peers)
