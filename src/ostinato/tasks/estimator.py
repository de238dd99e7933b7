"""What a task has in common with scikit-learn's estimators: parameters, what it takes, and what it is before `fit`.

Nothing is inherited from scikit-learn, which is imported where it asks something, and need not be there.
"""

from __future__ import annotations

import sys
from inspect import Parameter, Signature
from typing import Any, ClassVar, TypeVar

from ..errors import OstinatoError, UnfittedError
from .options import Options, make, options_of

Self = TypeVar("Self", bound="Estimator")


class Estimator:
    """Parameters that are kept as they were given, and read in `fit`.

    parameters: the struct of options whose fields they are. Raises OptionError for an unknown one.
    """

    parameters: ClassVar[type[Options]]

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

    def __getstate__(self) -> dict[str, Any]:
        # What runs the weights is made anew: it holds memory of the core.
        return {name: value for name, value in self.__dict__.items() if name != "_runtime"}


def _is_same(value: Any, default: Any) -> bool:
    """Whether a parameter is its default; one of another type, such as an array, is not."""
    return value is default or (type(value) is type(default) and bool(value == default))


def unfitted(message: str, hint: str) -> OstinatoError:
    """Return the error of a task that has not learned anything, which is scikit-learn's, too, where that is in use."""
    if "sklearn.exceptions" not in sys.modules:
        return UnfittedError(message, hint)
    from sklearn.exceptions import NotFittedError

    kind = type("UnfittedError", (UnfittedError, NotFittedError), {})
    return kind(message, hint)  # type: ignore[no-any-return]


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
