"""Wrong input: one line that says what is wrong, a hint, the right exit code, and nothing lost or half-written."""

import contextlib
import errno
import lzma
import os
import signal
from pathlib import Path

import pytest

from ostinato import model_file
from ostinato.cli import run
from ostinato.data.streams import Streams
from tests.cli.running import fail, succeed
from tests.small import FLAGS, TEXT

FIT = ["fit", "language"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with good and bad files in it, which is where the command runs."""
    monkeypatch.chdir(tmp_path)
    files = {
        "text.txt": TEXT.encode(),
        "empty.txt": b"",
        "short.txt": b"Once upon a time, in a kingdom",
        "tiny.txt": b"a",
        "picture.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 500,
        "latin.txt": "Süß ".encode("latin-1") * 999,
        "cut.xz": lzma.compress(TEXT.encode())[:-100],
        "notes.safetensors": b"my notes, which are dear to me",
        "folder/.hidden": TEXT.encode(),
        "cells.py": b"from ostinato.cells import cell, tanh\n"
        b"@cell(gates='a', state='h')\ndef mine(x, R, s):\n    return tanh(x.a + R.a(s.h))\nnumber = 5\n",
        "broken.py": b"def f(:\n",
        "leaves.py": b"import sys\nsys.exit(3)\n",
        "raises.py": b"1 / 0\n",
        "wrong.py": b"from ostinato.cells import cell\n"
        b"@cell(gates='a', state='h')\ndef mine(x, R, s):\n    return x.b\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def contents():
    """Every file below the folder with its bytes."""
    return {
        str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file() and "__pycache__" not in str(path)
    }


FILES = "check the name, and that you may read it."
WRONG_TEXTS = [
    (["empty.txt"], "empty.txt is empty.", "give a file with some text in it."),
    (["tiny.txt"], "a text of 1 symbols is too short to train on.", "give a longer text"),
    (
        ["short.txt", *FLAGS],
        "the training text has 27 symbols, and one batch of 4 streams of 8 needs 33.",
        "give a longer text, or a smaller --batch-size or --sequence-length.",
    ),
    (["picture.png"], "picture.png is binary, not text.", "a byte model takes any file: --tokens bytes."),
    (["latin.txt"], "latin.txt is not valid utf-8: byte 0xFC at offset 1.", "say how it is encoded"),
    (["cut.xz"], "cut.xz is damaged, or not a .xz archive", "fetch the file again"),
    (["gone.txt"], "gone.txt cannot be read: no such file or directory.", FILES),
    (["text.txt", "gone.txt"], "gone.txt cannot be read: no such file or directory.", FILES),
    (["text.txt", "--valid", "gone.txt"], "gone.txt cannot be read: no such file or directory.", FILES),
    (
        ["text.txt", "--valid", "tiny.txt"],
        "the held-out text has 1 symbols, and at least 2 are needed.",
        "give a longer text",
    ),
    (["folder"], "the folder folder holds no text.", "binary, empty and hidden files are left out."),
    (
        ["text.txt", "-o", "nowhere/m.safetensors"],
        "there is no folder nowhere for the output.",
        "make it: mkdir -p nowhere",
    ),
    (["text.txt", "-o", "no where/m"], "there is no folder no where for the output.", "make it: mkdir -p 'no where'"),
    (["text.txt", "-o", "folder"], "the output folder is a folder.", "name a file: -o model.safetensors"),
    (
        ["text.txt", "-o", "notes.safetensors"],
        "notes.safetensors exists and is no model file, so it is not overwritten.",
        "choose another --output.",
    ),
    (
        ["text.txt", "-o", "text.txt"],
        "text.txt exists and is no model file, so it is not overwritten.",
        "choose another --output.",
    ),
    (
        ["text.txt", "--resume"],
        "there is no checkpoint text.safetensors.checkpoint to go on from.",
        "run the same command without --resume to begin.",
    ),
    (
        ["text.txt", "--log", "nowhere/log", *FLAGS],
        "the log nowhere/log cannot be written: No such file or directory.",
        None,
    ),
    (["text.txt", "--cell", "broken.py:mine"], "broken.py cannot be run: SyntaxError", None),
    (["text.txt", "--cell", "raises.py:mine"], "raises.py cannot be run: ZeroDivisionError", None),
    (["text.txt", "--cell", "leaves.py:mine"], "leaves.py cannot be run: SystemExit", None),
    (["text.txt", "--cell", "wrong.py:mine"], "", None),
]
WRONG_OPTIONS = [
    (["--hidden", "0"], "hidden_size: expected `int` >= 1, got 0.", "--hidden is the number of hidden units"),
    (["--hidden", "many"], "Invalid value for '--hidden-size'", "see: ostinato fit language --help"),
    (["--layers", "-1"], "num_layers: expected `int` >= 1, got -1.", "--layers is"),
    (["--time", "-1m"], "'-1m' is no length of time.", "write a number with s, m or h, such as 90s, 10m or 1h30m."),
    (["--time", "soon"], "'soon' is no length of time.", "write a number with s, m or h"),
    (
        ["--time", "1m", "--steps", "5"],
        "time and steps exclude each other.",
        "give one of --time, --steps and --epochs.",
    ),
    (["--steps", "5", "--epochs", "1"], "steps and epochs exclude each other.", "give one of"),
    (["--epochs", "nan"], "epochs: expected `float` > 0.0, got nan.", "--epochs is"),
    (["--epochs", "inf"], "epochs: expected `float` <= 1000000000.0, got inf.", "--epochs is"),
    (["--dropout", "1"], "dropout: expected `float` < 1.0, got 1.0.", "--dropout is"),
    (["--valid-fraction", "0"], "valid_fraction: expected `float` > 0.0, got 0.0.", "--valid-fraction is"),
    (["--seed", "-1"], "seed: expected `int` >= 0, got -1.", "--seed is"),
    (["--threads", "0"], "threads: expected `int` >= 1, got 0.", "--threads is"),
    (["--threads", "1000000"], "threads: expected `int` <= 1024, got 1000000.", "--threads is"),
    (["--device", "abacus", "--steps", "1"], "device 'abacus' cannot be used", "use --device cpu, or auto."),
    (["--device", "meta", "--steps", "1"], "device 'meta' cannot be used", "use --device cpu, or auto."),
    (["--tokens", "words"], "Invalid value for '--tokens'", "see: ostinato fit language --help"),
    (["--encoding", "klingon"], "there is no text encoding 'klingon'.", "known ones are"),
    (["--cell", "lstn"], "there is no cell named 'lstn'.", "did you mean 'lstm'?"),
    (["--cell", "gone.py:mine"], "there is no file 'gone.py' to take the cell 'mine' from.", "write FILE.py:NAME."),
    (["--cell", "cells.py:yours"], "cells.py defines no cell named 'yours'.", "decorate a function of that name"),
    (["--cell", "cells.py:number"], "cells.py defines no cell named 'number'.", "decorate a function of that name"),
    (["--cell", "text.txt:mine"], "text.txt is no Python file.", "write FILE.py:NAME."),
    (["--hiden", "8"], "No such option", "see: ostinato fit language --help"),
]


def shown(value):
    return " ".join(value)[:50] if isinstance(value, list) else None


@pytest.mark.parametrize(("arguments", "message", "hint"), WRONG_TEXTS, ids=shown)
def test_a_wrong_text_or_output_is_told_and_nothing_is_written(capsys, arguments, message, hint):
    before = contents()
    said, given_hint = fail(capsys, *FIT, *arguments, code=1)
    assert said.startswith(message)
    assert (given_hint or "").startswith(hint or "")
    assert contents() == before


@pytest.mark.parametrize(("arguments", "message", "hint"), WRONG_OPTIONS, ids=shown)
def test_a_wrong_option_is_told_with_what_it_means_and_nothing_is_written(capsys, arguments, message, hint):
    before = contents()
    said, given_hint = fail(capsys, *FIT, "text.txt", *arguments, code=2)
    assert said.startswith(message)
    assert given_hint.startswith(hint)
    assert contents() == before


def test_wrong_usage(capsys):
    assert fail(capsys, *FIT, code=2) == ("Missing argument 'FILE…'.", "see: ostinato fit language --help")
    assert fail(capsys, "info", "one", "two", code=2)[1] == "see: ostinato info --help"
    assert fail(capsys, *FIT, "text.txt", "--output", code=2)[0] == "Option '--output' requires an argument."


def test_an_unknown_command(capsys):
    assert fail(capsys, "sing", code=2) == ("No such command 'sing'.", "see: ostinato --help")
    assert fail(capsys, "fit", "poems", code=2)[1] == "see: ostinato fit --help"


# ---- models


@pytest.fixture
def model(small_file, folder):
    (folder / "m.safetensors").write_bytes(small_file.read_bytes())
    return "m.safetensors"


COMMANDS = {"generate": [], "evaluate": ["text.txt"], "info": []}


@pytest.mark.parametrize(("command", "more"), COMMANDS.items())
def test_every_command_refuses_a_model_that_is_missing_truncated_flipped_or_none(capsys, folder, model, command, more):
    content = Path(model).read_bytes()
    Path("flipped").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    Path("truncated").write_bytes(content[: len(content) // 2])
    before = contents()
    damaged = "restore the file from a copy, or train it again."
    assert fail(capsys, command, "gone", *more) == (
        "there is no file gone.",
        "check the name; train a model with: ostinato fit",
    )
    assert fail(capsys, command, "truncated", *more)[1] == damaged
    assert fail(capsys, command, "flipped", *more) == (
        "flipped is damaged: its contents do not match their digest.",
        damaged,
    )
    assert fail(capsys, command, "text.txt", *more)[0] == "text.txt is not a model file: it is no safetensors file."
    assert fail(capsys, command, "folder", *more)[0] == "folder is a folder, not a model file."
    assert contents() == before


@pytest.mark.parametrize(
    ("arguments", "message", "hint", "code"),
    [
        (
            ["-p", "€1"],
            "the model does not know '€' (U+20AC), at character 1.",
            "--unknown skip leaves such characters out.",
            1,
        ),
        (["-t", "-1"], "temperature must be a number of at least 0, not -1.0.", None, 2),
        (["-t", "nan"], "temperature must be a number of at least 0, not nan.", None, 2),
        (["--top-k", "0"], "top_k must be at least 1, not 0.", None, 2),
        (["--top-p", "1.5"], "top_p must be more than 0 and at most 1, not 1.5.", None, 2),
        (["-n", "-1"], "length must be at least 0, not -1.", None, 2),
        (["--seed", "-1"], "seed must be at least 0, not -1.", None, 2),
        (["--samples", "0"], "Invalid value for '--samples'", "see: ostinato generate --help", 2),
        (["--unknown", "guess"], "Invalid value for '--unknown'", "see: ostinato generate --help", 2),
    ],
    ids=shown,
)
def test_a_wrong_figure_of_generate_is_told_before_anything_is_written(capsys, model, arguments, message, hint, code):
    assert run(["generate", model, *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == (2 if hint else 1)
    assert (f"  hint: {hint}\n" in captured.err) == (hint is not None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny.txt"], "a text of 1 symbols has nothing to predict."),
        (["empty.txt"], "empty.txt is empty."),
        (["picture.png"], "picture.png is binary, not text."),
        (["gone.txt"], "gone.txt cannot be read: no such file or directory."),
        (["text.txt", "--train", "gone.txt"], "gone.txt cannot be read: no such file or directory."),
        (["latin.txt", "--encoding", "latin-1"], "the model does not know 'ü' (U+00FC), at character 2."),
    ],
    ids=shown,
)
def test_a_wrong_text_to_evaluate_is_told(capsys, model, arguments, message):
    said, hint = fail(capsys, "evaluate", model, *arguments)
    assert said == message
    assert hint


def test_an_unknown_cell_is_told_with_the_closest(capsys):
    assert fail(capsys, "cells", "gruu", code=2) == ("there is no cell named 'gruu'.", "did you mean 'gru'?")


# ---- runs that were stopped


@contextlib.contextmanager
def signal_in(step, number=signal.SIGTERM):
    with pytest.MonkeyPatch.context() as monkeypatch:
        original = Streams.batch

        def batch(streams, now):
            if now == step:
                signal.raise_signal(number)
            return original(streams, now)

        monkeypatch.setattr(Streams, "batch", batch)
        yield


RUN = [*FIT, "text.txt", "--cell", "gru", *FLAGS, "-q"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_saves_it_and_says_how_to_go_on(capsys, monkeypatch, number, code):
    monkeypatch.setattr("sys.argv", ["ostinato", *RUN])
    with signal_in(4, number):
        message, hint = fail(capsys, *RUN, code=code)
    assert message == "after step 5 of 12, which is saved."
    assert hint == f"go on with: ostinato {' '.join(RUN)} --resume"
    assert model_file.read("text.safetensors.checkpoint")[0]["run"]["step"] == 5
    assert not os.path.exists("text.safetensors")


@pytest.fixture
def stopped(capsys):
    with signal_in(4):
        fail(capsys, *RUN, code=143)
    return Path("text.safetensors.checkpoint")


@pytest.mark.usefixtures("stopped")
def test_an_unfinished_run_is_not_begun_anew_by_mistake(capsys):
    before = contents()
    assert fail(capsys, *RUN, code=2) == (
        "text.safetensors.checkpoint holds an unfinished run.",
        "go on with --resume, or delete that file to begin anew.",
    )
    assert contents() == before


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize(
    ("more", "message", "code"),
    [
        (["--seed", "1"], "seed is 1, but the checkpoint was made with 0.", 2),
        (["--hidden", "9"], "hidden_size is 9, but the checkpoint was made with 8.", 2),
        (["--steps", "13"], "steps is 13, but the checkpoint was made with 12.", 2),
        (["--cell", "lstm"], "the checkpoint was made with another cell.", 2),
        (["--valid", "short.txt"], "the checkpoint was made from another text.", 2),
        (["short.txt"], "the checkpoint was made from another text.", 2),
        (["--tokens", "bytes"], "tokens is 'bytes', but the checkpoint was made with 'characters'.", 2),
    ],
    ids=shown,
)
def test_flags_that_contradict_the_run_are_refused_and_leave_it(capsys, more, message, code):
    before = contents()
    assert fail(capsys, *RUN, *more, "--resume", code=code)[0] == message
    assert contents() == before
    succeed(capsys, *RUN, "--resume")


def test_a_damaged_checkpoint_is_refused(capsys, stopped):
    content = stopped.read_bytes()
    stopped.write_bytes(content[:-1])
    before = contents()
    said, hint = fail(capsys, *RUN, "--resume")
    assert said.startswith("text.safetensors.checkpoint is damaged")
    assert hint == "restore the file from a copy, or train it again."
    assert contents() == before


def test_a_checkpoint_is_neither_a_model_nor_overwritten_by_one(capsys, stopped):
    for command in ("info", "generate"):
        assert fail(capsys, command, stopped) == (
            "text.safetensors.checkpoint is the checkpoint of an unfinished run, not a model.",
            "finish the run: the same command with --resume",
        )
    said, _ = fail(capsys, *FIT, "text.txt", "-o", stopped, *FLAGS)
    assert said == "text.safetensors.checkpoint exists and is no model file, so it is not overwritten."


# ---- what the machine does


def test_a_run_that_diverges_is_told_and_leaves_no_model(capsys):
    flags = ["--cell", "elman_relu", "--learning-rate", "1e9", "--clip-norm", "1e9", "--steps", "60"]
    said, hint = fail(capsys, *FIT, "text.txt", *FLAGS, *flags, "-q")
    assert "is no longer a finite number at step" in said
    assert "--learning-rate" in hint
    assert not os.path.exists("text.safetensors")


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_shows_before_the_work_and_loses_nothing(capsys, monkeypatch, folder, model):
    before = contents()
    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(Streams, "batch", lambda *_: pytest.fail("a step was taken"))
    assert fail(capsys, *FIT, "text.txt", *FLAGS, "-o", model, "-q") == (
        f"{model}.checkpoint: no space left on device.",
        "free some space, or write elsewhere; nothing that was there is lost.",
    )
    assert contents() == before


def test_a_disk_that_fills_up_while_training_leaves_the_last_checkpoint(capsys, monkeypatch):
    calls, sync = [], os.fsync

    def fills_up(descriptor):
        calls.append(descriptor)
        return sync(descriptor) if len(calls) < 5 else full()

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", fills_up)
        assert fail(capsys, *RUN) == (
            "the checkpoint text.safetensors.checkpoint cannot be written: no space left on device.",
            "free some space, then go on with --resume: the run is kept as it was after step 4.",
        )
    assert model_file.read("text.safetensors.checkpoint")[0]["run"]["step"] == 4
    succeed(capsys, *RUN, "--resume")
    assert os.path.exists("text.safetensors")
    assert not os.path.exists("text.safetensors.checkpoint")


def wrapped(error):
    """A signal's error as Python tells one that comes amid the making of a class."""
    outer = RuntimeError("Error calling __set_name__ on 'Field' instance")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "code", "message", "hint"),
    [
        (KeyboardInterrupt(), 130, "interrupted.", None),
        (wrapped(KeyboardInterrupt()), 130, "interrupted.", None),
        (wrapped(SystemExit(143)), 143, "interrupted.", None),
        (MemoryError(), 1, "there is not enough memory.", "use a smaller --hidden, --batch-size or --sequence-length."),
        (
            PermissionError(errno.EACCES, "Permission denied", "here"),
            1,
            "here: permission denied.",
            "write where you may",
        ),
        (OSError(errno.EROFS, "Read-only file system"), 1, "read-only file system.", "write where you may"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_machine_does_is_told_in_a_line(capsys, monkeypatch, error, code, message, hint):
    def raise_it(*_):
        raise error

    monkeypatch.setattr(Streams, "batch", raise_it)
    said, given_hint = fail(capsys, *FIT, "text.txt", *FLAGS, "-q", code=code)
    assert said == message
    assert (given_hint or "").startswith(hint or "")
    assert (given_hint is None) == (hint is None)


def test_a_fault_of_ours_is_not_hidden(monkeypatch):
    def raise_it(*_):
        raise wrapped(ValueError("a bug"))

    monkeypatch.setattr(Streams, "batch", raise_it)
    with pytest.raises(RuntimeError, match="__set_name__"):
        run([*FIT, "text.txt", *FLAGS, "-q"])


# ---- demo


def test_the_demo_overwrites_nothing_that_it_did_not_make(capsys, folder, small_file):
    Path("other.safetensors").write_bytes(small_file.read_bytes())
    Path("ostinato-demo.safetensors").write_bytes(b"dear to me")
    before = contents()
    for name in ("ostinato-demo.safetensors", "other.safetensors", "notes.safetensors"):
        assert fail(capsys, "demo", "-o", name) == (
            f"{name} exists and was not made by the demo, so it is not overwritten.",
            "choose another --output.",
        )
    assert fail(capsys, "demo", "-o", "folder")[0] == "the output folder is a folder."
    assert fail(capsys, "demo", "-o", "nowhere/m")[0] == "there is no folder nowhere for the output."
    assert contents() == before
