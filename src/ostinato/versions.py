"""The versions that a model file records."""

from __future__ import annotations

import platform
import sys

from . import __version__


def versions() -> dict[str, str]:
    """Return the versions of Ostinato, Python, NumPy and, where it is loaded, torch."""
    found = {"ostinato": __version__, "python": platform.python_version()}
    found |= {name: str(sys.modules[name].__version__) for name in ("numpy", "torch") if name in sys.modules}
    return found
