"""`ostinato import`: another tool's file becomes a model file, or a message."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from ostinato import Network, cli, load
from ostinato.architecture import ModelArchitecture, SoftmaxArchitecture
from ostinato.errors import DataError
from ostinato.exchange import reading
from tests.cli.running import fail, process, succeed
from tests.exchange.graphs import Builder, run, saved


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a model of ONNX in it, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    builder = Builder(3, batch_first=True)
    builder.recurrent("LSTM", "bidirectional")
    builder.last("gather")
    builder.matmul()
    builder.to("Softmax")
    saved(builder.model(), "tagger.onnx")
    return builder


NOTE = "the input 'x' is [B, T, 3] in the file, and [T, B, 3] here."
NETWORK = "Network(lstm, 1 × 4 units, in both directions → last step → linear → softmax)"


def test_a_model_is_written_that_computes_the_same(capsys, folder):
    # A model may be written over another.
    Network(ModelArchitecture(1, [SoftmaxArchitecture(1)]), {}).save("m.safetensors")
    told = succeed(capsys, "import", "tagger.onnx", "-o", "m.safetensors")
    assert told.out == f"m.safetensors: {NETWORK}\n"
    assert told.err == f"note: {NOTE}\n"
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    expected = run(folder.model(), {"x": x.swapaxes(0, 1)})[folder.here]
    assert np.abs(load("m.safetensors").run(x)[0] - expected).max() < 1e-5
    assert "lstm, 1 × 4 units, in both directions" in succeed(capsys, "info", "m.safetensors").out


def test_the_output_has_a_name_by_default(capsys):
    succeed(capsys, "import", "tagger.onnx")
    assert sorted(os.listdir()) == ["tagger.onnx", "tagger.safetensors"]


def test_what_is_told_as_json_or_not_at_all(capsys):
    told = succeed(capsys, "import", "tagger.onnx", "--json")
    fields = json.loads(told.out)
    assert told.err == ""
    assert {name: fields[name] for name in ("model", "notes", "task", "reads")} == {
        "model": "tagger.safetensors",
        "notes": [NOTE],
        "task": "network",
        "reads": "3 numbers a step",
    }
    assert succeed(capsys, "import", "tagger.onnx", "--quiet") == ("", "")


def test_all_that_cannot_be_imported_is_named_and_nothing_written(capsys):
    builder = Builder(3)
    builder.recurrent("LSTM")
    builder.here, builder.more = builder.op("Erf", builder.here), [builder.op("Round", builder.here)]
    saved(builder.model(), "odd.onnx")
    Path("m.safetensors").write_bytes(Path("tagger.onnx").read_bytes())
    before = Path("m.safetensors").read_bytes()
    message, _ = fail(capsys, "import", "odd.onnx", "-o", "m.safetensors")
    assert message == "m.safetensors exists and is no model file, so it is not overwritten."
    capsys.readouterr()
    result = process("import", "odd.onnx", "-o", "new.safetensors")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: 2 layers cannot be imported.",
        "  node 'n2' (Erf): the operator is not among those that are read.",
        "  node 'n3' (Round): the operator is not among those that are read.",
    ]
    assert not Path("new.safetensors").exists()
    assert Path("m.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["gone.onnx"], "gone.onnx does not exist.", "check the name."),
        (["notes.txt"], "notes.txt has no name that says what it is.", "files that are read end in .onnx, .keras, "),
        (["cut.onnx"], "cut.onnx is damaged, or no ONNX file", None),
        (["empty.onnx"], "empty.onnx is damaged, or no ONNX file: it has no graph.", None),
        (["tagger.onnx", "-o", "no/m.safetensors"], "there is no folder no for the output.", "make it: mkdir -p no"),
        (["tagger.onnx", "-o", "notes.txt"], "notes.txt exists and is no model file", "choose another --output."),
    ],
)
def test_what_goes_wrong_is_told_in_a_line(arguments, message, hint, capsys):
    Path("notes.txt").write_text("my notes, which are dear to me")
    Path("cut.onnx").write_bytes(Path("tagger.onnx").read_bytes()[:-100])
    Path("empty.onnx").write_bytes(b"")
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    found, found_hint = fail(capsys, "import", *arguments)
    assert found.startswith(message)
    assert (found_hint is None) if hint is None else found_hint.startswith(hint)
    assert {name: Path(name).read_bytes() for name in os.listdir()} == before


def test_a_description_of_what_says_it_itself_is_a_wrong_option(capsys):
    message, _ = fail(capsys, "import", "tagger.onnx", "--layers", "lstm linear", code=2)
    assert message == "an ONNX file says itself what its layers are."
    fail(capsys, "import", code=2)


def test_a_state_dict_is_read_by_its_description(capsys):
    random = np.random.default_rng(2)
    shapes = {"r.weight_ih_l0": (12, 3), "r.weight_hh_l0": (12, 4), "r.bias_ih_l0": (12,), "r.bias_hh_l0": (12,)}
    shapes |= {"o.weight": (2, 4), "o.bias": (2,)}
    state = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    safetensors.numpy.save_file(state, "weights.safetensors")
    told = succeed(
        capsys, "import", "weights.safetensors", "--layers", "gru last linear softmax", "-o", "m.safetensors"
    )
    assert told.out == "m.safetensors: Network(gru, 1 × 4 units → last step → linear → softmax)\n"
    assert load("m.safetensors").run(np.zeros((3, 2, 3)))[0].shape == (2, 2)


def test_a_model_of_our_own_is_no_foreign_file(capsys):
    succeed(capsys, "import", "tagger.onnx", "-o", "m.safetensors")
    message, _ = fail(capsys, "import", "m.safetensors", "-o", "n.safetensors")
    assert "m.safetensors" in message
    assert not Path("n.safetensors").exists()


def test_a_damaged_keras_file_cannot_bring_the_command_down(capsys):
    # HDF5 by its first bytes, and nothing that makes sense after them.
    Path("bad.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + np.random.default_rng(1).bytes(200))
    message, _ = fail(capsys, "import", "bad.weights.h5", "-o", "m.safetensors")
    assert message.startswith("bad.weights.h5 ")
    assert not Path("m.safetensors").exists()


def test_names_in_a_file_do_not_command_the_terminal(capsys, monkeypatch):
    def refuse(*given):
        raise DataError("layer '\x1b[2J\x9b1m\u202e' (Conv1D): no\n  \tsuch part", None)

    monkeypatch.setattr(reading, "read_foreign", refuse)
    assert cli.run(["import", "tagger.onnx"]) == 1
    assert capsys.readouterr().err == "error: layer '\\x1b[2J\\x9b1m\\u202e' (Conv1D): no\n  \tsuch part\n"
