"""Small texts and sizes, so that a whole training run takes a fraction of a second."""

from pydoc_data import topics

from ostinato.cells import Cell
from tests.example_cells import EXAMPLES

TEXT = "\n".join(topics.topics[name] for name in sorted(topics.topics))[:12_000]
"""English, of about 80 different characters."""
SIZES = {
    "hidden_size": 8,
    "num_layers": 2,
    "embedding_size": 8,
    "batch_size": 4,
    "sequence_length": 8,
    "dropout": 0.2,
    "learning_rate": 0.01,
    "warmup_steps": 2,
    "steps": 12,
    "evaluations": 3,
    # However slow the machine, checkpoints follow evaluations alone.
    "checkpoint_every": 3600.0,
}
FLAGS = [text for name, value in SIZES.items() for text in (f"--{name.replace('_', '-')}", str(value))]
"""The same sizes on the command line."""

PEEPHOLE: Cell = EXAMPLES["peephole"]
"""A cell that no file of the package knows: an LSTM with peepholes and coupled gates."""
