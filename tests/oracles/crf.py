"""A linear-chain CRF by writing down every path: for small cases only.

weights: dict of transitions [O, O], first [O], last [O] and legal [O + 1, O + 1], the last row and column of which are
what lies beyond a sequence. emissions: [T, O] of one sequence.
"""

import itertools
import math

import numpy as np


def paths(w, steps):
    """Return every legal path of so many steps; of none there is one, the empty path."""
    size = len(w["first"])
    every = itertools.product(range(size), repeat=steps)
    return [path for path in every if is_legal(w, path)]


def is_legal(w, path):
    beyond = len(w["first"])
    bounded = [beyond, *path, beyond]
    return not path or all(w["legal"][a][b] for a, b in itertools.pairwise(bounded))


def score(w, emissions, path):
    if not path:
        return 0.0
    terms = [w["first"][path[0]], w["last"][path[-1]]]
    terms += [emissions[t][tag] for t, tag in enumerate(path)]
    terms += [w["transitions"][a][b] for a, b in itertools.pairwise(path)]
    return math.fsum(map(float, terms))


def log_partition(w, emissions):
    scores = [score(w, emissions, path) for path in paths(w, len(emissions))]
    top = max(scores)
    return top + math.log(math.fsum(math.exp(value - top) for value in scores))


def log_p(w, emissions, path):
    if not is_legal(w, path):
        return -math.inf
    return score(w, emissions, path) - log_partition(w, emissions)


def best(w, emissions):
    """Return the best path; of several the one that is least when read from its end."""
    every = paths(w, len(emissions))
    top = max(score(w, emissions, path) for path in every)
    return min((path for path in every if score(w, emissions, path) == top), key=lambda path: path[::-1])


def counts(path, shape):
    """Return how often a path has each tag at each step, makes each transition, and begins and ends with each tag."""
    size = shape[1]
    emissions, transitions, first, last = np.zeros(shape), np.zeros((size, size)), np.zeros(size), np.zeros(size)
    for t, tag in enumerate(path):
        emissions[t, tag] += 1
    for a, b in itertools.pairwise(path):
        transitions[a, b] += 1
    if path:
        first[path[0]] += 1
        last[path[-1]] += 1
    return {"emissions": emissions, "transitions": transitions, "first": first, "last": last}


def expected(w, emissions):
    """Return the mean of `counts` over all paths, by their probability: the gradient of log Z."""
    shape, log_z = np.shape(emissions), log_partition(w, emissions)
    total = counts((), shape)
    for path in paths(w, len(emissions)):
        p = math.exp(score(w, emissions, path) - log_z)
        total = {name: total[name] + p * part for name, part in counts(path, shape).items()}
    return total
