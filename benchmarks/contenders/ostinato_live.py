"""Ostinato's models as a user runs them: a stream, a pool of streams, a language model that writes.

Nothing here imports torch, since what only runs models has none; in a process that has, Ostinato computes on torch's
threads.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from ostinato import LanguageModel, Network, cells
from ostinato.architecture import ModelArchitecture, RecurrentArchitecture, SymbolArchitecture
from ostinato.data.vocabulary import Vocabulary
from ostinato.tasks.runs import Runs

from ..grid import VOCABULARY
from ..problem import Problem
from .contender import Contender, Run
from .live import Push, live_run, written

ALPHABET = "".join(map(chr, range(ord("0"), ord("0") + VOCABULARY)))
"""The character of each symbol."""
Model = TypeVar("Model", bound=Runs)


class OstinatoLive(Contender):
    """A model. kind: how its matrices are stored (`Runs.stored_as`); None: as they are."""

    kind: str | None = None

    def prepare(self, problem: Problem) -> Run:
        match problem.point.group:
            case "pool":
                return _pool(problem, self._stored(_network(problem)))
            case "generation":
                return _writing(problem, self._stored(_language_model(problem)))
            case _:
                model = self._stored(_network(problem))
                return live_run(problem, lambda: model.stream().push, lambda x: x[0])

    def _stored(self, model: Model) -> Model:
        return model if self.kind is None else model.stored_as(self.kind)


class Bfloat16(OstinatoLive):
    """A model with matrices of half the bytes."""

    kind = "bfloat16"


class Int8(OstinatoLive):
    """A model with matrices of a quarter of the bytes."""

    kind = "int8"


def _network(problem: Problem) -> Network:
    point = problem.point
    stack = RecurrentArchitecture(cells.find(point.cell), point.inputs, point.hidden)
    weights = {f"parts.0.layers.0.0.{name}": weight for name, weight in problem.weights.items()}
    return Network(ModelArchitecture(point.inputs, [stack]), weights)


def _pool(problem: Problem, model: Network) -> Run:
    def begin() -> Push:
        pool = model.streams(problem.point.batch)
        streams = np.array([pool.open() for _ in range(problem.point.batch)])
        return lambda x: pool.step(streams, x)

    return live_run(problem, begin)


def _writing(problem: Problem, model: LanguageModel) -> Run:
    start = ALPHABET[int(problem.x[0, 0])]

    def call() -> str:
        return model.generate(start, problem.point.steps, temperature=0)

    return Run(call, lambda: written(model.vocabulary_.encode(call())[:, None]))


def _language_model(problem: Problem) -> LanguageModel:
    """Return the model that `LanguageModel.fit` would, had it learned these weights."""
    point = problem.point
    model = LanguageModel(point.cell)
    model.vocabulary_ = Vocabulary.of_characters(ALPHABET)
    model.architecture_ = SymbolArchitecture(model.cell, VOCABULARY, point.inputs, point.hidden, num_layers=1)
    names = {"embedding": "embedding.weight", "head": "head.weight", "head_bias": "head.bias"}
    model.weights_ = {names.get(name, f"recurrent.layers.0.0.{name}"): w for name, w in problem.weights.items()}
    return model
