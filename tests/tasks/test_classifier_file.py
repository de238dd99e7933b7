"""A classifier's file: it comes back as it was, and damage is refused."""

import subprocess
import sys

import msgspec
import numpy as np
import pytest
from sklearn.base import clone

import ostinato
from ostinato import model_file
from ostinato.errors import FileFormatError
from tests.quick import some_quick
from tests.small import PEEPHOLE
from tests.small_labels import names, reviews, topics, waves
from tests.tasks.classifiers import assert_same, assert_same_after_saving, fitted, refusal

DATA = {"reviewer": reviews(9)[0], "namer": names(9)[0], "waver": waves(9)[0], "sorter": topics(9)[0]}


@pytest.mark.parametrize("name", DATA)
def test_a_saved_classifier_is_the_same(request, name, tmp_path):
    model = request.getfixturevalue(name)
    opened = assert_same_after_saving(model, tmp_path, DATA[name])
    opened.save(tmp_path / "again")
    assert model_file.read(tmp_path / "again")[0] == model_file.read(tmp_path / "model")[0]
    assert opened.summary() == model.summary()
    with pytest.raises(AssertionError):
        assert_same(opened, request.getfixturevalue("namer" if name != "namer" else "reviewer"), reviews(3)[0])


def test_a_classifier_that_was_opened_can_be_cloned_and_fitted_again(reviewer, tmp_path):
    reviewer.save(tmp_path / "model")
    again = clone(ostinato.load(tmp_path / "model"))
    assert_same(again.fit(*reviews(), quiet=True), reviewer, reviews(3)[0])


def test_a_cell_of_ones_own_travels_in_the_file(tmp_path):
    model = fitted(*names(20), cell=PEEPHOLE, steps=2)
    opened = assert_same_after_saving(model, tmp_path, names(5)[0])
    assert opened.architecture_.cell == PEEPHOLE


def test_opening_and_using_a_classifier_loads_no_torch(reviewer, waver, tmp_path):
    reviewer.save(tmp_path / "texts")
    waver.save(tmp_path / "series")
    code = f"""
import sys, numpy as np, ostinato
model = ostinato.load({str(tmp_path / "texts")!r})
model.predict(["a good film"]); model.evaluate(["a good film", "a bad film"], ["pos", "neg"]); model.summary()
ostinato.load({str(tmp_path / "series")!r}).predict(np.zeros((2, 5, 2)))
assert not {{"torch", "sklearn", "scipy", "polars"}} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- damage


@pytest.fixture(scope="module")
def files(request, tmp_path_factory):
    """A file of every kind, by name."""
    folder = tmp_path_factory.mktemp("files")
    found = {}
    for name in DATA:
        found[name] = folder / name
        request.getfixturevalue(name).save(found[name])
    found["speller"] = folder / "speller"
    fitted(*reviews(20), units="spellings", steps=1).save(found["speller"])
    return found


def changed(document, *place, to):
    for key in place[:-1]:
        document = document[key]
    document[place[-1]] = to


def written(document, tensors, path):
    rest = {name: value for name, value in document.items() if name not in ("kind", "format")}
    model_file.write(path, document["kind"], rest, tensors)
    return path


HUGE = 2**31 - 1
DAMAGE = [
    *(
        (name, ("architecture", size), value)
        for name in ("reviewer", "waver", "speller")
        for size in ("hidden_size", "outputs", "num_layers")
        for value in (HUGE, 0, 1.5, None)
    ),
    ("reviewer", ("architecture", "num_layers"), 1024),
    ("reviewer", ("architecture", "bidirectional"), "no"),
    ("reviewer", ("architecture", "poolings"), []),
    ("reviewer", ("architecture", "poolings"), ["median"]),
    ("reviewer", ("architecture", "poolings"), ["max"] * 5),
    ("reviewer", ("architecture", "poolings"), ["mean", "max", "last"]),
    ("reviewer", ("architecture", "embedding"), None),
    ("reviewer", ("architecture", "embedding", "vocabulary_size"), HUGE),
    ("reviewer", ("architecture", "embedding", "size"), HUGE),
    ("reviewer", ("architecture", "reads"), 3),
    ("reviewer", ("architecture", "spelling"), {"characters": 3, "embedding_size": 2, "hidden_size": 2}),
    ("reviewer", ("architecture", "more"), 1),
    ("reviewer", ("architecture", "cell"), {}),
    ("reviewer", ("architecture", "cell"), None),
    ("reviewer", ("architecture",), {}),
    ("waver", ("architecture", "reads"), 0),
    ("waver", ("architecture", "reads"), 2),
    ("waver", ("architecture", "reads"), HUGE),
    ("speller", ("architecture", "spelling"), None),
    ("speller", ("architecture", "spelling", "characters"), HUGE),
    ("speller", ("architecture", "spelling", "hidden_size"), HUGE),
    ("reviewer", ("classes", "names"), ["neg"]),
    ("reviewer", ("classes", "names"), ["neg", "neg"]),
    ("reviewer", ("classes", "names"), ["neg", "pos", "odd"]),
    ("reviewer", ("classes", "names"), []),
    ("reviewer", ("classes", "several"), True),
    ("sorter", ("classes", "several"), False),
    ("reviewer", ("weights",), [1.0]),
    ("reviewer", ("weights",), [0.5, -1.0]),
    ("reviewer", ("weights",), [0.5, 0.5, 0.5]),
    ("reviewer", ("weights",), [0.5, 1e300]),
    ("namer", ("weights",), [0.5, 0.5]),
    ("reviewer", ("linear",), None),
    ("reviewer", ("linear",), "summaries"),
    ("reviewer", ("linear",), "letters"),
    ("waver", ("linear",), "words"),
    ("namer", ("linear",), "characters"),
    ("reviewer", ("encoder", "words"), ["a"]),
    ("reviewer", ("encoder", "words"), ["a"] * 9),
    ("reviewer", ("encoder", "buckets"), 2**20),
    ("reviewer", ("encoder", "kind"), "characters"),
    ("reviewer", ("encoder", "kind"), "pictures"),
    ("waver", ("encoder", "channels"), ["1"]),
    ("waver", ("encoder", "deviations"), [0.0, 1.0]),
    ("waver", ("encoder", "deviations"), [1.0]),
    ("waver", ("encoder", "marked"), False),
    ("waver", ("encoder", "changes"), [1.0]),
    ("waver", ("encoder", "changes"), [1.0, 0.0]),
    ("namer", ("encoder", "code_points"), [97, 98]),
    ("namer", ("encoder", "code_points"), [98, 97, 65533]),
    ("speller", ("encoder", "longest"), 2**30),
    ("reviewer", ("options", "pooling"), ["median"]),
    ("reviewer", ("options", "max_length"), 0),
    ("reviewer", ("options", "hidden_size"), "six"),
    ("reviewer", ("options",), None),
    ("reviewer", ("data",), {}),
    ("reviewer", ("history",), None),
    ("reviewer", ("metrics",), {"accuracy": "high"}),
    ("reviewer", ("versions",), None),
]


@pytest.mark.parametrize(("name", "place", "to"), DAMAGE, ids=str)
def test_a_document_that_is_wrong_is_refused(files, tmp_path, name, place, to):
    document, tensors = model_file.read(files[name])
    changed(document, *place, to=to)
    message, _ = refusal(FileFormatError, ostinato.load, written(document, tensors, tmp_path / "model"))
    assert str(tmp_path / "model") in message


@pytest.mark.parametrize("name", [*DATA, "speller"])
def test_the_damage_is_what_is_refused(files, tmp_path, name):
    document, tensors = model_file.read(files[name])
    opened = ostinato.load(written(document, tensors, tmp_path / "model"))
    assert opened.task == "classify"


@pytest.mark.parametrize("name", some_quick([*DATA, "speller"], ["waver", "reviewer"]))
def test_a_document_that_lacks_something_is_refused(files, tmp_path, name):
    document, tensors = model_file.read(files[name])
    for gone in set(document) - {"kind", "format"}:
        rest = {key: value for key, value in document.items() if key != gone}
        refusal(FileFormatError, ostinato.load, written(rest, tensors, tmp_path / "model"))


@pytest.mark.parametrize("name", some_quick([*DATA, "speller"], ["waver", "namer"]))
def test_tensors_that_do_not_fit_are_refused(files, tmp_path, name):
    document, tensors = model_file.read(files[name])
    path = tmp_path / "model"
    for one, tensor in tensors.items():
        kept = {key: value for key, value in tensors.items() if key != one}
        refusal(FileFormatError, ostinato.load, written(document, kept, path))
        infinite = np.array(tensor)
        odd = [tensor[..., :-1], tensor[None], tensor.astype(np.float64 if tensor.dtype == np.float32 else np.float32)]
        if tensor.dtype.kind == "f":
            infinite.ravel()[0] = np.inf
            odd.append(infinite)
        for other in odd:
            refusal(FileFormatError, ostinato.load, written(document, tensors | {one: other}, path))
    for more in ("more", "network.more", "linear.more", "network.parts.9.weight"):
        refusal(FileFormatError, ostinato.load, written(document, tensors | {more: np.zeros(1, np.float32)}, path))


def test_columns_of_the_linear_part_are_buckets_in_order(files, tmp_path):
    document, tensors = model_file.read(files["reviewer"])
    columns = tensors["linear.columns"]
    for wrong in (columns[::-1], np.where(columns == columns[0], -1, columns), columns + 2**40, np.zeros_like(columns)):
        refusal(
            FileFormatError, ostinato.load, written(document, tensors | {"linear.columns": wrong}, tmp_path / "model")
        )


def test_embeddings_in_fewer_bytes_beside_spellings_run(files, tmp_path):
    """No face of ours writes such a file, but the format allows it."""
    from ostinato import stored

    document, tensors = model_file.read(files["speller"])
    network = stored.stored_as("int8", {k: v for k, v in tensors.items() if k.startswith("network.")})
    opened = ostinato.load(written(document, tensors | network, tmp_path / "model"))
    whole = ostinato.load(files["speller"])
    found = opened.predict_proba(reviews(5)[0])
    assert np.abs(found - whole.predict_proba(reviews(5)[0])).max() < 0.05


def test_flipped_bits_and_truncations_are_refused(files, tmp_path):
    content, path = files["waver"].read_bytes(), tmp_path / "model"
    random = np.random.default_rng(0)
    for place in random.integers(0, len(content), 30):
        path.write_bytes(content[:place])
        refusal(FileFormatError, ostinato.load, path)
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        refusal(FileFormatError, ostinato.load, path)


def leaves(value, place=()):
    """Yield the place of each value of a document."""
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in list(items)[:30]:
            yield from leaves(inner, (*place, key))
    yield place


@pytest.mark.parametrize("name", ["waver", pytest.param("speller", marks=pytest.mark.slow)])
def test_whatever_a_document_says_it_is_refused_or_runs(files, tmp_path, name):
    """Every value in turn becomes another one: nothing but our own error comes of it, and what opens predicts."""
    content = msgspec.json.encode(model_file.read(files[name])[0])
    tensors = model_file.read(files[name])[1]
    random = np.random.default_rng(0)
    values = [None, -1, 0, 3, 2**31 - 1, 0.5, -1e308, "", "x", [], {}, True]
    data = waves(3)[0] if name == "waver" else reviews(3)[0]
    places = [place for place in leaves(msgspec.json.decode(content)) if place and place[0] not in ("kind", "format")]
    places = [place for place in places if "program" not in place]
    opened = 0
    for place in places:
        document = msgspec.json.decode(content)
        changed(document, *place, to=values[random.integers(len(values))])
        written(document, tensors, tmp_path / "model")
        try:
            model = ostinato.load(tmp_path / "model")
        except FileFormatError:
            continue
        opened += 1
        with np.errstate(all="ignore"):
            model.predict(data)
        model.summary()
    assert 0 < opened < len(places)
