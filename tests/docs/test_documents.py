"""What the README and the docs show is run, and what they link to exists."""

import re
import shlex
import textwrap
from pathlib import Path
from pydoc_data import topics

import pytest
import torch

import ostinato
from ostinato.cli import run

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
QUICKLY = {'time="10m"': "steps=3, hidden_size=16", "--time 10m": "--steps 3 --hidden 16", "400": "20"}
"""What the documents say, and what stands for it here so that a test takes seconds."""


def blocks(document, language):
    """The fenced blocks of a language; those that stand in a list are indented."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for name, text in found if name == language]


def quickly(text):
    for slow, quick in QUICKLY.items():
        text = text.replace(slow, quick)
    return text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the text that the documents speak of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shakespeare.txt").write_text("ROMEO: " + topics.topics["if"] * 4)
    return tmp_path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_blocks_run_in_order(document, folder, capsys):
    given = {"ostinato": ostinato, "x": torch.zeros(5, 2, 16), "lengths": [5, 3]}
    exec("from ostinato.cells import *", given)
    for block in blocks(document, "python"):
        exec(compile(quickly(block), str(document), "exec"), given)


def test_commands_of_the_readme_run(folder, capsys):
    (block,) = blocks(ROOT / "README.md", "console")
    commands = [line.removeprefix("$ ostinato ") for line in block.splitlines()]
    assert len(commands) == 3
    for command in commands:
        assert run(shlex.split(quickly(command))) == 0, command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_readme_shows_exactly_two_commands_of_set_up():
    section = (ROOT / "README.md").read_text().split("## Two commands")[1].split("\n## ")[0]
    assert re.findall(r"^    (.*)", section, flags=re.MULTILINE) == [
        "pip install -c constraints.txt '.[train]' && ostinato demo",
        "pip install -c constraints.txt '.[train,test]' && pytest",
    ]


def test_the_error_that_the_docs_quote_is_the_one_that_is_raised():
    quoted = blocks(ROOT / "docs/cells.md", "")[0].removeprefix("CellError: ").strip()
    with pytest.raises(ostinato.errors.CellError) as raised:

        @ostinato.cells.cell(gates="a", state="h")
        def wrong(x, s):
            return x.a if s.h > 0 else s.h

    assert str(raised.value) == quoted


def test_public_names_are_few_sorted_and_there():
    assert ostinato.__all__ == ["LanguageModel", "cells", "engine", "errors", "load", "nn"]
    assert all(hasattr(ostinato, name) for name in ostinato.__all__)
