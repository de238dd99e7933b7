"""The file format: what was written is read, and whatever else lies in a file is refused by an error of ours."""

import copy
import errno
import json
import math
import os
import subprocess
import sys
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import ostinato
from ostinato import model_file
from ostinato.errors import FileFormatError
from tests.golden.write_language import EXPECTED, MODEL, PROVERBS
from tests.small import PEEPHOLE

DOCUMENT = {"name": "a document", "numbers": [1, 2.5], "nothing": None}
TENSORS = {"scalar": np.array(3, np.int64), "matrix": np.arange(6, dtype=np.float32).reshape(2, 3)}


def refusal(path, read=model_file.read):
    """Read a file that must be refused; return the error's text."""
    with pytest.raises(FileFormatError) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    return str(caught.value)


def save(path, content):
    path.write_bytes(content)
    return path


def pack(header, body=b""):
    """A safetensors file from its parts, however wrong they are."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def packed_with(tensors, body=b"", document='{"format":1,"kind":"x"}'):
    """A file whose metadata is one of ours, with other tensors in its header."""
    return pack({"__metadata__": {"ostinato": document, "digest": "0" * 64}} | tensors, body)


@pytest.fixture
def written(tmp_path):
    """A file with few bytes, of each of which a test can make a wrong one."""
    path = tmp_path / "written.safetensors"
    model_file.write(path, "test", DOCUMENT, TENSORS)
    return path


# ---- what was written is read

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(names.filter(lambda name: name not in ("format", "kind")), json_values, max_size=5)
tensor_values = st.sampled_from([np.float32, np.float64, np.int64, np.uint8]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
tensor_maps = st.dictionaries(names.filter(lambda name: name != "__metadata__"), tensor_values, max_size=5)


@settings(max_examples=150)
@given(documents, tensor_maps)
@example({}, {})
@example({"": ""}, {"": np.array(math.nan)})
def test_what_is_written_is_read(tmp_path_factory, document, tensors):
    path = tmp_path_factory.mktemp("round") / "file"
    model_file.write(path, "test", document, tensors)
    read, found = model_file.read(path)
    assert read == {"format": 1, "kind": "test"} | document
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert found[name].tobytes() == tensor.tobytes()


def test_arrays_are_kept_by_value_however_they_lie_in_memory(tmp_path):
    matrix = np.arange(12.0).reshape(3, 4)
    model_file.write(tmp_path / "file", "test", {}, {"turned": matrix.T, "every other": matrix[:, ::2]})
    _, found = model_file.read(tmp_path / "file")
    np.testing.assert_array_equal(found["turned"], matrix.T)
    np.testing.assert_array_equal(found["every other"], matrix[:, ::2])


def test_a_file_is_known_by_its_kind(written, tmp_path):
    assert model_file.kind_of(written) == "test"
    assert model_file.kind_of(save(tmp_path / "other", b"another")) is None


def test_an_old_file_opens_and_gives_what_it_gave():
    expected = json.loads(EXPECTED.read_text())
    model = ostinato.load(MODEL)
    assert model.cell == PEEPHOLE
    assert (model.options_.hidden_size, model.options_.num_layers, model.options_.embedding_size) == (8, 2, 4)
    assert list(model.vocabulary_.code_points) == expected["symbols"]
    assert model.metrics_["nats_per_character"] == expected["recorded"] == model.history_[-1]["valid"]
    assert model.data_.train_length == int(len(PROVERBS) * 0.9)
    evaluation = model.evaluate("all is not gold\n", train=PROVERBS)
    assert evaluation.metrics["nats_per_character"] == pytest.approx(expected["nats_per_character"], rel=1e-5)
    assert {name: each["nats_per_character"] for name, each in evaluation.baselines.items()} == pytest.approx(
        expected["baselines"], rel=1e-9
    )
    assert model.generate("a stitch", 30, temperature=0) == expected["likeliest"]
    assert model.evaluate(PROVERBS).metrics == pytest.approx(model.metrics_, rel=1e-5)


# ---- damage


def flipped(content, bit):
    return content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]


def set_byte(path, at, byte):
    """Change one byte of a file where it lies, which takes a fraction of the time that writing all of it would."""
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(bytes([byte]))


def assert_every_damage_is_refused(content, path, read, step=1):
    save(path, content)
    for bit in range(0, len(content) * 8, step):
        at = bit // 8
        set_byte(path, at, content[at] ^ 1 << bit % 8)
        refusal(path, read)
        set_byte(path, at, content[at])
    assert path.read_bytes() == content
    for length in reversed(range(0, len(content), step)):
        os.truncate(path, length)
        refusal(path, read)
    for more in (b"\0", b" ", b"{}", content):
        refusal(save(path, content + more), read)


def test_every_flipped_bit_and_every_truncation_is_refused(written):
    assert_every_damage_is_refused(written.read_bytes(), written, model_file.read)


def test_flipped_bits_and_truncations_of_a_model_are_refused(tmp_path):
    assert_every_damage_is_refused(MODEL.read_bytes(), tmp_path / "model", ostinato.load, step=37)


@pytest.mark.slow
def test_every_flipped_bit_and_every_truncation_of_a_model_is_refused(tmp_path):
    assert_every_damage_is_refused(MODEL.read_bytes(), tmp_path / "model", ostinato.load)


def test_damage_is_told_from_what_never_was_a_model(written):
    content = written.read_bytes()
    assert "restore the file from a copy" in refusal(save(written, content[:-1]))
    assert "its contents do not match their digest" in refusal(save(written, flipped(content, 8 * len(content) - 1)))
    assert "it ends inside its header" in refusal(save(written, content[:40]))


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 10_000))
def test_random_bytes_in_a_file_are_refused(tmp_path_factory, noise, place):
    content = MODEL.read_bytes()
    place %= len(content)
    changed = content[:place] + noise + content[place + len(noise) :]
    path = tmp_path_factory.getbasetemp() / "noise"
    if changed != content:
        refusal(save(path, changed), ostinato.load)
    refusal(save(path, noise), ostinato.load)


# ---- files of others


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a model file: it is no safetensors file."),
        (b"Once upon a time there was a text.\n", "is not a model file: it is no safetensors file."),
        (b"PK\x03\x04 an archive, or a pickle of torch's", "is not a model file: it is no safetensors file."),
        (safetensors.numpy.save(TENSORS), "is a safetensors file, but not one of Ostinato's."),
        (safetensors.numpy.save(TENSORS, {"format": "pt"}), "is a safetensors file, but not one of Ostinato's."),
        (pack({}), "is a safetensors file, but not one of Ostinato's."),
        (pack({"__metadata__": {"ostinato": 5}}), "is a safetensors file, but not one of Ostinato's."),
        (pack({"__metadata__": ["ostinato"]}), "is a safetensors file, but not one of Ostinato's."),
    ],
)
def test_a_file_of_others_is_refused(tmp_path, content, said):
    assert said in refusal(save(tmp_path / "other", content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert f"there is no file {tmp_path / 'gone'}.\n  hint: check the name" in refusal(tmp_path / "gone")
    assert f"{tmp_path} is a folder, not a model file." in refusal(tmp_path)


def test_a_file_that_one_may_not_read_is_refused(written, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "cannot be read: Permission denied." in refusal(written)


# ---- hostile files


def entry(shape, dtype="F32", begin=0, end=0):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize(
    "content",
    {
        "header of no bytes": bytes(8),
        "header of one byte": pack(b"{"),
        "header as long as all memory": (2**63).to_bytes(8, "little") + b'{"a":1}',
        "header of 2**64 - 1 bytes": b"\xff" * 8 + b'{"a":1}',
        "header longer than any": (model_file.MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{" + b" " * 100,
        "header longer than the file": (100).to_bytes(8, "little") + b"{}",
        "header that is a list": pack(b"[1, 2]"),
        "header that is no JSON": pack(b"{'a': 1}"),
        "header that is no UTF-8": pack(b'{"\xff": 1}'),
        "header that nests without end": pack(DEEP),
        "document that nests without end": packed_with({}, document=DEEP.decode()),
        "document that is a list": packed_with({}, document="[1]"),
        "document that is no JSON": packed_with({}, document="{"),
        "document without a format": packed_with({}, document='{"kind":"x"}'),
        "document without a kind": packed_with({}, document='{"format":1}'),
        "document of a strange kind": packed_with({}, document='{"format":1,"kind":["x"]}'),
        "document with a lone surrogate": packed_with({}, document='{"format":1,"kind":"\\ud800"}'),
        "no digest": pack({"__metadata__": {"ostinato": '{"format":1,"kind":"x"}'}}),
        "a digest that is no string": pack({"__metadata__": {"ostinato": '{"format":1,"kind":"x"}', "digest": 1}}),
        "a wrong digest": packed_with({}),
        "a tensor of more bytes than there are": packed_with({"t": entry([2**40], end=2**42)}),
        "a tensor of other bytes than its shape": packed_with({"t": entry([3], end=8)}, bytes(8)),
        "a tensor that begins after its end": packed_with({"t": entry([2], begin=8, end=0)}, bytes(8)),
        "tensors that overlap": packed_with({"t": entry([2], end=8), "u": entry([2], end=8)}, bytes(8)),
        "bytes of no tensor": packed_with({"t": entry([1], end=4)}, bytes(8)),
        "a shape whose size overflows": packed_with({"t": entry([2**40, 2**40, 2**40])}),
        "an empty shape beyond NumPy's": packed_with({"t": entry([0, 2**62, 2**62])}),
        "an empty shape of one huge side": packed_with({"t": entry([2**63, 0])}),
        "a shape of a hundred sides": packed_with({"t": entry([1] * 100, end=4)}, bytes(4)),
        "a shape with a negative side": packed_with({"t": entry([-1], end=4)}, bytes(4)),
        "a shape with a fraction": packed_with({"t": entry([1.5], end=4)}, bytes(4)),
        "a type of no file of ours": packed_with({"t": entry([2], "F16", end=4)}, bytes(4)),
        "a type that does not exist": packed_with({"t": entry([1], "F33", end=4)}, bytes(4)),
        "a tensor without a type": packed_with({"t": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
        "a tensor that is a number": packed_with({"t": 4}, bytes(4)),
        "a tensor named twice": pack(
            b'{"__metadata__":{"ostinato":"{\\"format\\":1,\\"kind\\":\\"x\\"}","digest":"0"},'
            b'"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
            b'"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
            bytes(2),
        ),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_hostile_file_is_refused(tmp_path, content):
    path = save(tmp_path / "hostile", content[1])
    refusal(path)
    assert model_file.kind_of(path) is None
    refusal(path, ostinato.load)


@pytest.mark.parametrize("version", [2, 10**30, 0, -1])
def test_an_unknown_version_of_the_format_says_what_to_do(tmp_path, version):
    path = save(tmp_path / "file", packed_with({}, document=json.dumps({"format": version, "kind": "x"})))
    message = refusal(path)
    if version > 1:
        assert f"has format version {version}; this Ostinato reads versions up to 1." in message
        assert "hint: install a newer Ostinato: pip install --upgrade ostinato" in message


@pytest.mark.parametrize("version", [True, "1", 1.0, None, [1]])
def test_a_version_that_is_no_number_is_refused(tmp_path, version):
    path = save(tmp_path / "file", packed_with({}, document=json.dumps({"format": version, "kind": "x"})))
    assert "its document has no format version or kind" in refusal(path)


# ---- documents of language models


def altered(*place, to):
    """Something that puts a value at a place of a document."""

    def alter(document):
        for key in place[:-1]:
            document = document[key]
        document[place[-1]] = to

    return alter


def without(*place):
    def alter(document):
        for key in place[:-1]:
            document = document[key]
        del document[place[-1]]

    return alter


def with_program(change):
    """Something that changes a program: [gates, states, vectors, matrices, output, instructions, results]."""
    return lambda document: change(document["cell"]["program"])


def cyclic(program):
    instructions = program[5]
    place = next(k for k, item in enumerate(instructions) if item[0] == "sigmoid")
    instructions[place][1] = place + 1


ALTERATIONS = {
    "a huge hidden size": altered("options", "hidden_size", to=10**9),
    "a hidden size beyond any": altered("options", "hidden_size", to=10**30),
    "a huge number of layers": altered("options", "num_layers", to=10**9),
    "a layer too many": altered("options", "num_layers", to=3),
    "a layer too few": altered("options", "num_layers", to=1),
    "a huge embedding": altered("options", "embedding_size", to=10**9),
    "a hidden size of 0": altered("options", "hidden_size", to=0),
    "no hidden size": altered("options", "hidden_size", to=None),
    "a hidden size that is text": altered("options", "hidden_size", to="8"),
    "a hidden size with a fraction": altered("options", "hidden_size", to=8.5),
    "layers that are true": altered("options", "num_layers", to=True),
    "another hidden size": altered("options", "hidden_size", to=9),
    "an option of no version": altered("options", "unheard_of", to=1),
    "options that are a list": altered("options", to=[]),
    "tokens of no kind": altered("options", "tokens", to="words"),
    "no options": without("options"),
    "no cell": without("cell"),
    "no vocabulary": without("vocabulary"),
    "no data": without("data"),
    "no history": without("history"),
    "no metrics": without("metrics"),
    "no baselines": without("baselines"),
    "no versions": without("versions"),
    "metrics without a figure": without("metrics", "perplexity"),
    "metrics with null": altered("metrics", "perplexity", to=None),
    "a baseline without a figure": without("baselines", "xz", "nats_per_character"),
    "a history of text": altered("history", to=["step 1"]),
    "a negative length": altered("data", "train_length", to=-1),
    "a digest that is a number": altered("data", "digest", to=5),
    "versions that are numbers": altered("versions", "python", to=3.11),
    "a cell that is its name": altered("cell", to="lstm"),
    "a cell without a program": without("cell", "program"),
    "a cell whose name is a number": altered("cell", "name", to=5),
    "a cell with an unknown initialiser": altered("cell", "init", to=[["z", [["magic", 1.0]]]]),
    "a cyclic program": with_program(cyclic),
    "a program that uses itself": with_program(lambda program: altered(5, -1, 1, to=len(program[5]) - 1)(program)),
    "a program with a negative slot": with_program(altered(5, -1, 1, to=-1)),
    "a program with an unknown operation": with_program(altered(5, -1, 0, to="system")),
    "a program with a slot that is text": with_program(altered(5, -1, 1, to="0")),
    "a program with a result of nowhere": with_program(altered(6, 0, to=10**9)),
    "a program with no state": with_program(altered(1, to=[])),
    "a program of numbers": with_program(altered(5, to=[1, 2, 3])),
    "a program of another shape": with_program(lambda program: program.append([])),
    "a program with too many instructions": with_program(lambda program: program[5].extend([["raw"]] * 10_000)),
    "a program with an unused gate too many": with_program(altered(0, to=["z", "r", "n", "z"])),
    "a program that reads the input, which is of another width": lambda document: (
        altered("options", "embedding_size", to=4)(document),
        document["cell"]["program"][5].append(["raw"]),
    ),
    "an empty vocabulary": altered("vocabulary", "code_points", to=[]),
    "a vocabulary out of order": altered("vocabulary", "code_points", to=[98, 97]),
    "a vocabulary of text": altered("vocabulary", "code_points", to=["a", "b"]),
    "a vocabulary beyond Unicode": altered("vocabulary", "code_points", to=[97, 0x110000]),
    "a vocabulary of another size": altered("vocabulary", "code_points", to=list(range(1000))),
    "a vocabulary of bytes": altered("vocabulary", to={"kind": "bytes"}),
    "a vocabulary of no kind": altered("vocabulary", to={"kind": "words"}),
    "a kind that is not known": altered("kind", to="speech"),
    "a document that is a checkpoint's": altered("kind", to="checkpoint"),
}
"""Changes to a sound document, each of which must be refused; the digest is right each time."""


@pytest.mark.parametrize("alter", ALTERATIONS.values(), ids=ALTERATIONS)
def test_a_document_that_is_wrong_is_refused_and_takes_no_memory(small_file, tmp_path, alter):
    document, tensors = model_file.read(small_file)
    alter(document)
    path = tmp_path / "altered.safetensors"
    model_file.write(path, document["kind"], document, tensors)
    refusal(path, ostinato.load)
    tracemalloc.start()
    try:
        refusal(path, ostinato.load)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_the_alterations_are_what_is_refused(small_file, tmp_path):
    document, tensors = model_file.read(small_file)
    model_file.write(tmp_path / "same", "language", copy.deepcopy(document), tensors)
    assert ostinato.load(tmp_path / "same").generate("a", 5, seed=1) == ostinato.load(small_file).generate(
        "a", 5, seed=1
    )


def put(name, value):
    return lambda tensors: {**tensors, name: value(tensors[name]) if callable(value) else value}


def spoilt(value, array):
    array = array.copy()
    array.flat[-1] = value
    return array


TENSOR_ALTERATIONS = {
    "one is missing": lambda tensors: {k: v for k, v in tensors.items() if k != "head.bias"},
    "one is too many": put("head.further", np.zeros(1, np.float32)),
    "one has another name": lambda tensors: {k.replace("head.bias", "tail.bias"): v for k, v in tensors.items()},
    "none is left": lambda tensors: {},
    "one is float64": put("head.bias", lambda array: array.astype(np.float64)),
    "one is of whole numbers": put("head.bias", lambda array: array.astype(np.int64)),
    "one is turned": put("embedding.weight", lambda array: array.T),
    "one is flat": put("embedding.weight", np.ravel),
    "one is shorter": put("head.bias", lambda array: array[:-1]),
    "one is empty": put("head.bias", lambda array: array[:0]),
    "one holds NaN": put("recurrent.layers.1.0.R", partial(spoilt, np.nan)),
    "one holds infinity": put("embedding.weight", partial(spoilt, -np.inf)),
}


@pytest.mark.parametrize("alter", TENSOR_ALTERATIONS.values(), ids=TENSOR_ALTERATIONS)
def test_tensors_that_do_not_fit_are_refused(small_file, tmp_path, alter):
    document, tensors = model_file.read(small_file)
    model_file.write(tmp_path / "altered", "language", document, alter(tensors))
    refusal(tmp_path / "altered", ostinato.load)


@settings(max_examples=150)
@given(st.data())
def test_any_value_at_any_place_of_a_document_gives_a_model_or_a_refusal(small_file, tmp_path_factory, data):
    document, tensors = model_file.read(small_file)
    place = document
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(json_values)
    path = tmp_path_factory.getbasetemp() / "any"
    model_file.write(path, "language", document, tensors)
    try:
        model = ostinato.load(path)
    except FileFormatError:
        return
    repr(model)
    assert len(model.generate("a", 3, unknown="skip")) <= 3


# ---- writing


def disk_full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("failure", [disk_full, interrupt])
@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(written, monkeypatch, call, failure):
    before = written.read_bytes()
    monkeypatch.setattr(os, call, failure)
    with pytest.raises((OSError, KeyboardInterrupt)):
        model_file.write(written, "test", {"other": 1}, {})
    assert written.read_bytes() == before
    assert os.listdir(written.parent) == [written.name]


def test_a_failed_write_leaves_nothing_where_there_was_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", disk_full)
    with pytest.raises(OSError, match="No space left"):
        model_file.write(tmp_path / "new", "test", DOCUMENT, TENSORS)
    assert os.listdir(tmp_path) == []


def test_a_file_is_synced_before_it_takes_its_name_and_its_folder_after(written, monkeypatch):
    calls = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append("sync"), real_sync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("rename"), real_replace(*names)))
    model_file.write(written, "test", {"other": 1}, {})
    assert calls == ["sync", "rename", "sync"]


def test_a_link_goes_on_pointing_where_it_did(written, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(written)
    model_file.write(link, "newer", {}, {})
    assert link.is_symlink()
    assert model_file.kind_of(written) == "newer"


def test_a_folder_that_is_missing_is_told_as_such(tmp_path):
    with pytest.raises(FileNotFoundError):
        model_file.write(tmp_path / "nowhere" / "file", "test", {}, {})


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
import numpy as np
from ostinato import model_file
try:
    model_file.write(sys.argv[1], "test", {"other": 1}, {"large": np.zeros(10_000)})
except OSError as error:
    sys.exit(error.errno)
"""


def test_a_file_that_may_not_grow_leaves_the_old_one(written):
    before = written.read_bytes()
    ran = subprocess.run([sys.executable, "-c", LIMITED, written], check=False)
    assert ran.returncode == errno.EFBIG
    assert written.read_bytes() == before
    assert os.listdir(written.parent) == [written.name]
