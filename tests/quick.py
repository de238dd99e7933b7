"""What a quick run takes of many like tests: of parameters one of each kind, of random examples a few."""

from collections.abc import Callable, Container, Iterable
from typing import Any

import pytest
from hypothesis import given, settings

KINDS = (
    *("lstm", "gru", "gru_v1", "layer_norm_gru", "projected_lstm", "min_gru", "rg_lru"),
    *("rotation", "leaky", "odd_places", "shared"),
)
"""Cells, among them one of each kind."""


def some_quick(values: Iterable[Any], quick: Container[str] = KINDS) -> list[Any]:
    """Return parameters of a test; those that are not among `quick`, themselves or by their names, are slow."""
    return [
        value if getattr(value, "name", value) in quick else pytest.param(value, marks=pytest.mark.slow)
        for value in values
    ]


def examples(few: int, many: int, *strategies: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Test what holds for all values of strategies: on a few, and slowly on many."""

    def decorate(holds: Callable[..., None]) -> Callable[..., None]:
        @pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.slow)])
        def test(count: int) -> None:
            settings(max_examples=count)(given(*strategies)(holds))()

        # Not by functools.wraps: pytest would take the names of the values for fixtures.
        test.__name__, test.__doc__, test.__module__ = holds.__name__, holds.__doc__, holds.__module__
        return test

    return decorate
