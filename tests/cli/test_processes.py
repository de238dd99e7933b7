"""The command as a process: what it loads, pipes that close, disks that fill, and a base install without torch."""

import errno
import os
import subprocess
import sys

import pytest

import ostinato
from tests.cli.running import message_of, process, succeed
from tests.small import FLAGS, SIZES, TEXT

LISTING = "; import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


def output_of(ran):
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


# ---- what is loaded


def test_importing_the_package_loads_neither_torch_nor_numpy():
    loaded = output_of(process(script=f"import ostinato{LISTING}")).split()
    assert "ostinato" in loaded
    assert {"torch", "numpy", "msgspec", "click", "rich"} & set(loaded) == set()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["fit", "language", "--help"], ["cells"], ["--version"]], ids=" ".join
)
def test_help_loads_no_torch(arguments):
    loaded = (
        output_of(process(script=f"from ostinato.cli import run; run({arguments!r}){LISTING}")).splitlines()[-1].split()
    )
    assert "click" in loaded
    assert "torch" not in loaded


def test_generating_evaluating_and_telling_load_no_torch(small_file):
    for arguments in (["generate", "-n", "5"], ["evaluate", "text.txt"], ["info"]):
        command, *more = arguments
        script = f"from ostinato.cli import run; run({[command, str(small_file), *more]!r}){LISTING}"
        assert "torch" not in output_of(process(script=script)).splitlines()[-1].split()


def test_the_module_is_the_command():
    assert output_of(process("--version")) == f"ostinato, version {ostinato.__version__}\n"
    assert "Usage: ostinato [OPTIONS] COMMAND" in output_of(process("--help"))


# ---- a base install


OWN = '''
from ostinato.cells import bias, cell, sigmoid, tanh

@cell(gates="f g o", state="h c", vectors="f_peep o_peep", init={"f": bias(1.0)})
def of_my_own(x, R, s, p):
    """Peepholes and coupled gates."""
    f = sigmoid(x.f + R.f(s.h) + p.f_peep * s.c)
    c = f * s.c + (1 - f) * tanh(x.g + R.g(s.h))
    o = sigmoid(x.o + R.o(s.h) + p.o_peep * c)
    return o * tanh(c), c
'''


def test_a_cell_of_ones_own_runs_where_neither_its_python_nor_torch_exists(capsys, folder):
    (folder / "own.py").write_text(OWN)
    trained = succeed(capsys, "fit", "language", "text.txt", "--cell", "own.py:of_my_own", *FLAGS, "-q", "-o", "m").out
    os.remove("own.py")
    written = succeed(capsys, "generate", "m", "-p", "if ", "-n", "60", "--seed", "1").out
    assert output_of(process("generate", "m", "-p", "if ", "-n", "60", "--seed", "1", without_torch=True)) == written
    assert (
        output_of(process("evaluate", "m", "text.txt", without_torch=True)).splitlines()[0] == trained.splitlines()[0]
    )
    assert "o_peep" in output_of(process("info", "m", without_torch=True))


@pytest.mark.parametrize("arguments", [["fit", "language", "text.txt", "--steps", "1"], ["demo"]], ids=" ".join)
def test_training_without_torch_says_what_to_install(folder, arguments):
    ran = process(*arguments, without_torch=True)
    assert ran.returncode == 1
    assert message_of(ran.stderr) == ("this needs torch, which is not installed.", "pip install 'ostinato[train]'")
    assert os.listdir(folder) == ["text.txt"]


def test_every_public_way_to_torch_says_what_to_install():
    script = f"""
import importlib, ostinato
from ostinato.errors import MissingExtraError
def use(way):
    try:
        way()
    except MissingExtraError as error:
        print(error.message, error.hint)
use(lambda: ostinato.nn)
use(lambda: importlib.import_module("ostinato.nn.recurrent"))
use(lambda: importlib.import_module("ostinato.training.language"))
use(lambda: ostinato.LanguageModel(steps=1).fit({TEXT[:200]!r}))
"""
    said = output_of(process(script=script, without_torch=True)).splitlines()
    assert said == ["this needs torch, which is not installed. pip install 'ostinato[train]'"] * 4


def test_the_torch_free_python_is_one():
    script = "from importlib.util import find_spec; print(find_spec('torch') is not None)"
    assert output_of(process(script=script)) == "True\n"
    assert output_of(process(script=script, without_torch=True)) == "False\n"
    assert "ModuleNotFoundError" in process(script="import torch", without_torch=True).stderr


def test_the_rest_of_the_package_needs_no_torch():
    script = """
import ostinato, numpy as np
from ostinato.cells import CELLS
for cell in CELLS.values():
    widths = {"H": 4, "P": 4}
    shapes = cell.program.weight_shapes(4, widths)
    weights = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    bound = ostinato.engine.prepare(cell.program, weights)
    state = [np.zeros((2, 4), np.float32) for _ in cell.states]
    y, _ = bound.sequence(np.ones((5, 2, 4), np.float32), state)
    assert y.shape == (5, 2, cell.program.output_width(widths))
"""
    output_of(process(script=script, without_torch=True))


# ---- pipes, disks and terminals


def test_a_text_comes_through_a_pipe(capsys, small_file):
    expected = succeed(capsys, "evaluate", small_file, "text.txt").out
    assert output_of(process("evaluate", small_file, "-", input=TEXT)) == expected


def test_a_reader_that_has_seen_enough_ends_it_quietly(small_file):
    command = [sys.executable, "-m", "ostinato", "generate", str(small_file), "-n", "1000000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert len(running.stdout.read(1)) == 1
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(timeout=60) == 0


def test_text_appears_as_it_is_made(small_file):
    """The first characters of a text that would take days come at once."""
    command = [sys.executable, "-m", "ostinato", "generate", str(small_file), "-p", "if ", "-n", "1000000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout.read(5).startswith(b"if ")
        running.kill()


@pytest.mark.parametrize("arguments", [["info"], ["generate", "-n", "20"]], ids=" ".join)
def test_an_output_that_is_full_is_told(small_file, arguments):
    command, *more = arguments
    with open("/dev/full", "w") as full:
        ran = process(command, small_file, *more, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert ran.returncode == 1
    assert message_of(ran.stderr)[0] == "no space left on device."
    assert ran.stderr.count("\n") == 2


def test_closed_standard_streams_are_no_crash(small_file):
    def close(*numbers):
        return lambda: [os.close(number) for number in numbers]

    assert process("generate", small_file, "-n", "5", capture_output=False, preexec_fn=close(1)).returncode == 0
    ran = process("fit", "language", "-", stdin=None, preexec_fn=close(0))
    assert (ran.returncode, message_of(ran.stderr)[0]) == (1, "standard input is closed.")


def test_a_terminal_without_the_models_characters_is_no_crash(folder):
    model = ostinato.LanguageModel("gru", **SIZES).fit("u ≤ v ≥ w\n" * 200, quiet=True)
    model.save("m")
    expected = model.generate("v", 40, temperature=0.8, seed=1)
    assert not expected.isascii()
    generate = ["generate", "m", "-p", "v", "-n", "40", "--seed", "1"]
    ran = process(*generate, environment={"PYTHONIOENCODING": "latin-1"})
    assert output_of(ran) == f"v{expected}\n".encode("latin-1", "backslashreplace").decode()


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from ostinato.cli import main
main()
"""


def test_a_disk_without_room_leaves_the_older_model_and_nothing_half_written(capsys, folder):
    """A limit on the size of files stands for the disk: what is written meets the same end in the same place."""
    succeed(capsys, "fit", "language", "text.txt", *FLAGS, "-q", "-o", "m")
    before = (folder / "m").read_bytes()
    assert len(before) < 20_000
    ran = process("fit", "language", "text.txt", *FLAGS, "--hidden", "64", "-q", "-o", "m", script=LIMITED)
    assert ran.returncode == 1
    assert message_of(ran.stderr)[0] == f"m.checkpoint: {os.strerror(errno.EFBIG).lower()}."
    assert (folder / "m").read_bytes() == before
    assert sorted(os.listdir(folder)) == ["m", "text.txt"]


def test_messages_go_to_standard_error_and_results_to_standard_output(capsys):
    said = succeed(capsys, "fit", "language", "text.txt", *FLAGS)
    assert "nats/character" in said.out
    assert "plan: --steps 12" in said.err
    assert "plan" not in said.out
