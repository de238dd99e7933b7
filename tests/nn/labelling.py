"""Networks that label, with random weights; batches for them; and what the oracle makes of both."""

import numpy as np
import torch

from ostinato.architecture import EmbeddingArchitecture, below
from ostinato.cells import CELLS
from ostinato.data.sequences import SequenceBatch, Spelled
from ostinato.label_architecture import LabelArchitecture, SpellingArchitecture
from ostinato.nn.labels import ClassifierNetwork, LabelNetwork, Noise

from ..oracles import ORACLES
from ..oracles.labels import pooled, stacked
from .forecasting import apart

LENGTHS = (7, 1, 0, 4, 9)
WORDS, CHARACTERS, LETTERS = 11, 7, 5
"""Of units, of the characters of spelled words, and the longest of these."""
UNITS = EmbeddingArchitecture(WORDS, 3)
CASES = {
    "series, mean": {"cell": "elman", "poolings": ("mean",), "reads": 3},
    "series, last": {"cell": "lstm", "poolings": ("last",), "reads": 2, "num_layers": 2},
    "series, last, both ways": {
        "cell": "gru",
        "poolings": ("last",),
        "reads": 3,
        "num_layers": 2,
        "bidirectional": True,
    },
    "series, attention": {"cell": "gru", "poolings": ("attention",), "reads": 1},
    "series, blocks": {"cell": "lru_block", "poolings": ("mean", "last"), "reads": 3, "num_layers": 2},
    "series as wide as units, blocks": {"cell": "lru_block", "poolings": ("max",), "reads": 4},
    "units, a further width": {"cell": "projected_lstm", "poolings": ("max",), "embedding": UNITS},
    "units, every pooling": {
        "cell": "gru",
        "poolings": ("attention", "last", "max", "mean"),
        "embedding": UNITS,
        "bidirectional": True,
    },
    "units, each step": {"cell": "lstm", "embedding": UNITS, "bidirectional": True},
    "spellings": {
        "cell": "gru",
        "poolings": ("max", "mean"),
        "embedding": UNITS,
        "spelling": SpellingArchitecture(CHARACTERS, 2, 3),
        "bidirectional": True,
    },
}


def architecture_of(cell, **options):
    return LabelArchitecture(CELLS[cell], **({"hidden_size": 4, "outputs": 3} | options))


def network_of(architecture, dtype=torch.float64, seed=0, noise=Noise(), **classifier):  # noqa: B008 - a constant
    """Return a network of which every weight is random; one with a loss where it scores whole sequences."""
    kind = ClassifierNetwork if architecture.poolings else LabelNetwork
    network = kind(architecture, noise, **classifier).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return network


def batch_of(architecture, lengths=LENGTHS, seed=1, dtype=np.float64):
    """Return a batch of random sequences, 0 beyond their lengths."""
    random = np.random.default_rng(seed)
    known = np.array(lengths, np.int64)
    steps = max(1, known.max(initial=1))
    is_there = np.arange(steps)[:, None] < known
    if architecture.embedding is None:
        x = random.normal(size=(steps, len(known), architecture.reads)).astype(dtype)
        return SequenceBatch(np.where(is_there[..., None], x, 0).astype(dtype), known)
    x = np.where(is_there, random.integers(0, WORDS, (steps, len(known))), 0).astype(np.int32)
    if architecture.spelling is None:
        return SequenceBatch(x, known)
    different = 6
    letter_counts = random.integers(1, LETTERS + 1, different)
    letters = random.integers(0, CHARACTERS, (LETTERS, different))
    letters = np.where(np.arange(LETTERS)[:, None] < letter_counts, letters, 0).astype(np.int32)
    words = np.where(is_there, random.integers(0, different, x.shape), 0)
    return SequenceBatch(x, known, Spelled(letters, letter_counts, words))


def weights_in(network):
    return {name: weight.detach().numpy().copy() for name, weight in network.named_parameters()}


def by_oracle(architecture, weights, batch):
    """Return what the oracle says of a batch: [B, K], or [T, B, K] with zeros beyond each length."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    rows = [_one(architecture, w, batch, row) for row in range(len(batch.lengths))]
    if architecture.poolings:
        return np.stack(rows)
    found = np.zeros((len(batch.x), len(rows), architecture.outputs))
    for row, scores in enumerate(rows):
        found[: len(scores), row] = scores
    return found


def _one(architecture, w, batch, row):
    length = int(batch.lengths[row])
    x = batch.x[:length, row]
    if architecture.embedding is not None:
        x = w["embedding.weight"][x]
    if architecture.spelling is not None:
        words = [_word(architecture, w, batch.spelled, word) for word in batch.spelled.words[:length, row]]
        spelled = np.stack(words) if words else np.zeros((0, 4 * architecture.spelling.hidden_size))
        x = np.concatenate([x, spelled], axis=1)
    parts = architecture.chain.parts
    place = 1 if "parts.0.weight" in w else 0
    if place:
        x = x @ w["parts.0.weight"].T + w["parts.0.bias"]
    y = _stacked(architecture, parts[place], below(f"parts.{place}", w), x.astype(np.float64))
    head = below(f"parts.{len(parts) - 1}", w)
    if not architecture.poolings:
        return y @ head["weight"].T + head["bias"]
    return head["weight"] @ _pooled(architecture, w, place + 1, y) + head["bias"]


def _pooled(architecture, w, place, y):
    """Join the poolings. In weights a pooling has a place of its own, or two for the last of both ways."""
    found, branch = [], 0
    several = len(architecture.poolings) > 1 or (architecture.poolings == ("last",) and architecture.bidirectional)
    for kind in architecture.poolings:
        name = f"parts.{place}.branches.{branch}.0" if several else f"parts.{place}"
        attention = w[f"{name}.layers.0.0.W"] if kind == "attention" else None
        found.append(pooled(kind, y, attention, architecture.bidirectional))
        branch += 2 if kind == "last" and architecture.bidirectional else 1
    return np.concatenate(found)


def _word(architecture, w, spelled, word):
    letters = spelled.letters[: spelled.lengths[word], word]
    own = below("speller", w)
    y = _stacked(architecture, architecture.speller.parts[0], below("parts.0", own), own["embedding.weight"][letters])
    return pooled("last", y, both_ways=True)


def _stacked(architecture, stack, w, x):
    program = architecture.cell.program
    layers = [
        [apart(program, stack.layer_weights(w, layer, direction)) for direction in range(stack.num_directions)]
        for layer in range(stack.num_layers)
    ]
    widths = {name: stack.widths[width] for name, width in program.states}
    return stacked(ORACLES[architecture.cell.name], layers, widths, x)
