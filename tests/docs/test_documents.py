"""What the README and the docs show is run, what it prints is what they say, and what they name and link to exists."""

import re
import shlex
import textwrap
from pathlib import Path
from pydoc_data import topics

import numpy as np
import pandas
import pytest
import torch

import ostinato
from ostinato.cells import CELLS
from ostinato.cli import run
from ostinato.engine import dispatch

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
QUICKLY = {
    'time="10m"': "steps=3, hidden_size=16",
    'time="5m"': "steps=3, hidden_size=4",
    "--time 10m": "--steps 3 --hidden 16",
    "--time 5m": "--steps 3 --hidden 4",
    "400": "20",
}
"""What the documents say, and what stands for it here so that a test takes seconds."""


def blocks(document, language):
    """The fenced blocks of a language; those that stand in a list are indented."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for name, text in found if name == language]


def programs(document):
    """Each Python block, with what it prints where the document says that: "prints", and a block without a language."""
    pattern = r"^ *```python\n(.*?)^ *```$(?:\n\nprints\n\n```\n(.*?)^```$)?"
    found = re.findall(pattern, document.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert len(found) == len(blocks(document, "python"))
    return [(textwrap.dedent(block), printed) for block, printed in found]


def first_column(text):
    """The names in the first column of all tables, where they are code."""
    cells = re.findall(r"^\| (`[^|]*`) \|", text, flags=re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]*)`", cell)]


def section(document, title):
    """The text below a heading of the second level."""
    return document.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def quickly(text):
    for slow, quick in QUICKLY.items():
        text = text.replace(slow, quick)
    return text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the text and the table that the documents speak of."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shakespeare.txt").write_text("ROMEO: " + topics.topics["if"] * 4)
    load_by_hour().to_csv(tmp_path / "load.csv", index=False)
    return tmp_path


def load_by_hour():
    """Twelve days of a daily rhythm, as a data frame."""
    hours = np.arange(288)
    load = 50 + 10 * np.sin(hours * np.pi / 12) + np.random.default_rng(0).normal(size=288)
    return pandas.DataFrame({"time": pandas.date_range("2026-01-01", periods=288, freq="h"), "load": load})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_blocks_run_in_order_and_print_what_is_said(document, folder, capsys):
    given = {
        "ostinato": ostinato,
        "frame": load_by_hour(),
        "x": torch.linspace(-1, 1, 160).reshape(5, 2, 16),
        "lengths": [5, 3],
    }
    exec("from ostinato.cells import *", given)
    for block, printed in programs(document):
        capsys.readouterr()
        exec(compile(quickly(block), str(document), "exec"), given)
        assert not printed or capsys.readouterr().out == printed


def test_what_is_printed_is_found(tmp_path):
    document = tmp_path / "document.md"
    document.write_text("```python\nprint(1)\n```\n\nprints\n\n```\n1\n```\n\n```python\nprint(2)\n```\n")
    assert programs(document) == [("print(1)\n", "1\n"), ("print(2)\n", "")]


@pytest.mark.parametrize(("document", "count"), [("README.md", 3), ("docs/forecasting.md", 5)])
def test_commands_run(document, count, folder, capsys):
    lines = [line for block in blocks(ROOT / document, "console") for line in block.splitlines()]
    commands = [line.removeprefix("$ ostinato ") for line in lines]
    assert len(commands) == count
    for command in commands:
        assert run(shlex.split(quickly(command))) == 0, command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_readme_shows_exactly_two_commands_of_set_up():
    shown = section(ROOT / "README.md", "Two commands")
    assert re.findall(r"^    (.*)", shown, flags=re.MULTILINE) == [
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


def test_every_cell_is_listed_in_its_order():
    assert first_column(section(ROOT / "docs/cells.md", "The cells that come with Ostinato")) == list(CELLS)
    assert f"the {len(CELLS)} cells that come with" in (ROOT / "README.md").read_text()


def test_every_candidate_is_listed_in_its_order():
    named = [candidate.name for candidate in dispatch.CANDIDATES]
    assert first_column(section(ROOT / "docs/engine.md", "Who runs")) == named


def test_every_file_of_the_core_is_listed():
    files = [*(ROOT / "core").iterdir(), *(ROOT / "core/python").iterdir()]
    there = {path.stem for path in files if path.suffix in (".h", ".cpp")}
    listed = first_column(section(ROOT / "CONTRIBUTING.md", "The core"))
    assert {Path(name).stem for name in listed} == there
    assert [name for name in listed if not (ROOT / "core" / name).exists()] == []


def test_public_names_are_few_sorted_and_there():
    tasks = ["Classifier", "Forecaster", "LanguageModel", "Network", "Tagger"]
    assert ostinato.__all__ == [*tasks, "accelerate", "cells", "engine", "errors", "load", "nn"]
    assert all(hasattr(ostinato, name) for name in ostinato.__all__)
