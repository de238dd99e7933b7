"""Contenders that say what a test wants, in this process and in one of their own."""

import os
from contextlib import contextmanager

import numpy as np
from benchmarks.contenders import Contender, Entry, Refused, Run
from benchmarks.grid import GROUPS
from benchmarks.machine import Abilities, Machine
from benchmarks.worker import Failed

ANSWER = {"y": np.arange(6.0).reshape(3, 2, 1), "d_x": np.ones((3, 2))}
MACHINE = Machine(
    "a processor", 2, ["avx2"], 512, 16.0, "Linux", {"python": "3"}, 0.1, Abilities(100, 200, 90, "a rule")
)


def entry(name, source="tests.benchmarks.fakes:Right", libraries=()):
    return Entry(name, source, libraries, tuple(GROUPS))


class Right(Contender):
    def prepare(self, problem):
        return Run(lambda: None, lambda: {"y": problem.x, "threads": np.array(float(os.environ["OMP_NUM_THREADS"]))})


class Raising(Contender):
    def prepare(self, problem):
        raise ZeroDivisionError("no luck")


class Refusing(Contender):
    def prepare(self, problem):
        raise Refused("not today")


class Dying(Contender):
    def prepare(self, problem):
        os._exit(7)


class FakeWorker:
    """Takes `seconds` a call; what it answers with is given, or raised. dies: the name of one that dies when timed."""

    def __init__(self, answer, seconds=0.001, dies=None):
        self.answer, self.seconds, self.dies, self.timed = answer, seconds, dies, 0

    def prepare(self, point):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def time(self, seconds):
        if self.dies:
            raise Failed(self.dies, "its process died")
        self.timed += 1
        return self.seconds


class FakeField:
    def __init__(self, workers):
        self.workers, self.dismissed = {"reference": FakeWorker(ANSWER)} | workers, []

    def worker(self, entry):
        return self.workers[entry.name]

    def dismiss(self, name):
        self.dismissed.append(name)


@contextmanager
def fake_field(workers):
    yield FakeField(workers)
