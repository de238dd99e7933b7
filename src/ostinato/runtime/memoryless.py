"""What every part without memory has in common, so that it stands in a chain beside stacks."""

from __future__ import annotations


class Memoryless:
    """A part that has no layers and no state, and that streams: each step is by itself."""

    layer_count = 0
    reduces = False

    def initial_state(self, batch: int) -> tuple[()]:
        """Return the state of no layer."""
        return ()

    def empty_state(self, batch: int) -> tuple[()]:
        """Return the state of no layer."""
        return ()

    def check_streams(self) -> None:
        """Any such part streams; what reads from the end is a stack."""
