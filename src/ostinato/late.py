"""Doing something as soon as another package is imported, by whomever, without importing it oneself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

# Everyone imports this; what the two classes would be derived from takes as long to import as all of ostinato.
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def when_imported(package: str, then: Callable[[], object]) -> None:
    """Call `then` once a package is imported: now, if it is already."""
    # None stands there for a package that may not be imported.
    if sys.modules.get(package) is not None:
        then()
    else:
        sys.meta_path.insert(0, _Finder(package, then))


class _Finder:
    """Finds one package as all others do, and has it loaded by a loader that tells when it is done."""

    def __init__(self, package: str, then: Callable[[], object]) -> None:
        self.package, self.then = package, then
        self._is_asking = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how the package is loaded; None for any other."""
        if fullname != self.package or self._is_asking:
            return None
        from importlib.util import find_spec

        self._is_asking = True
        try:
            spec = find_spec(fullname)
        finally:
            self._is_asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]
        return spec


class _Loader:
    """A package's own loader, and then what is to follow."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self._loader, self._finder = loader, finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return the module, empty, or None for Python to make one."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module, and do what is to follow."""
        # The module finds its own loader, as if nobody had been here.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
            self._finder.then()
