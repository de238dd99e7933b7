"""Doing something once another package is imported."""

import importlib
import importlib.util
import sys

import pytest

from ostinato.late import when_imported
from tests.cli.running import process


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that nobody has imported yet; who waits for it is forgotten at the end."""
    (tmp_path / "awaited").mkdir()
    (tmp_path / "awaited/__init__.py").write_text("from . import inner\nNUMBER = inner.NUMBER\n")
    (tmp_path / "awaited/inner.py").write_text("NUMBER = 7\n")
    (tmp_path / "broken_one.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = list(sys.meta_path)
    yield "awaited"
    sys.meta_path[:] = before
    for name in ("awaited", "awaited.inner", "broken_one"):
        sys.modules.pop(name, None)


def test_it_waits_for_the_import_and_is_done_once(package):
    done = []
    when_imported(package, lambda: done.append(sys.modules[package].NUMBER))
    assert importlib.util.find_spec(package).origin.endswith("__init__.py")
    assert done == []
    module = importlib.import_module(package)
    importlib.reload(module)
    assert done == [7]
    when_imported(package, lambda: done.append("at once"))
    assert done == [7, "at once"]


def test_the_package_does_not_see_that_someone_waited(package):
    plain = importlib.util.find_spec(package)
    when_imported(package, lambda: None)
    finders = len(sys.meta_path)
    module = importlib.import_module(package)
    assert type(module.__loader__) is type(module.__spec__.loader) is type(plain.loader)
    assert module.__spec__.submodule_search_locations == plain.submodule_search_locations
    assert len(sys.meta_path) == finders - 1


def test_a_package_that_cannot_be_imported_says_so_itself(package):
    done = []
    for name in ("broken_one", "there_is_no_such_package"):
        when_imported(name, lambda: done.append(1))
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("broken_one")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("there_is_no_such_package")
    assert done == []


def test_what_may_not_be_imported_is_not_waited_for_in_vain(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    done = []
    when_imported(package, lambda: done.append(1))
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(package)
    assert done == []


@pytest.mark.parametrize("imports", ["ostinato, torch", "torch, ostinato"])
def test_a_torch_that_is_too_old_is_told_and_imported_all_the_same(tmp_path, imports):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("__version__ = '0.1'\n")
    ran = process(script=f"import {imports}; print(torch.__version__)", environment={"PYTHONPATH": str(tmp_path)})
    assert (ran.returncode, ran.stdout) == (0, "0.1\n")
    assert "RuntimeWarning: this torch does not take Ostinato's operators" in ran.stderr
    assert "Traceback" not in ran.stderr
