"""``ostinato export``: what it says, what it refuses, and that nothing half-written stays."""

import json

import numpy as np
import onnxruntime
import pytest

from ostinato import cells, load
from ostinato.architecture import LinearArchitecture, RecurrentArchitecture
from ostinato.exchange.to_onnx import recurrent
from tests.cli.running import fail, process, succeed
from tests.exchange.onnx_running import network


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with a network in it, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    stack = [
        RecurrentArchitecture(cells.lstm, 3, 5, 2),
        RecurrentArchitecture(cells.mgu, 5, 4),
        LinearArchitecture(4, 2),
    ]
    network(stack, 3).save("m.safetensors")
    (tmp_path / "notes.txt").write_text("my notes")
    return tmp_path


def test_one_line_tells_what_was_written(capsys, folder):
    said = succeed(capsys, "export", "m.safetensors", "-o", "m.onnx")
    size = (folder / "m.onnx").stat().st_size
    start = f"m.onnx: {size / 1e3:.1f} kB, 2 × LSTM, Scan of mgu, opset 17; ONNX Runtime is "
    assert said.out.startswith(start)
    assert said.out.endswith(" from the model at most\n")
    assert float(said.out.removeprefix(start).split()[0]) < 1e-4
    assert said.err == ""


def test_the_same_as_json(capsys, folder):
    found = json.loads(succeed(capsys, "export", "m.safetensors", "-o", "m.ONNX", "--json").out)
    states = ["state.0.h", "state.0.c", "state.1.h", "state.1.c", "state.2.h"]
    assert 0 <= found.pop("difference") < 1e-4
    assert found == {
        "output": "m.ONNX",
        "size": (folder / "m.ONNX").stat().st_size,
        "opset": 17,
        "layers": ["LSTM", "LSTM", "Scan of mgu"],
        "inputs": ["x", "lengths", *states],
        "outputs": ["y", *(f"new_{name}" for name in states)],
    }


def test_quietly(capsys, folder):
    assert succeed(capsys, "export", "m.safetensors", "-o", "m.onnx", "-q") == ("", "")
    assert (folder / "m.onnx").exists()


def test_a_process_of_its_own_says_nothing_more_and_loads_no_torch(folder):
    script = (
        "import sys; from ostinato.cli import run; "
        "code = run(['export', 'm.safetensors', '-o', 'm.onnx']); print(code, 'torch' in sys.modules)"
    )
    ran = process(script=script)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[1:] == ["0 False"]
    session = onnxruntime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    given = {"x": x, "lengths": np.array([4, 2])}
    given |= {f"state.{name}": np.zeros((2, 5), np.float32) for name in ("0.h", "0.c", "1.h", "1.c")}
    given |= {"state.2.h": np.zeros((2, 4), np.float32)}
    y, *_ = session.run(None, given)
    assert np.allclose(y, load("m.safetensors").run(x, [4, 2])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message", "hint", "code"),
    [
        (["m.safetensors"], "Missing option '--output' / '-o'", "ostinato export --help", 2),
        (["m.safetensors", "-o", "m.pb"], "'m.pb' does not say what to write.", "one of: .onnx", 2),
        (["m.safetensors", "-o", "onnx"], "'onnx' does not say what to write.", "one of: .onnx", 2),
        (["gone.safetensors", "-o", "m.onnx"], "gone.safetensors", "", 1),
        (["notes.txt", "-o", "m.onnx"], "notes.txt", "", 1),
        (["m.safetensors", "-o", "no where/m.onnx"], "there is no folder no where", "mkdir -p 'no where'", 1),
    ],
)
def test_wrong_use_is_told(capsys, folder, arguments, message, hint, code):
    before = sorted(folder.iterdir())
    said = fail(capsys, "export", *arguments, code=code)
    assert message in said[0]
    assert hint in (said[1] or "")
    assert sorted(folder.iterdir()) == before


def test_a_file_that_computes_something_else_is_not_left(capsys, folder, monkeypatch):
    right = recurrent.weights_to_onnx
    monkeypatch.setattr(
        recurrent,
        "weights_to_onnx",
        lambda *given: right(*given)._replace(R=right(*given).W[:, :1] + 0 * right(*given).R),
    )
    message, hint = fail(capsys, "export", "m.safetensors", "-o", "m.onnx")
    assert message.startswith("ONNX Runtime and Ostinato differ in y by ")
    assert hint.startswith("nothing was written.")
    assert not (folder / "m.onnx").exists()


def test_without_the_extra_it_says_what_to_install(capsys, folder, monkeypatch):
    monkeypatch.setattr("ostinato.extras.find_spec", lambda name: None)
    said = fail(capsys, "export", "m.safetensors", "-o", "m.onnx")
    assert said == ("this needs onnx, which is not installed.", "pip install 'ostinato[onnx]'")


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_in_fewer_bytes(capsys, folder, dtype):
    said = succeed(capsys, "export", "m.safetensors", "-o", "small.safetensors", "--dtype", dtype)
    size = (folder / "small.safetensors").stat().st_size
    assert said == (f"small.safetensors: {size / 1e3:.1f} kB, matrices in {dtype}\n", "")
    told = json.loads(succeed(capsys, "export", "m.safetensors", "-o", "s.safetensors", "--dtype", dtype, "--json").out)
    assert told == {"output": "s.safetensors", "size": size, "matrices": dtype}
    assert succeed(capsys, "info", "small.safetensors").out.count(f"matrices: {dtype}") == 1
    # To ONNX go the floats that the matrices stand for.
    succeed(capsys, "export", "small.safetensors", "-o", "small.onnx", "-q")
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession("small.onnx", providers=["CPUExecutionProvider"])
    start = {f"state.{k}.{n}": part for k, s in enumerate(load("m.safetensors").runtime.initial_state(2))
             for n, part in zip(s._fields, s, strict=True)}  # fmt: skip
    y = session.run(["y"], {"x": x, "lengths": np.array([4, 4]), **start})[0]
    assert np.abs(y - load("small.safetensors").run(x)[0]).max() < 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "s.safetensors"], "an Ostinato model is a .safetensors file already."),
        (["-o", "s.onnx", "--dtype", "int8"], "--dtype is for a .safetensors file."),
        (["-o", "m.safetensors", "--dtype", "int8"], "m.safetensors is the model itself."),
    ],
)
def test_what_makes_no_sense_is_refused(capsys, folder, arguments, message):
    before = (folder / "m.safetensors").read_bytes()
    assert fail(capsys, "export", "m.safetensors", *arguments, code=2)[0] == message
    assert (folder / "m.safetensors").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["m.safetensors", "notes.txt"]


def test_what_is_no_model_is_not_overwritten(capsys, folder):
    (folder / "weights.safetensors").write_text("mine")
    message, _ = fail(capsys, "export", "m.safetensors", "-o", "weights.safetensors", "--dtype", "int8")
    assert message == "weights.safetensors exists and is no model file, so it is not overwritten."
    assert (folder / "weights.safetensors").read_text() == "mine"
