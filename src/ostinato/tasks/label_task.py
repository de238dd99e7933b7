"""What a classifier and a tagger share: the outline of `fit`, what they keep of it, and how they read files."""

from __future__ import annotations

import os
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ..versions import versions
from .estimator import Estimator
from .label_file import DataRecord
from .label_options import LabelOptions
from .options import make

if TYPE_CHECKING:
    from ..training.session import Outcome, Session

Self = TypeVar("Self", bound="LabelTask")
Checkpoint = str | os.PathLike[str] | None


class LabelTask(Estimator):
    """A model that learns from labelled examples, part of which are held out, and then labels others."""

    parameters = LabelOptions
    options_: Any
    encoder_: Any
    data_: DataRecord
    history_: list[dict[str, int | float]]
    metrics_: dict[str, float]
    versions_: dict[str, str]

    # ---- what each has of its own

    def _labelled(self, data: Any, labels: Any, options: Any) -> Any:
        """Return labelled examples, read as the options say. Raises DataError."""
        raise NotImplementedError

    def _learn(self, examples: Any, valid: Any, session: Session[Any]) -> None:
        """Learn from examples; valid: those to judge by, or None for a part of the others."""
        raise NotImplementedError

    # ---- training

    def _fit(
        self: Self, X: Any, y: Any, valid: Any, checkpoint: Checkpoint, resume: bool, quiet: bool, log: Checkpoint
    ) -> Self:
        """Learn as `fit` says, and return self."""
        with self._session(checkpoint, resume, quiet, log) as session:
            examples = self._labelled(X, y, session.options)
            judged = self._labelled_if_any(valid, session.options)
            for line in (*examples.remarks, *examples.summary):
                session.report.say(line)
            self._learn(examples, judged, session)
        return self

    def _labelled_if_any(self, data: Any, options: Any) -> Any:
        """Return labelled examples: None, what brings its labels, or a pair of examples and labels."""
        if data is None:
            return None
        pair = data if isinstance(data, tuple) else (data, None)
        return self._labelled(pair[0], pair[1], options)

    def _take(self, found: Any, outcome: Outcome) -> None:
        """Keep what examples were prepared as, and what training gave."""
        material = found.material
        self.options_, self.encoder_, self.architecture_ = found.options, found.encoder, found.architecture
        self.weights_, self.history_ = outcome.weights, outcome.history
        self.data_ = DataRecord(material.digest, len(material.train), len(material.valid))
        self.versions_ = versions()
        self._run_anew()

    # ---- use

    def reading(self: Self, **layout: Any) -> Self:
        """Return the same model, which reads files as some options say, such as ``label`` or ``encoding``.

        Raises OptionError.
        """
        self._check_fitted()
        checked = make(self.parameters, layout)
        found = copy(self)
        found.options_ = msgspec.structs.replace(self.options_, **{name: getattr(checked, name) for name in layout})
        return found

    # ---- the file

    @classmethod
    def _opened(cls: type[Self], document: Any, architecture: Any, weights: dict[str, Any]) -> Self:
        """Return a model with what its file says as every file does."""
        model = cls(**msgspec.structs.asdict(document.options) | {"cell": architecture.cell})
        model.options_, model.architecture_, model.weights_ = document.options, architecture, weights
        model.data_, model.history_, model.metrics_ = document.data, document.history, document.metrics
        model.versions_ = document.versions
        return model
