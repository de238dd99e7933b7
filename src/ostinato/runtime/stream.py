"""One sequence that goes on for ever, in constant memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import snapshot
from .snapshot import Snapshot
from .stack import State

if TYPE_CHECKING:
    from .model import Model

Array = NDArray[Any]
_Now = tuple[int, Array | None, State]
"""Steps taken, the last output, and the state after it: one value, so that a signal finds the old or the new one."""


class Stream:
    """A state that lives: it takes a step at a time and never forgets more than the network does.

        stream = model.stream()
        y = stream.push(x)              # x [D], or a symbol; y [O]
        kept = stream.snapshot()        # some bytes …
        model.stream().restore(kept)    # … from which another stream goes on with equal bits

    Raises OptionError for a bidirectional model.
    """

    def __init__(self, model: Model) -> None:
        model.check_streams()
        self.model = model
        self._spare = model.empty_state()
        self.reset()

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self._now[0]

    def reset(self) -> None:
        """Begin anew, as before the first step."""
        self._now: _Now = 0, None, self.model.initial_state(1)

    def push(self, x: Any) -> Array:
        """Take one step over x [D], or a symbol; return y [O]. When it raises, the stream is as it was."""
        steps, _, state = self._now
        after = self._spare
        output: Array = self.model.advance(np.asarray(x)[None], state, after)[0]
        self._now = steps + 1, output.copy(), after
        self._spare = state
        return output

    def extend(self, x: Any) -> Array:
        """Take T steps over x [T, D], or symbols [T]; return y [T, O]: bit for bit what T pushes return."""
        steps, _, state = self._now
        y, state = self.model.run(np.asarray(x)[:, None], state=state, every_step=True)
        if len(y):
            self._now = steps + len(y), y[-1, 0].copy(), state
        return y[:, 0]

    def peek(self) -> Array | None:
        """Return the last step's y [O], taking none; None before the first step."""
        output = self._now[1]
        return None if output is None else output.copy()

    def snapshot(self) -> bytes:
        """Return where the stream stands, as bytes that are bound to the model."""
        steps, output, state = self._now
        return snapshot.to_bytes(
            self.model.digest, Snapshot(steps, output, [part for layer in state for part in layer])
        )

    def restore(self, content: bytes) -> None:
        """Go on from where a snapshot was taken, with equal bits on a machine of the same kind.

        Raises FileFormatError for what is no snapshot, damaged, or of another model; the stream is then as it was.
        """
        start = self.model.initial_state(1)
        like = [part for layer in start for part in layer]
        found = snapshot.from_bytes(content, self.model.digest, like, self.model.no_output())
        parts = iter(found.states)
        state = tuple(type(layer)(*(next(parts) for _ in layer)) for layer in start)
        self._now = found.steps, found.output, state
