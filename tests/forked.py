"""The command in processes that may end as they like: forked from one that has loaded torch, so that each is quick."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
TRAINING = [f"ostinato.training.{task}" for task in ("language", "forecast", "classifier")]
CONTEXT.set_forkserver_preload(["torch", "torch._dynamo", "polars", "pytest", "ostinato.cli", *TRAINING])
LONGEST = 300
"""Seconds that a command may take."""


def forked(
    *arguments: object, within: Callable[..., AbstractContextManager[Any]] = nullcontext, given: tuple[Any, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, in the folder that is the current one.

    arguments: the command's. within: a function of a module, which gives the context in which the command is run.
    given: that function's arguments.

    Returns what `subprocess.run` does: a process that a signal ended has its number, negative, as its code.
    """
    command = ["ostinato", *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / "out", Path(folder) / "err"]
        child = CONTEXT.Process(target=_run, args=(command, os.getcwd(), names, within, given))
        child.start()
        child.join(LONGEST)
        if child.exitcode is None:
            child.kill()
            raise subprocess.TimeoutExpired(command, LONGEST)
        out, err = (name.read_text() if name.exists() else "" for name in names)
        return subprocess.CompletedProcess(command, child.exitcode, out, err)


def _run(
    command: list[str], folder: str, names: list[Path], within: Callable[..., Any], given: tuple[Any, ...]
) -> None:
    for number, name in enumerate(names, start=1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    sys.argv = command
    from ostinato.cli import main

    with within(*given):
        main()
