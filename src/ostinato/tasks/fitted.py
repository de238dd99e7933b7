"""What a task is before and after `fit`: it refuses to do anything, and then it runs what it has learned."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from ..errors import OstinatoError, UnfittedError

Runtime = TypeVar("Runtime")


class Fitted:
    """A task with an architecture and weights, once it has learned them.

    learner, learns_from: what messages call the task, and what its `fit` takes.
    """

    learner: ClassVar[str]
    learns_from: ClassVar[str]
    architecture_: Any
    weights_: dict[str, Any]

    def _check_fitted(self) -> None:
        """Raise UnfittedError before `fit`."""
        if not hasattr(self, "weights_"):
            raise unfitted(
                f"this {self.learner} has not learned anything yet.",
                f"call fit({self.learns_from}), or open a file with ostinato.load(path).",
            )

    def _running(self, make: Callable[[Any, dict[str, Any]], Runtime]) -> Runtime:
        """Return what runs the weights: made at first use, from architecture and weights. Raises UnfittedError."""
        self._check_fitted()
        if not hasattr(self, "_runtime"):
            self._runtime: Any = make(self.architecture_, self.weights_)
        found: Runtime = self._runtime
        return found

    def _run_anew(self) -> None:
        """Forget what ran other weights than there are now."""
        self.__dict__.pop("_runtime", None)

    def __getstate__(self) -> dict[str, Any]:
        # What runs the weights is made anew: it holds memory of the core.
        return {name: value for name, value in self.__dict__.items() if name != "_runtime"}


def unfitted(message: str, hint: str) -> OstinatoError:
    """Return the error of a task that has not learned anything, which is scikit-learn's, too, where that is in use."""
    if "sklearn.exceptions" not in sys.modules:
        return UnfittedError(message, hint)
    from sklearn.exceptions import NotFittedError

    kind = type("UnfittedError", (UnfittedError, NotFittedError), {})
    return kind(message, hint)  # type: ignore[no-any-return]
