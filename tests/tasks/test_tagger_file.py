"""A tagger's file: it comes back as it was, and damage is refused."""

import subprocess
import sys

import numpy as np
import pytest

import ostinato
from ostinato import Tagger, model_file
from ostinato.errors import FileFormatError, OptionError
from ostinato.tasks.tagger import TASK
from tests.small import PEEPHOLE
from tests.small_sentences import SIZES, entities, speech

WORDS, _ = entities(9, seed=6)


@pytest.fixture(scope="module")
def places():
    return Tagger(**SIZES).fit(*entities(), quiet=True)


@pytest.fixture(scope="module")
def file(places, tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "places"
    places.save(path)
    return path


def same(tagger, other):
    names = ("options_", "encoder_", "architecture_", "scheme_", "sharpness_", "discount_", "history_", "metrics_")
    known = all(getattr(tagger, name) == getattr(other, name) for name in (*names, "data_", "versions_"))
    pairs = zip(tagger.predict_proba(WORDS), other.predict_proba(WORDS), strict=True)
    return known and tagger.predict(WORDS) == other.predict(WORDS) and all(np.array_equal(p, q) for p, q in pairs)


def test_a_saved_tagger_is_the_same(places, file, tmp_path):
    opened = ostinato.load(file)
    assert same(places, opened)
    opened.save(tmp_path / "again")
    assert model_file.read(tmp_path / "again")[0] == model_file.read(file)[0]
    assert same(opened, ostinato.load(tmp_path / "again"))
    assert opened.evaluate(*entities(9)) == places.evaluate(*entities(9))
    other = Tagger(**SIZES, seed=1).fit(*entities(), quiet=True)
    assert not same(places, other)


@pytest.mark.parametrize(
    "options", [{"features": False}, {"paths": False}, {"cell": PEEPHOLE}], ids=["few", "words", "own"]
)
def test_taggers_of_other_kinds_are_the_same(tmp_path, options):
    tagger = Tagger(**SIZES | {"steps": 3} | options).fit(*speech(), quiet=True)
    tagger.save(tmp_path / "model")
    assert same(tagger, ostinato.load(tmp_path / "model"))


@pytest.mark.parametrize("kind", ["bfloat16", "int8"])
def test_a_tagger_in_fewer_bytes_says_nearly_the_same(places, file, tmp_path, kind):
    small = places.stored_as(kind)
    small.save(tmp_path / "small")
    assert (tmp_path / "small").stat().st_size < 0.8 * file.stat().st_size
    assert same(small, ostinato.load(tmp_path / "small"))
    assert small.score(*entities(40, seed=1)) > 0.95
    for p, q in zip(places.predict_proba(WORDS), small.predict_proba(WORDS), strict=True):
        assert 0 < np.abs(p - q).max() < 0.1
    with pytest.raises(OptionError):
        small.stored_as(kind)


def test_opening_and_using_a_tagger_loads_no_torch(file):
    code = f"""
import sys, ostinato
model = ostinato.load({str(file)!r})
model.predict([["to", "Ulm"]]); model.evaluate([["to", "Ulm"]], [["O", "B-place"]], ([["Ulm"]], [["B-place"]]))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def changed(document, *place, to):
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = to


DAMAGE = [
    *((("architecture", "network", name), 2**31 - 1) for name in ("hidden_size", "outputs")),
    (("architecture", "network", "num_layers"), 1024),
    (("architecture", "network", "poolings"), ["mean"]),
    (("architecture", "network", "reads"), 3),
    (("architecture", "network", "embedding"), None),
    (("architecture", "network", "embedding", "vocabulary_size"), 5),
    (("architecture", "network", "spelling"), None),
    (("architecture", "network", "spelling", "characters"), 5),
    (("architecture", "network", "cell"), {}),
    (("architecture", "network"), []),
    (("architecture", "buckets"), 512),
    (("architecture", "buckets"), 2**40),
    (("architecture", "crf"), False),
    (("architecture",), {}),
    (("features",), None),
    (("features", "buckets"), 2**19),
    (("encoder", "words", "words"), ["a", "a"]),
    (("encoder", "longest"), 0),
    (("tags", "names"), ["O"]),
    (("tags", "names"), ["O", "O", "O"]),
    (("tags", "several"), True),
    (("sharpness",), -1.0),
    (("discount",), None),
    (("options", "time"), -1.0),
    (("options", "steps"), "many"),
    (("options", "paths"), "maybe"),
    (("history",), [1]),
]


@pytest.mark.parametrize(("place", "value"), DAMAGE, ids=lambda part: ".".join(part) if isinstance(part, tuple) else "")
def test_a_file_whose_document_contradicts_itself_is_refused(file, tmp_path, place, value):
    document, tensors = model_file.read(file)
    changed(document, *place, to=value)
    write(tmp_path / "bad", document, tensors)
    with pytest.raises(FileFormatError, match="bad"):
        ostinato.load(tmp_path / "bad")


def write(path, document, tensors):
    model_file.write(
        path, TASK, {name: part for name, part in document.items() if name not in ("format", "kind")}, tensors
    )


@pytest.mark.parametrize("change", ["less", "more", "shape", "infinite", "no path"])
def test_a_file_whose_weights_do_not_fit_is_refused(file, tmp_path, change):
    document, tensors = model_file.read(file)
    name = "crf.legal" if change == "no path" else "crf.first"
    weights = dict(tensors)
    if change == "less":
        del weights[name]
    else:
        weights["other" if change == "more" else name] = {
            "more": tensors[name],
            "shape": tensors[name][:-1],
            "infinite": tensors[name] + np.float32("inf"),
            "no path": 0 * tensors[name],
        }[change]
    write(tmp_path / "bad", document, weights)
    with pytest.raises(FileFormatError, match="bad"):
        ostinato.load(tmp_path / "bad")


def test_what_is_changed_back_is_opened(file, tmp_path, places):
    """So what the tests above refuse is what they changed."""
    document, tensors = model_file.read(file)
    write(tmp_path / "good", document, tensors)
    assert same(places, ostinato.load(tmp_path / "good"))
