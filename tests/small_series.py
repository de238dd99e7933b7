"""Small tables and sizes, so that a whole forecaster is fitted in a fraction of a second."""

import numpy as np

SIZES = {
    "horizon": 4,
    "lookback": 6,
    "hidden_size": 4,
    "steps": 3,
    "evaluations": 3,
    "batch_size": 8,
    "warmup_steps": 1,
    "learning_rate": 0.01,
}
FLAGS = [text for name, value in SIZES.items() for text in (f"--{name.replace('_', '-')}", str(value))]
"""The same sizes on the command line."""


def times(rows, step="h"):
    return np.datetime64("2024-03-01", "us") + np.arange(rows) * np.timedelta64(1, step)


def load(rows=90, seed=0):
    """Columns of one series: two targets, a price known ahead, a temperature known up to now, and a kind of day."""
    random = np.random.default_rng(seed)
    season = np.sin(np.arange(rows) * 2 * np.pi / 24)
    return {
        "when": times(rows),
        "load": 50 + 9 * season + random.normal(size=rows),
        "wind": 7 - 3 * season + random.normal(size=rows),
        "price": random.normal(size=rows) + 3,
        "heat": random.normal(size=rows) * 5,
        "day": np.array(["work", "rest", "feast"])[np.arange(rows) // 24 % 3].tolist(),
    }


def shops(lengths=(60, 40, 25), seed=0):
    """Columns of several series in long form, with a static category."""
    random = np.random.default_rng(seed)
    names = [f"shop {number}" for number in range(1, len(lengths) + 1)]
    return {
        "unique_id": [name for name, length in zip(names, lengths, strict=True) for _ in range(length)],
        "ds": np.concatenate([times(length, "D") for length in lengths]),
        "y": np.concatenate([10.0**k * (5 + np.abs(random.normal(size=length))) for k, length in enumerate(lengths)]),
        "town": [["Ulm", "Bonn"][k % 2] for k, length in enumerate(lengths) for _ in range(length)],
    }


def marked(columns, names, rows, value=1e25):
    """Return columns with a huge number, or a text never seen, in some rows (a mask) of some of them."""
    changed = dict(columns)
    for name in names:
        own = np.array(columns[name], dtype=object if isinstance(columns[name], list) else None)
        own[rows] = "marker" if isinstance(columns[name], list) else value
        changed[name] = own.tolist() if isinstance(columns[name], list) else own
    return changed
