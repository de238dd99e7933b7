"""How a batch of sequences lies in rows: in time order, longest sequence first (as in torch's PackedSequence).

Step t of the run is `counts[t]` rows, one for each sequence that is still live. A full batch is
the case of equal counts. A run from right to left is the same rows taken from the other end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)  # so that what is made of a packing can be kept by it
class Packing:
    """Where each row of a run comes from.

    counts: live rows at each step, never growing; steps without a live row are left out.
    order: for each place, the sequence in it, longest first; None where that changes nothing.
    sources: for each row, its position t·B + b in x [T, B, …]; None where that changes nothing.
    lengths, is_reversed: what it was made from; lengths are None for a full batch.
    """

    counts: tuple[int, ...]
    order: Index | None = None
    sources: Index | None = None
    lengths: Index | None = None
    is_reversed: bool = False

    @classmethod
    def of(cls, steps: int, batch: int, lengths: Index | None, reverse: bool) -> Packing:
        """Return the packing of [T, B, …] with the given lengths [B] (None: all T); it is shared, not to be changed."""
        known = None if lengths is None else np.asarray(lengths, np.int64).tobytes()
        return _packing(steps, batch, known, reverse)

    @classmethod
    def _new(cls, steps: int, batch: int, lengths: Index | None, reverse: bool) -> Packing:
        if lengths is None or bool((lengths == steps).all()):
            return cls._full(steps, batch, reverse)
        order = np.argsort(-lengths, kind="stable")
        ordered = lengths[order]
        live_steps = int(ordered[0]) if batch else 0
        counts = (ordered[None, :] > np.arange(live_steps)[:, None]).sum(axis=1)
        step = np.repeat(np.arange(live_steps), counts)
        place = np.arange(len(step)) - np.repeat(np.cumsum(counts) - counts, counts)
        time = ordered[place] - 1 - step if reverse else step
        return cls(tuple(counts.tolist()), order, time * batch + order[place], lengths, reverse)

    @classmethod
    def _full(cls, steps: int, batch: int, reverse: bool) -> Packing:
        counts = (batch,) * steps if batch else ()
        positions = np.arange(steps * batch).reshape(steps, batch)
        # With a batch of one the reshape is a view from the end, which torch would not take.
        sources = np.ascontiguousarray(positions[::-1].reshape(-1)) if reverse else None
        return cls(counts, sources=sources, is_reversed=reverse)

    @property
    def is_full(self) -> bool:
        """Whether every sequence is live at every step."""
        return self.order is None


@lru_cache(maxsize=8)
def _packing(steps: int, batch: int, lengths: bytes | None, reverse: bool) -> Packing:
    """Both directions and all layers of a stack ask for the same packings, forwards and backwards."""
    known = None if lengths is None else np.frombuffer(bytearray(lengths), np.int64)
    return Packing._new(steps, batch, known, reverse)


def checked_lengths(owner: str, lengths: Any, steps: int, batch: int) -> Index | None:
    """Return lengths as integers [B], or None for None.

    Raises ShapeError when they are not B whole numbers between 0 and T.
    """
    if lengths is None:
        return None
    given = np.asarray(lengths.tolist() if hasattr(lengths, "tolist") else lengths, dtype=object)
    whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and 0 <= n <= steps for n in given.flat)
    if given.shape != (batch,) or not whole:
        raise ShapeError(
            f"{owner} expected lengths: {batch} whole numbers between 0 and T={steps}, got {given.tolist()!r:.80}.",
            "give the number of steps of each sequence in the batch.",
        )
    return given.astype(np.int64)
