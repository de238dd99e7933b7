"""torch.export: a layer saved to a file, and run by a process that imports only torch and ostinato."""

import numpy as np
import pytest
import torch
from torch.export import Dim

import ostinato.nn
from ostinato.cells import cell, sigmoid, tanh

from ..cli.running import process
from .running import layer_of, normal

STEPS, BATCH = Dim("steps", min=1), Dim("batch", min=1)
SIZES = [(5, 3), (9, 2), (1, 1)]
"""Steps and sequences: those that were exported with, others, and the smallest."""


@cell(gates="a b", state="slow fast", output="fast")
def own(x, R, s):
    """A cell that no package knows, whose states have names of their own."""
    slow = s.slow + sigmoid(x.a) * (s.fast - s.slow)
    return slow, tanh(x.b + R.b(slow))


class Tagger(torch.nn.Module):
    """Symbols in, scores out, with a ragged batch."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(7, 4)
        self.recurrent = layer_of("gru", 4, 6, torch.float32, bidirectional=True, dropout=0.5, num_layers=2)
        self.head = torch.nn.Linear(12, 3)

    def forward(self, symbols, lengths):
        y, _ = self.recurrent(self.embedding(symbols), None, lengths)
        return self.head(y)


def floats(*shape, seed=0):
    return normal(*shape, seed=seed, dtype=torch.float32)


def symbols(steps, batch):
    return torch.randint(0, 7, (steps, batch)), torch.arange(batch) % (steps + 1)


def with_state(steps, batch):
    return floats(steps, batch, 4), (floats(2, batch, 6, seed=1), floats(2, batch, 6, seed=2))


def with_named_state(steps, batch):
    return floats(steps, batch, 4), ((floats(batch, 6, seed=1), floats(batch, 6, seed=2)),)


X = {0: STEPS, 1: BATCH}
CASES = {
    "own": (lambda: layer_of(own, 4, 6, torch.float32), with_named_state, (X, (({0: BATCH},) * 2,))),
    "learned": (
        lambda: layer_of("lstm", 4, 6, torch.float32, num_layers=2, initial_state="learned"),
        lambda steps, batch: (floats(steps, batch, 4),),
        (X,),
    ),
    "drop_in": (lambda: ostinato.nn.LSTM(4, 6, 2), with_state, (X, ({1: BATCH},) * 2)),
    "batch_first": (
        lambda: ostinato.nn.GRU(4, 6, bidirectional=True, batch_first=True),
        lambda steps, batch: (floats(batch, steps, 4),),
        ({1: STEPS, 0: BATCH},),
    ),
    "tagger": (Tagger, symbols, (X, {0: BATCH})),
}
"""A module, what it is given at each size, and which sizes of that may be any."""

SCRIPT = """
import sys, numpy as np
import {imports}
given, results = torch.load("given.pt"), {{}}
for name, sizes in given.items():
    module = torch.export.load(name + ".pt2").module()
    for size, inputs in sizes.items():
        found = torch.utils._pytree.tree_leaves(module(*inputs))
        results |= {{f"{{name}} {{size}} {{k}}": part.detach().numpy() for k, part in enumerate(found)}}
np.savez("results.npz", **results)
assert "ostinato.nn" not in sys.modules
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with the modules as files and with what they are given, and what they answer here."""
    folder = tmp_path_factory.mktemp("exported")
    given, expected = {}, {}
    for name, (build, make, dynamic) in CASES.items():
        torch.manual_seed(3)
        module = build().eval()
        given[name] = {str(size): make(*size) for size in SIZES}
        program = torch.export.export(module, given[name][str(SIZES[0])], dynamic_shapes=dynamic)
        torch.export.save(program, folder / f"{name}.pt2")
        for size, inputs in given[name].items():
            with torch.no_grad():
                answer = torch.utils._pytree.tree_leaves(module(*inputs))
            expected |= {f"{name} {size} {k}": part.numpy() for k, part in enumerate(answer)}
    torch.save(given, folder / "given.pt")
    return folder, expected


@pytest.mark.parametrize("imports", ["ostinato, torch", pytest.param("torch, ostinato", marks=pytest.mark.slow)])
def test_another_process_opens_and_runs_what_was_exported(exported, imports):
    folder, expected = exported
    ran = process(script=SCRIPT.format(imports=imports), cwd=folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    with np.load(folder / "results.npz") as found:
        assert {name: part.tobytes() for name, part in found.items()} == {
            name: part.tobytes() for name, part in expected.items()
        }
    (folder / "results.npz").unlink()


@pytest.mark.slow
def test_torch_alone_does_not_know_the_operators(exported):
    folder, _ = exported
    ran = process(script=SCRIPT.format(imports="torch"), cwd=folder)
    assert ran.returncode
    assert "ostinato" in ran.stderr
