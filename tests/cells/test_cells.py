"""The cells that come with Ostinato: their gates, and what a cell is as a value."""

import copy
import functools
import json
import math
import pickle
import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from ostinato import cells
from ostinato.cells import CELLS, Cell
from ostinato.cells.initialisers import draw_weights
from ostinato.errors import CellError, OptionError, ProgramError

from ..example_cells import EXAMPLES

EVERY = list((CELLS | EXAMPLES).values())


def named(cell):
    return cell.name


SHIPPED = [
    ("elman", "h", "h", "h"),
    ("elman_relu", "h", "h", "h"),
    ("elman_sigmoid", "h", "h", "h"),
    ("indrnn", "h", "", "h"),
    ("gru", "r z n", "r z n", "h"),
    ("gru_v1", "r z n", "r z n", "h"),
    ("mgu", "f n", "f n", "h"),
    ("layer_norm_gru", "r z n", "r z n", "h"),
    ("lstm", "i f g o", "i f g o", "h c"),
    ("peephole_lstm", "i f g o", "i f g o", "h c"),
    ("coupled_lstm", "f g o", "f g o", "h c"),
    ("projected_lstm", "i f g o", "i f g o", "h c"),
    ("layer_norm_lstm", "i f g o", "i f g o", "h c"),
    ("slstm", "i f z o", "i f z o", "h c n m"),
    ("min_gru", "z n", "", "h"),
    ("min_lstm", "f i n", "", "h"),
    ("lru", "re im", "", "re im"),
    ("lru_block", "", "", "y re im"),
    ("rg_lru", "r i", "", "h"),
]


@pytest.mark.parametrize(("name", "gates", "recurrent", "states"), SHIPPED)
def test_gates_stand_in_the_order_in_which_the_cell_says_that_they_are_stacked(name, gates, recurrent, states):
    cell = CELLS[name]
    assert (cell.gates, cell.states) == (tuple(gates.split()), tuple(states.split()))
    assert cell.program.input_gates == cell.gates
    assert cell.program.recurrent_gates == tuple(recurrent.split())
    assert len(cell.gates) <= 1 or f"order {gates}" in " ".join(cell.doc.split())


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_says_its_source_and_its_equations(name):
    doc = CELLS[name].doc
    assert re.search(r"\b(19|20)\d\d\b", doc), "the year of a paper"
    assert re.search(r"^ *h = ", doc, re.MULTILINE), "the equation of the state"
    assert all(len(line) <= 116 for line in doc.splitlines())


# ---- where a start matters


def start_of(name, units=1000):
    """Return the weights that a cell starts with."""
    cell, sizes = CELLS[name], {"H": units, "P": 2}
    size = units if cell.program.reads_raw_input else 2
    return draw_weights(cell.program, dict(cell.init), np.random.default_rng(0), size, sizes)


def test_decays_of_linear_units_start_on_their_ring():
    lru, rg_lru = start_of("lru"), start_of("rg_lru")
    size, angle = np.exp(-np.exp(lru["p_nu_log"])), np.exp(lru["p_theta_log"])
    strongest = np.exp(-8 * np.log1p(np.exp(rg_lru["p_decay"])))
    for kept in (size, strongest):
        assert 0.9 <= kept.min() < 0.905
        assert 0.9985 < kept.max() <= 0.999
        assert 0.985 < np.median(kept) < 0.995, "as many units for each span of memory"
    assert math.pi / 1000 <= angle.min() < 1.1 * math.pi / 1000
    assert 0.9 * math.pi < angle.max() <= math.pi


def test_a_unit_of_indrnn_starts_with_a_weight_between_none_and_all_of_itself():
    weights = start_of("indrnn")["p_u"]
    assert 0 <= weights.min() < 0.01
    assert 0.99 < weights.max() <= 1


@pytest.mark.parametrize("name", ["coupled_lstm", "slstm"])
def test_these_forget_gates_start_open(name):
    biases = start_of(name, 4)["W_bias"].reshape(-1, 4)
    assert {gate: set(row) for gate, row in zip(CELLS[name].gates, biases.tolist(), strict=True)} == {
        gate: {1.0 if gate == "f" else 0.0} for gate in CELLS[name].gates
    }


@pytest.mark.parametrize("name", ["layer_norm_lstm", "layer_norm_gru"])
def test_layer_norms_start_with_scales_of_one_and_shifts_of_zero(name):
    weights, vectors = start_of(name, 4), CELLS[name].vectors
    assert {vector.split("_")[0] for vector in vectors} == {"scale", "shift"}
    for vector in vectors:
        assert set(weights[f"p_{vector}"]) == {1.0 if vector.startswith("scale") else 0.0}


# ---- a cell as a value


def test_every_cell_is_found_by_its_name():
    assert all(cells.find(name) is cell and cell.name == name for name, cell in CELLS.items())
    assert list(CELLS) == [name for name, *_ in SHIPPED]
    assert cells.find(EXAMPLES["peephole"]) is EXAMPLES["peephole"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("lstn", "there is no cell named 'lstn'.\n  hint: did you mean 'lstm'?"),
        ("qqq", f"there is no cell named 'qqq'.\n  hint: known here: {', '.join(name for name, *_ in SHIPPED)}."),
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
    data, other = CELLS["lstm"].to_data(), CELLS["projected_lstm"].program.to_data()
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
    assert CELLS["lstm"].State is CELLS["projected_lstm"].State is EXAMPLES["peephole"].State
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
