"""Many live streams in one array, any of them advanced together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, ShapeError, StreamError
from . import snapshot
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .model import Model

Array = NDArray[Any]


class Pool:
    """Room for `capacity` streams of one model. Memory is taken once; a step costs what its streams cost.

        pool = model.streams(10_000)
        a, b = pool.open(), pool.open()
        y = pool.step([a, b], x)        # x [2, D], or symbols [2]; y [2, O]
        pool.close(a)

    A stream's bits do not depend on who shares its steps, nor on who had its place before; what is not a number in one
    stays there. An id is a whole number, and no id is given twice.

    Raises OptionError for a bidirectional model, or a capacity that is no whole number of at least 1.
    """

    def __init__(self, model: Model, capacity: int) -> None:
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise OptionError(f"capacity must be a whole number of at least 1, not {capacity!r}.")
        model.check_streams()
        self.model, self.capacity = model, capacity
        self._fresh = model.initial_state(1)
        self._state = tuple(
            type(layer)(*(np.repeat(part, capacity, axis=0) for part in layer)) for layer in self._fresh
        )
        self._states = [part for layer in self._state for part in layer]
        self._outputs = np.zeros((capacity, model.output_size), model.dtype)
        self._steps = np.zeros(capacity, np.int64)
        # An id is its place plus a multiple of the capacity, which counts who had the place before.
        self._ids = np.full(capacity, -1, np.int64)
        self._next_ids = np.arange(capacity, dtype=np.int64)
        self._last = np.zeros(capacity, np.int64)  # where a place stood among the last ids; tells one that stands twice
        self._free = list(range(capacity - 1, -1, -1))

    def __len__(self) -> int:
        """How many streams are open."""
        return self.capacity - len(self._free)

    def open(self) -> int:
        """Return the id of a new stream. Raises StreamError when there is no room."""
        if not self._free:
            raise StreamError(f"all {self.capacity:,} streams are open.", "close one, or make a larger pool.")
        place = self._free.pop()
        self._ids[place] = self._next_ids[place]
        self._next_ids[place] += self.capacity
        return int(self._ids[place])

    def close(self, stream: int) -> None:
        """Forget a stream and wipe its place. Raises StreamError for an id that is not open."""
        place = self._place(stream)
        self._wipe(place)
        self._ids[place] = -1
        self._free.append(place)

    def reset(self, stream: int) -> None:
        """Let a stream begin anew. Raises StreamError for an id that is not open."""
        self._wipe(self._place(stream))

    def step(self, streams: Any, x: Any) -> Array:
        """Advance n streams by one step each over x [n, D], or symbols [n]; return y [n, O].

        Raises StreamError for an id that is not open or stands there twice, ShapeError and DataError as `Model.step`
        does; no stream has then moved.
        """
        places = self._places(streams)
        if len(np.shape(x)) < 1 or len(x) != len(places):
            raise ShapeError(f"x for {len(places)} streams was expected, got an array of shape {list(np.shape(x))}.")
        y = self.model.advance(x, self._state, self._state, places)
        self._outputs[places] = y
        self._steps[places] += 1
        return y

    def peek(self, stream: int) -> Array | None:
        """Return the y [O] of a stream's last step, taking none; None before its first step."""
        place = self._place(stream)
        return self._outputs[place].copy() if self._steps[place] else None

    def snapshot(self, stream: int) -> bytes:
        """Return where a stream stands, as `Stream.snapshot` does: either restores the other's."""
        place = self._place(stream)
        states = [part[place : place + 1] for part in self._states]
        kept = Snapshot(int(self._steps[place]), self.peek(stream), states)
        return snapshot.to_bytes(self.model.digest, kept)

    def restore(self, stream: int, content: bytes) -> None:
        """Let a stream go on from a snapshot. Raises FileFormatError as `Stream.restore` does."""
        place = self._place(stream)
        like = [part for layer in self._fresh for part in layer]
        found = snapshot.from_bytes(content, self.model.digest, like, self.model.no_output())
        for part, value in zip(self._states, found.states, strict=True):
            part[place] = value[0]
        self._steps[place] = found.steps
        self._outputs[place] = 0 if found.output is None else found.output

    # ---- places

    def _wipe(self, place: int) -> None:
        for part, fresh in zip(self._states, (part for layer in self._fresh for part in layer), strict=True):
            part[place] = fresh[0]
        self._outputs[place] = 0
        self._steps[place] = 0

    def _place(self, stream: int) -> int:
        return int(self._places([stream])[0])

    def _places(self, streams: Any) -> NDArray[np.int64]:
        """Return the places of streams. Raises StreamError for an id that is not open, or is there twice."""
        ids = np.asarray(streams)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise StreamError(f"ids are whole numbers, in a list; {ids.dtype} of shape {list(ids.shape)} came.")
        ids = ids.astype(np.int64)
        places: NDArray[np.int64] = ids % self.capacity
        stale = (self._ids[places] != ids) | (ids < 0)
        if stale.any():
            first = ids[stale][0]
            raise StreamError(f"there is no open stream {first}: it was closed, or never opened.")
        order = np.arange(len(places))
        self._last[places] = order
        if (self._last[places] != order).any():
            raise StreamError("a stream stands twice among those of one step.", "take its steps one after the other.")
        return places
