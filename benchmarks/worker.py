"""A contender in a process of its own, kept alive and asked by a pipe.

So no library's threads or settings reach another's, and a contender that dies takes nobody with it. While
one works the others wait for their pipe; what threads of theirs still spin is given a pause to sleep (`timing`).
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from .contenders import Entry, Refused, Run
from .grid import Point
from .problem import Array, Problem

ANSWER_SECONDS = 600
"""The longest that an answer may take."""
THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OSTINATO_THREADS",
    "NPROC",
    "PJRT_NPROC",
)
"""Variables that tell libraries how many threads to use; the last two are XLA's."""
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables that change how threads wait: everybody is timed with their library's own choice."""


class Failed(Exception):
    """A contender raised, died or never answered; the text says which."""

    def __init__(self, contender: str, what: str) -> None:
        super().__init__(what)
        self.contender = contender


class Worker:
    """A contender's process. To be closed."""

    def __init__(self, entry: Entry, threads: int) -> None:
        self.entry = entry
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, entry, threads), daemon=True)
        self._process.start()
        theirs.close()

    def prepare(self, point: Point) -> dict[str, Array]:
        """Make a point ready and return its arrays. Raises Refused or Failed."""
        arrays: dict[str, Array] = self._ask("prepare", point)
        return arrays

    def time(self, seconds: float) -> float:
        """Return the seconds that one call takes, a mean over at least `seconds`. Raises Failed."""
        taken: float = self._ask("time", seconds)
        return taken

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()

    def _ask(self, *request: Any) -> Any:
        try:
            self._pipe.send(request)
            if not self._pipe.poll(ANSWER_SECONDS):
                raise Failed(self.entry.name, f"gave no answer in {ANSWER_SECONDS} s")
            kind, value = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(1)
            raise Failed(self.entry.name, f"its process died with exit code {self._process.exitcode}") from None
        if kind == "refused":
            raise Refused(value)
        if kind == "failed":
            raise Failed(self.entry.name, value)
        return value


def time_call(run: Run, seconds: float) -> float:
    """Return the seconds that one call takes: one untimed call, then as many as fill `seconds`, at least three.

    The first calls after a pause are slower than those that follow, so they do not tell how many it will take.
    """
    run.call()
    gc.collect()
    gc.disable()
    try:
        calls, more, taken = 0, 3, 0.0
        begin = time.perf_counter()
        while more:
            for _ in range(more):
                run.call()
            calls += more
            taken = time.perf_counter() - begin
            more = min(calls, math.ceil((seconds - taken) * calls / taken)) if taken < seconds else 0
        return taken / calls
    finally:
        gc.enable()


def _serve(pipe: Connection, entry: Entry, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its processes itself
    limit(threads)
    contender, run = None, None
    while True:
        try:
            request, argument = pipe.recv()
        except EOFError:
            return
        try:
            if request == "prepare":
                run = None
                contender = contender or entry.load()(threads)
                run = contender.prepare(Problem.of(argument))
                answer: Any = "done", run.arrays()
            else:
                assert run is not None
                answer = "done", time_call(run, argument)
        except Refused as reason:
            answer = "refused", str(reason)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            answer = "failed", f"{type(error).__name__}: {error}"
        pipe.send(answer)


def limit(threads: int) -> None:
    """Keep this process, and those it starts, to some threads, before any library is imported."""
    os.environ |= dict.fromkeys(THREAD_COUNTS, str(threads))
    for name in WAITING:
        os.environ.pop(name, None)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
