"""The linear-chain conditional random field over NumPy: best paths and probabilities; no torch.

What it is, and what its weights mean, is said at `nn.crf.CRF`, which learns them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..chains import Chains
from ..data.tag_schemes import checked_legal
from ..shapes import expect

Array = NDArray[Any]
Floats = NDArray[np.float64]
Tags = NDArray[np.int64]


class CRFRuntime:
    """Reads emissions [T, B, O], with lengths [B] of the sequences (None: all T), beyond which nothing is looked at.

    weights: ``transitions`` [O, O], ``first`` [O], ``last`` [O] and ``legal`` [O + 1, O + 1], 0 where a transition is
    illegal. All is computed in float64, and no sequence's numbers depend on what else is in the batch, not by a bit.

    Raises ShapeError for weights or emissions of other shapes, OptionError where `legal` leaves a sequence without a
    path.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.outputs = len(weights["first"])
        expect("CRFRuntime", "transitions", weights["transitions"], "O O", O=self.outputs)
        expect("CRFRuntime", "last", weights["last"], "O", O=self.outputs)
        legal = checked_legal(np.asarray(weights["legal"]) > 0.5, self.outputs)
        self._transitions = _masked(weights["transitions"], legal[:-1, :-1])
        self._first = _masked(weights["first"], legal[-1, :-1])
        self._last = _masked(weights["last"], legal[:-1, -1])
        self._onto = np.ascontiguousarray(self._transitions.T)

    def best(self, emissions: Array, lengths: Any = None) -> tuple[Tags, Floats]:
        """Return the likeliest path of each sequence [T, B], 0 beyond its length, and log p of that path [B].

        By the algorithm of Viterbi (1967). Of paths that are equally likely it takes the one whose last tag is the
        lowest, then the one whose tag before that is, and so on.
        """
        chains, rows = self._rows(emissions, lengths)
        best = np.empty_like(rows)
        best[: chains.places] = self._first + rows[: chains.places]
        for before, now, count in chains.moves:
            paths = best[before : before + count, :, None] + self._transitions
            best[now : now + count] = paths.max(1) + rows[now : now + count]
        at_end = best[chains.ends] + self._last
        chosen = np.empty(len(rows), np.int64)
        chosen[chains.ends] = at_end.argmax(-1)
        # Where a path came from is found again for the tags that it has, instead of being kept for all.
        for before, now, count in reversed(chains.moves):
            paths = best[before : before + count] + self._onto[chosen[now : now + count]]
            chosen[before : before + count] = paths.argmax(-1)
        log_p = at_end.max(-1, initial=-np.inf) - self._log_partition(self._forward(rows, chains), chains)
        return _steps(chosen, chains, emissions.shape), _sequences(log_p, chains, emissions.shape[1])

    def marginals(self, emissions: Array, lengths: Any = None) -> Floats:
        """Return the probability of each tag at each step [T, B, O], over all paths; 0 beyond a length."""
        chains, rows = self._rows(emissions, lengths)
        alpha, beta = self._forward(rows, chains), self._backward(rows, chains)
        log_z = self._log_partition(alpha, chains)
        return _steps(np.exp(alpha + beta - log_z[chains.place, None]), chains, emissions.shape)

    def log_partition(self, emissions: Array, lengths: Any = None) -> Floats:
        """Return log Z [B]; 0 for a sequence without steps."""
        chains, rows = self._rows(emissions, lengths)
        return _sequences(self._log_partition(self._forward(rows, chains), chains), chains, emissions.shape[1])

    def _rows(self, emissions: Array, lengths: Any) -> tuple[Chains, Floats]:
        expect("CRFRuntime", "emissions", emissions, "T B O", O=self.outputs)
        chains = Chains("CRFRuntime", emissions.shape[0], emissions.shape[1], lengths)
        return chains, emissions.reshape(-1, self.outputs)[chains.sources].astype(np.float64)

    def _forward(self, rows: Floats, chains: Chains) -> Floats:
        """Return α [N, O]: the log of the sum over all paths up to a step that end in a tag."""
        alpha = np.empty_like(rows)
        alpha[: chains.places] = self._first + rows[: chains.places]
        for before, now, count in chains.moves:
            reached = _log_sum_exp(alpha[before : before + count, :, None] + self._transitions)
            alpha[now : now + count] = reached + rows[now : now + count]
        return alpha

    def _backward(self, rows: Floats, chains: Chains) -> Floats:
        """Return β [N, O]: the log of the sum over all paths that go on from a tag at a step."""
        beta = np.empty_like(rows)
        beta[chains.ends] = self._last
        for before, now, count in reversed(chains.moves):
            ahead = rows[now : now + count] + beta[now : now + count]
            beta[before : before + count] = _log_sum_exp(self._onto + ahead[:, :, None])
        return beta

    def _log_partition(self, alpha: Floats, chains: Chains) -> Floats:
        """Return log Z of each place."""
        return _log_sum_exp(alpha[chains.ends] + self._last)


def _masked(weights: Array, legal: NDArray[np.bool_]) -> Floats:
    return np.where(legal, weights.astype(np.float64), -np.inf)


def _log_sum_exp(x: Floats) -> Floats:
    """Return log Σ exp(x) over the second axis; -inf where all are."""
    # What leads nowhere is -inf all along, of which no difference can be taken.
    largest = np.maximum(x.max(1), np.finfo(np.float64).min)
    with np.errstate(divide="ignore"):
        return np.asarray(largest + np.log(np.exp(x - largest[:, None]).sum(1)))


def _steps(values: Array, chains: Chains, shape: tuple[int, ...]) -> Array:
    """Return values of rows [N, …] as [T, B, …], 0 beyond each length."""
    whole = np.zeros((shape[0] * shape[1], *values.shape[1:]), values.dtype)
    whole[chains.sources] = values
    return whole.reshape(*shape[:2], *values.shape[1:])


def _sequences(values: Floats, chains: Chains, batch: int) -> Floats:
    """Return values of places as values of sequences [B]; 0 for those without steps."""
    whole = np.zeros(batch)
    whole[chains.sequences] = values
    return whole
