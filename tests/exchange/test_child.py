"""The guarded child process: whatever happens to it is a message, within limits, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from ostinato import Network, load
from ostinato.errors import DataError, FileFormatError, MissingExtraError, OptionError
from ostinato.exchange import child, reading
from ostinato.exchange.child import GIB, Limits, ask
from tests.exchange.graphs import Builder, run, saved

LIMITS = Limits(2 * GIB, 60.0)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder to work in, with a folder for temporary files that must be empty in the end."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "private").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not list((tmp_path / "temporary").iterdir())


@pytest.fixture
def model(tmp_path):
    builder = Builder(3)
    builder.recurrent("LSTM")
    builder.to("Softmax")
    made = builder.model()
    saved(made, tmp_path / "m.onnx")
    return made


def playing(script):
    """What stands for the command of a child: a script that knows its request as `request`."""
    prelude = "import json, os, sys, time; request = json.loads(sys.argv[1]); os.chdir(request['folder'])\n"
    return lambda request: [sys.executable, "-c", prelude + script, child._encode(request)]


def test_what_a_child_reads_is_the_model(model):
    found = reading.read_foreign("m.onnx")
    x = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    expected = run(model, {"x": x})[model.graph.output[0].name]
    assert np.allclose(found.network.run(x)[0], expected, atol=1e-6)
    assert found.notes == ()
    network = Network.from_foreign("m.onnx")
    assert network.notes_ == ()
    network.save("again.safetensors")
    assert load("again.safetensors").run(x)[0].tobytes() == found.network.run(x)[0].tobytes()


def test_notes_come_back():
    builder = Builder(3, batch_first=True)
    builder.recurrent("GRU")
    saved(builder.model(), "m.onnx")
    assert Network.from_foreign("m.onnx").notes_ == (
        "the input 'x' is [B, T, 3] in the file, and [T, B, 3] here.",
        "the output is [B, T, 4] in the file, and [T, B, 4] here.",
    )


def test_errors_come_back_as_what_they_are(model, monkeypatch):
    Path("junk.onnx").write_bytes(b"junk, and more of it")
    with pytest.raises(DataError, match=r"junk\.onnx is damaged, or no ONNX file"):
        reading.read_foreign("junk.onnx")
    with pytest.raises(OptionError, match="says itself what its layers are"):
        reading.read_foreign("m.onnx", layers="lstm")
    script = "json.dump({'error': 'MissingExtraError', 'message': 'm.', 'hint': 'h'}, open('answer.json', 'w'))"
    monkeypatch.setattr(child, "_command", playing(script))
    with pytest.raises(MissingExtraError) as caught:
        reading.read_foreign("m.onnx")
    assert (caught.value.message, caught.value.hint) == ("m.", "h")


ANSWERS = {
    "none": "pass",
    "no JSON": "open('answer.json', 'wb').write(bytes(range(256)))",
    "another": "json.dump([1, 2], open('answer.json', 'w'))",
    "endless": "open('answer.json', 'w').write('[' * 2_000_000)",
    "deep": "open('answer.json', 'w').write('[' * 500_000)",
    "an error that is none": "json.dump({'error': 'SystemExit'}, open('answer.json', 'w'))",
    "an error with a signal": "json.dump({'error': 'Interrupted'}, open('answer.json', 'w'))",
    "a folder": "os.mkdir('answer.json')",
}


@pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_makes_no_sense_is_told(script, model, monkeypatch):
    monkeypatch.setattr(child, "_command", playing(script))
    with pytest.raises(DataError, match=r"^m.onnx could not be read: its process gave no answer that makes sense\.\n"):
        reading.read_foreign("m.onnx")


def test_a_model_that_is_none_is_told(model, monkeypatch):
    monkeypatch.setattr(child, "_command", playing("json.dump({}, open('answer.json', 'w'))"))
    with pytest.raises(FileFormatError, match="there is no file"):
        reading.read_foreign("m.onnx")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("os.abort()", "the library that reads it crashed (SIGABRT)"),
        ("import ctypes; ctypes.string_at(0)", "the library that reads it crashed (SIGSEGV)"),
        ("os.kill(os.getpid(), 9)", "its process was killed, as a system does that has no memory left"),
        ("sys.exit(7)", "its process ended with code 7"),
        ("json.dump({}, open('answer.json', 'w')); os.abort()", "the library that reads it crashed (SIGABRT)"),
    ],
)
def test_the_death_of_a_child_is_told(script, reason, model, monkeypatch):
    monkeypatch.setattr(child, "_command", playing(script))
    with pytest.raises(DataError) as caught:
        reading.read_foreign("m.onnx")
    assert caught.value.message == f"m.onnx could not be read: {reason}."
    assert "may be damaged" in caught.value.hint


def test_a_child_that_hangs_is_ended(model, folder, monkeypatch):
    monkeypatch.setattr(child, "_command", playing("open('pid', 'w').write(str(os.getpid())); time.sleep(600)"))
    with pytest.raises(DataError, match="it took more than 1 seconds"):
        ask(Path("m.onnx"), None, folder / "private", Limits(GIB, 1.0))
    pid = int((folder / "private" / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def in_child(script):
    """What stands for the command of a child: its own main, with a reader that does what a script says."""
    begin = "import sys\nfrom ostinato.exchange import child, formats\n"
    begin += f"def read(path, layers):\n    {script}\nformats.read_file = read\n"
    begin += "sys.argv[1:] = ['', sys.argv[1]]\nchild.main()"
    return lambda request: [sys.executable, "-c", begin, child._encode(request)]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("bytearray(3 * 2**30)", "m.onnx needs more memory than the 2.0 GiB that it may take."),
        ("1 / 0", "m.onnx could not be read, it may be damaged: ZeroDivisionError: division by zero"),
        ("open('/nowhere')", "m.onnx could not be read: no such file or directory."),
        ("raise RecursionError('deep')", "m.onnx could not be read, it may be damaged: RecursionError: deep"),
    ],
)
def test_a_reader_that_fails_ends_in_a_message(script, message, model, folder, monkeypatch):
    monkeypatch.setattr(child, "_command", in_child(script))
    with pytest.raises(DataError) as caught:
        ask(Path("m.onnx"), None, folder / "private", LIMITS)
    assert caught.value.message == message


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of this system")
@pytest.mark.parametrize(
    ("script", "seconds", "reason"),
    [
        # The clock of the child itself, which ends it where the parent is gone: here it is the earlier one.
        (
            "import signal, time; signal.setitimer(signal.ITIMER_REAL, 0.2); time.sleep(60)",
            50.0,
            "more than 50 seconds",
        ),
        pytest.param(
            "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 99)); any(iter(int, 1))",
            50.0,
            "more than 50 seconds",
            marks=pytest.mark.slow,
        ),
        ("open('m', 'wb').truncate(3 * 2**30)", 50.0, "file too large"),
        ("import resource; raise ValueError(f'core {resource.getrlimit(resource.RLIMIT_CORE)[0]}')", 50.0, "core 0"),
    ],
)
def test_the_limits_of_the_system_hold(script, seconds, reason, model, folder, monkeypatch):
    monkeypatch.setattr(child, "_command", in_child(script))
    monkeypatch.chdir(folder / "private")
    with pytest.raises(DataError, match=reason):
        ask(folder / "m.onnx", None, folder / "private", Limits(2 * GIB, seconds))


def test_a_long_answer_is_shortened():
    answer = child.Answer(["note"] * 5000, "DataError", "long " * 10_000, "hint")
    short = child._shortened(answer)
    assert len(short.notes) == 1001
    assert short.notes[-1] == "there are more notes than are told here."
    assert short.message.endswith("… and more of the same.")
    assert len(child._encode(short)) < child.MAX_ANSWER


def test_a_child_is_isolated(model, folder, monkeypatch):
    # Neither the folder where the command runs, nor the environment, gets code into the child.
    for name in ("json.py", "onnx.py", "sitecustomize.py"):
        (folder / name).write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("PYTHONSTARTUP", str(folder / "json.py"))
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert reading.read_foreign("m.onnx").notes == ()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_parent_ends_the_child(number, model, folder):
    script = (
        "import sys, signal\n"
        "from ostinato.exchange import child\n"
        "import ostinato.cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # which a job in the background ignores
        "sleep = 'import os, time; open(\\'pid\\', \\'w\\').write(str(os.getpid())); time.sleep(600)'\n"
        "child._command = lambda request: [sys.executable, '-c', sleep]\n"
        "sys.argv = ['ostinato', 'import', 'm.onnx', '-o', 'out.safetensors']\n"
        "ostinato.cli.main()\n"
    )
    environment = os.environ | {"TMPDIR": str(folder / "temporary")}
    parent = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, env=environment, text=True)
    deadline = time.monotonic() + 60
    while not (folder / "pid").exists() or not (folder / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.send_signal(number)
    _, said = parent.communicate(timeout=60)
    assert parent.returncode == 128 + number
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)
    assert not (folder / "out.safetensors").exists()


# ---- before a child is started


@pytest.fixture
def no_child(monkeypatch):
    """Whoever starts a child fails."""
    monkeypatch.setattr(child, "_command", lambda request: pytest.fail("a child was started"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.onnx", None, "gone.onnx does not exist."),
        (".", None, ". is a folder, or no file."),
        ("m.txt", b"text", "m.txt has no name that says what it is."),
        ("zip.onnx", b"PK\x03\x04" + bytes(50), "zip.onnx is a zip file, and no ONNX file."),
    ],
)
def test_what_is_no_file_of_a_model_is_told_at_once(name, content, message, folder, no_child):
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        reading.read_foreign(name)
    assert caught.value.message == message


def test_a_file_that_is_too_large_is_not_read(folder, no_child, monkeypatch):
    with open("large.onnx", "wb") as file:
        file.truncate(reading.MAX_BYTES + 1)
    with pytest.raises(DataError, match=r"large.onnx has 2.0 GiB; files of up to 2 GiB are read"):
        reading.read_foreign("large.onnx")


def test_limits_grow_with_the_file():
    assert Limits.of(0, GIB) == Limits(GIB, 60.0)
    assert Limits.of(10**9, GIB) == Limits(GIB + 8 * 10**9, 160.0)


def test_a_name_that_is_no_text_is_read(model, folder):
    name = os.fsdecode(b"m\xff.onnx")
    try:
        os.rename("m.onnx", name)
    except OSError:
        pytest.skip("this file system knows no such names")
    assert reading.read_foreign(name).notes == ()
    Path(name).write_bytes(b"junk")
    with pytest.raises(DataError, match="is damaged, or no ONNX file"):
        reading.read_foreign(name)
