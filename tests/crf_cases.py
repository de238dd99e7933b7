"""Random CRFs and batches that are small enough to write down every path."""

import itertools

import numpy as np

from tests.oracles import crf as oracle


class Case:
    """Weights of O tags, some transitions illegal, and a batch of sequences of 0 to T steps; all from a seed.

    whole: scores are whole numbers, so that many paths are equally good.
    """

    def __init__(self, seed, whole=False):
        random = np.random.default_rng(seed)
        self.size, self.batch = (int(n) for n in random.integers(1, 5, 2))
        self.lengths = random.integers(0, 6 if self.size < 4 else 5, self.batch)
        self.steps = int(self.lengths.max()) + int(random.integers(0, 3))
        draw = (lambda *shape: random.integers(-1, 2, shape) * 1.0) if whole else random.normal
        shapes = {"transitions": (self.size, self.size), "first": (self.size,), "last": (self.size,)}
        self.weights = {name: draw(*shape) if whole else draw(size=shape) for name, shape in shapes.items()}
        self.weights["legal"] = legal(random, self.size)
        shape = (self.steps, self.batch, self.size)
        self.emissions = draw(*shape) if whole else 2 * draw(size=shape)
        self.tags = random.integers(0, self.size, (self.steps, self.batch))
        for b, length in enumerate(self.lengths):
            options = oracle.paths(self.weights, int(length))
            self.tags[:length, b] = options[random.integers(len(options))]

    def sequence(self, b):
        return self.emissions[: self.lengths[b], b]

    def path(self, b):
        return tuple(self.tags[: self.lengths[b], b].tolist())


def telling_case():
    """Return the first case with several tags and steps, something illegal, and lengths that differ."""
    cases = map(Case, itertools.count())
    return next(case for case in cases if case.size > 2 < case.lengths.max() > case.lengths.min() and case.batch > 2)


def legal(random, size):
    """Return what may follow what: nearly half of all is illegal, but one tag may always stand."""
    found = random.random((size + 1, size + 1)) < 0.6
    free = random.integers(size)
    found[free, free] = found[-1, free] = found[free, -1] = True
    return found
