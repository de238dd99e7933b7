"""The optional parts of an install."""

from __future__ import annotations

from importlib.util import find_spec

from .errors import MissingExtraError


def require(module: str, extra: str) -> None:
    """Raise MissingExtraError, with the command that helps, unless a module of an extra is installed."""
    if find_spec(module) is None:
        raise MissingExtraError(f"this needs {module}, which is not installed.", f"pip install 'ostinato[{extra}]'")
