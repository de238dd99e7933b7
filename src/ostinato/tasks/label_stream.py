"""A sequence that goes on for ever, read by a classifier as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.columns import LARGEST
from ..data.series_encoder import SeriesEncoder
from ..errors import DataError, OptionError, ShapeError
from .classifier_decisions import decision, log_probabilities, probabilities

if TYPE_CHECKING:
    from ..runtime import Stream
    from .classifier import Classifier

Array = NDArray[Any]


class LabelStream:
    """Reads a text or a series piece by piece, in constant memory: of what class is all of it, so far?

    classifier: one that reads one way (``bidirectional=False``).

        reader = classifier.reader()
        reader.read("what a")        # some words, or numbers [D] or [T, D], not-a-number where one is missing
        reader.read("fine film")
        reader.decision()            # {"label": "good", "probability": 0.93}

    The network speaks alone: a linear part looks at whole sequences. Where there is none (``linear="never"``) the
    probabilities are those that `predict_proba` gives what was read, up to ``max_length`` units of it.

    ``stream``: where the network stands; its snapshots are those of `Classifier.stream`.

    Raises OptionError for a classifier that reads both ways, or words with their characters.
    """

    stream: Stream

    def __init__(self, classifier: Classifier) -> None:
        self.stream = classifier.stream()
        self._encoder: Any = classifier.encoder_
        self._classes = classifier._classes
        self._sharpness = classifier.mixture_[0] if classifier.linear_ is None else 1.0
        self._before: Array | None = None

    def read(self, piece: Any) -> None:
        """Read what comes next: the words of a text, or a series' values [D], or [T, D] of several steps.

        Pieces of a text end between words (between characters, where these are the units). Raises DataError for values
        that are infinite or beyond 1e30, ShapeError for another number of them; the stream is then as it was.
        """
        if self.reads_text:
            self._extend(self._units(piece))
            return
        rows = _rows(piece, len(self._encoder.channels))
        if len(rows):
            self._extend(self._steps(rows))
            self._before = rows[-1]

    def _extend(self, x: Array) -> None:
        if len(x) == 1:
            self.stream.push(x[0])  # the same bits, sooner
        elif len(x):
            self.stream.extend(x)

    def probabilities(self) -> Array | None:
        """Return the probability of each class [K], as `predict_proba` does; None before the first step."""
        log_p = self._log_probabilities()
        return None if log_p is None else probabilities(log_p, self._classes)[0]

    def decision(self, every_class: bool = False) -> dict[str, Any] | None:
        """Return label and probability, as `Classifier.decisions` does, without a place; None before the first step."""
        p = self.probabilities()
        return None if p is None else decision(p, self._classes, every_class)

    def snapshot(self) -> bytes:
        """Return where the reader stands, as `Stream.snapshot` does. Raises OptionError where changes are inputs."""
        self._check_can_be_kept()
        return self.stream.snapshot()

    def restore(self, content: bytes) -> None:
        """Go on from where a snapshot was taken; raises what `Stream.restore` does, and OptionError as `snapshot`."""
        self._check_can_be_kept()
        self.stream.restore(content)

    @property
    def reads_text(self) -> bool:
        """Whether it reads text; else the values of a series."""
        return not isinstance(self._encoder, SeriesEncoder)

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self.stream.steps

    def _log_probabilities(self) -> Array | None:
        scores = self.stream.peek()
        if scores is None:
            return None
        return log_probabilities(scores[None].astype(np.float64), self._classes, self._sharpness)

    def _units(self, piece: Any) -> Array:
        if not isinstance(piece, str):
            raise ShapeError(f"expected text, got {type(piece).__name__}.", "the classifier reads texts.")
        ids: Array = self._encoder.encode([piece]).ids
        return ids

    def _steps(self, rows: Array) -> Array:
        """Return values [T, D] as the network reads them: what comes before the first says by how much it changed."""
        values = rows if self._before is None else np.concatenate([self._before[None], rows])
        found: Array = self._encoder.scaled(values, np.array([0, len(values)]))
        return found[len(values) - len(rows) :]

    def _check_can_be_kept(self) -> None:
        if isinstance(self._encoder, SeriesEncoder) and self._encoder.changes:
            raise OptionError(
                "a snapshot does not hold the values before, off which the next ones are a change.",
                "fit with --no-changes.",
            )


def _rows(piece: Any, channels: int) -> Array:
    """Return the values of some steps [T, D]. Raises ShapeError, DataError."""
    try:
        values = np.asarray(piece, np.float64)
    except (TypeError, ValueError):
        raise ShapeError("expected numbers.", "the classifier reads series.") from None
    rows = values[None] if values.ndim == 1 else values
    if rows.ndim != 2 or rows.shape[1] != channels:
        raise ShapeError(f"expected values [D] or [T, D] with D={channels}, got {list(values.shape)}.")
    if (np.abs(rows) > LARGEST).any():
        raise DataError("a value is infinite, or beyond 1e30.", "leave it out: not-a-number is missing.")
    return rows
