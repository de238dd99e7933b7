"""What a task has in common with scikit-learn's estimators: parameters, what it takes, and what it is before `fit`.

Nothing is inherited from scikit-learn, which is imported where it asks something, and need not be there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .. import cells
from ..cells import Cell
from .fitted import Fitted
from .options import make, options_of
from .resuming import check_cell, check_checkpoint, check_same, going_on
from .training_options import TrainingOptions

if TYPE_CHECKING:
    from ..training.session import Session

Self = TypeVar("Self", bound="Estimator")


class Estimator(Fitted):
    """Parameters that are kept as they were given, and read in `fit`.

    parameters: the struct of options whose fields they are. stages: what a checkpoint may be of: the task itself, and
    what comes before it.

    Raises OptionError for an unknown parameter.
    """

    parameters: ClassVar[type[TrainingOptions]]
    stages: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        known = options_of(cls.parameters).values()
        signature = Signature([Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default) for one in known])
        cls.__signature__ = signature  # type: ignore[attr-defined]

    def __init__(self, **options: Any) -> None:
        self._given: dict[str, Any] = {}
        self.set_params(**options)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return every parameter, as it was given, or its default."""
        return {name: self._given.get(name, one.default) for name, one in options_of(self.parameters).items()}

    def set_params(self: Self, **options: Any) -> Self:
        """Change parameters and return self. Raises OptionError for an unknown one."""
        if not options.keys() <= options_of(self.parameters).keys():
            make(self.parameters, options)  # raises, with the closest name
        self._given = self._given | options
        return self

    def stated(self) -> dict[str, Any]:
        """Return the parameters that are not the defaults."""
        known = options_of(self.parameters)
        return {name: value for name, value in self._given.items() if not _is_same(value, known[name].default)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.stated().items())})"

    @contextmanager
    def _session(
        self,
        checkpoint: str | os.PathLike[str] | None,
        resume: bool,
        quiet: bool,
        log: str | os.PathLike[str] | None,
    ) -> Iterator[Session[Any]]:
        """Give what `fit` is asked for: the options, checked, and where a run goes on what its checkpoint kept.

        Raises OptionError where options contradict each other, or cell or options those that the run began with.
        """
        started = time.monotonic()
        from ..training.report import Report
        from ..training.session import Session, open_checkpoint

        given = self._given.get("cell")
        given = options_of(self.parameters)["cell"].default if given is None else given
        cell = None if given is None else cells.find(given)
        options = make(self.parameters, {**self.stated(), "cell": cell.name if cell else None})
        options.check()
        check_checkpoint(checkpoint, resume)
        with Report(quiet, log) as report:
            kept = None
            if resume and checkpoint is not None:
                kept = open_checkpoint(checkpoint, self.parameters, *self.stages)
                check_cell(cell, kept.plan.cell)
                check_same(options, kept.plan.options, self.stated().keys() - {"cell"})
                cell = Cell.from_data(kept.plan.cell)
                options = going_on(options, kept.plan.options, self.stated().keys())
            yield Session(options, cell, report, started, checkpoint, kept)


def _is_same(value: Any, default: Any) -> bool:
    """Whether a parameter is its default; one of another type, such as an array, is not."""
    return value is default or (type(value) is type(default) and bool(value == default))


def classifier_tags(*, several: bool) -> Any:
    """Return what scikit-learn asks of a classifier of sequences: of texts, or of series with values missing or not."""
    from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

    return Tags(
        estimator_type="classifier",
        target_tags=TargetTags(required=True, one_d_labels=True, two_d_labels=several),
        classifier_tags=ClassifierTags(multi_label=several),
        # An array of one axis may hold texts, but where scikit-learn is told so it sends numbers, too.
        input_tags=InputTags(three_d_array=True, string=True, allow_nan=True),
    )
