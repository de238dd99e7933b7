"""The cells that come with Ostinato: their gates, and what a cell is as a value."""

import copy
import functools
import json
import pickle
from dataclasses import FrozenInstanceError

import pytest

from ostinato import cells
from ostinato.cells import CELLS, Cell
from ostinato.errors import CellError, OptionError, ProgramError

from ..example_cells import EXAMPLES

EVERY = list((CELLS | EXAMPLES).values())


def named(cell):
    return cell.name


@pytest.mark.parametrize(
    ("name", "gates", "states"),
    [
        ("elman", ("h",), ("h",)),
        ("elman_relu", ("h",), ("h",)),
        ("elman_sigmoid", ("h",), ("h",)),
        ("gru", ("r", "z", "n"), ("h",)),
        ("gru_v1", ("r", "z", "n"), ("h",)),
        ("lstm", ("i", "f", "g", "o"), ("h", "c")),
    ],
)
def test_gates_stand_in_the_order_of_torch(name, gates, states):
    assert (CELLS[name].gates, CELLS[name].states) == (gates, states)
    assert CELLS[name].program.input_gates == CELLS[name].program.recurrent_gates == gates


def test_every_cell_is_found_by_its_name():
    assert all(cells.find(name) is cell and cell.name == name for name, cell in CELLS.items())
    assert sorted(CELLS) == ["elman", "elman_relu", "elman_sigmoid", "gru", "gru_v1", "lstm"]
    assert cells.find(EXAMPLES["peephole"]) is EXAMPLES["peephole"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("lstn", "there is no cell named 'lstn'.\n  hint: did you mean 'lstm'?"),
        (
            "qqq",
            "there is no cell named 'qqq'.\n  hint: known here: elman, elman_relu, elman_sigmoid, gru, gru_v1, lstm.",
        ),
        (None, "a cell or the name of one was expected, not a NoneType.\n  hint: decorate the function"),
        (lambda x, R, s: s.h, "a cell or the name of one was expected, not a function.\n  hint: decorate the function"),
    ],
)
def test_an_unknown_cell_is_refused(asked, said):
    with pytest.raises(OptionError) as error:
        cells.find(asked)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("cell", EVERY, ids=named)
def test_data_and_back_gives_an_equal_cell(cell):
    again = Cell.from_data(json.loads(json.dumps(cell.to_data())))
    assert again == cell
    assert hash(again) == hash(cell)
    assert again.to_data() == cell.to_data()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))])
@pytest.mark.parametrize("cell", EVERY, ids=named)
def test_copies_are_equal(cell, duplicate):
    assert cell.State._fields == cell.states, "and using a cell does not make it uncopyable"
    assert duplicate(cell) == cell


def test_cells_differ_by_equations_start_and_name():
    data, other = CELLS["lstm"].to_data(), EXAMPLES["projected"].program.to_data()
    assert len(set(EVERY)) == len(EVERY)
    for part, value in (("name", "other"), ("doc", ""), ("init", [["f", [["bias", 1.0]]]]), ("program", other)):
        assert Cell.from_data(data | {part: value}) != CELLS["lstm"]


@pytest.mark.parametrize("part", ["name", "program", "init", "gates"])
def test_a_cell_cannot_be_changed(part):
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(copy.copy(CELLS["lstm"]), part, None)


@pytest.mark.parametrize("cell", EVERY, ids=named)
def test_a_printed_cell_tells_name_equations_and_program(cell):
    printed = str(cell)
    assert printed.startswith(f"cell {cell.name}\n\n{cell.doc}\n\n")
    assert printed.endswith(str(cell.program))


def test_equal_states_share_a_class():
    assert CELLS["lstm"].State is EXAMPLES["peephole"].State
    assert CELLS["lstm"].State(1, 2)._asdict() == {"h": 1, "c": 2}


ELMAN = CELLS["elman"].to_data()
DEEP = functools.reduce(lambda inner, _: [inner], range(100_000), [])


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        ({}, ProgramError, "this is not a cell's data: 'name'"),
        ([], ProgramError, "this is not a cell's data"),
        (None, ProgramError, "this is not a cell's data"),
        (ELMAN | {"name": 3}, ProgramError, "a cell's name, its doc and the names in init must be strings"),
        (ELMAN | {"doc": None}, ProgramError, "a cell's name, its doc and the names in init must be strings"),
        (ELMAN | {"program": []}, ProgramError, "this is not a program's data"),
        (ELMAN | {"init": 3}, ProgramError, "this is not a cell's data"),
        (ELMAN | {"init": [["h"]]}, ProgramError, "this is not a cell's data"),
        (ELMAN | {"init": [[["h"], []]]}, ProgramError, "this is not a cell's data"),
        (ELMAN | {"init": [[3, []]]}, ProgramError, "the names in init must be strings"),
        (ELMAN | {"init": [["x", [["bias", 1.0]]]]}, CellError, "init= names 'x', which is no gate, vector or matrix"),
        (ELMAN | {"init": [["h", [["bias", "1"]]]]}, CellError, "bias takes finite numbers, not '1'"),
        (ELMAN | {"init": [["h", [["bias", 10**400]]]]}, CellError, "bias takes finite numbers"),
        (ELMAN | {"init": [["h", [["shout", 1.0]]]]}, CellError, r"\['shout', 1.0\] is no initialiser"),
        (ELMAN | {"init": [["h", [[[], 1.0]]]]}, CellError, "is no initialiser"),
        (ELMAN | {"init": [["h", [["bias", DEEP]]]]}, CellError, "bias takes finite numbers"),
        (ELMAN | {"init": [["h", [[DEEP]]]]}, CellError, "is no initialiser"),
        (ELMAN | {"init": DEEP}, ProgramError, "this is not a cell's data"),
        (ELMAN | {"init": [["h", [3]]]}, CellError, "3 is no initialiser"),
    ],
)
def test_damaged_data_is_refused(data, error, said):
    with pytest.raises(error, match=said):
        Cell.from_data(data)
