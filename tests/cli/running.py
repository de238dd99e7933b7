"""Running the command: in this process where it is quick, in another where the process itself is the matter."""

import os
import subprocess
import sys
from pathlib import Path

from ostinato.cli import run

HERE = Path(__file__).parent
WITHOUT_TORCH = HERE / "without_torch"
"""A folder which, put on the path of a Python, makes it one that has no torch."""


def process(*arguments, without_torch=False, script=None, **how):
    """Run ``python -m ostinato`` with arguments in a process of its own, or a script's text instead of it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"} | how.pop("environment", {})
    if without_torch:
        environment["PYTHONPATH"] = str(WITHOUT_TORCH)
    what = ["-m", "ostinato"] if script is None else ["-c", script]
    command = [sys.executable, *what, *map(str, arguments)]
    how = {"capture_output": True, "text": True, "timeout": 300, "check": False} | how
    return subprocess.run(command, env=environment, **how)


def succeed(capsys, *arguments):
    """Run a command that must succeed; return what it printed, standard output and standard error."""
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured


def fail(capsys, *arguments, code=1):
    """Run a command that must fail; return its message and its hint (None without one), which is all that it says."""
    capsys.readouterr()
    assert run([str(argument) for argument in arguments]) == code
    captured = capsys.readouterr()
    return message_of(captured.err)


def message_of(said):
    """Return message and hint from the last lines of standard error, which must have the form of an error."""
    lines = said.rstrip("\n").split("\n")
    hint = lines.pop().removeprefix("  hint: ") if lines[-1].startswith("  hint: ") else None
    label, _, message = lines[-1].partition(": ")
    assert label in ("error", "stopped"), said
    assert "Traceback" not in said
    return message, hint
