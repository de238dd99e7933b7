"""Small tagged sentences of two kinds, and the sizes of taggers that learn them in a moment."""

import numpy as np

SIZES = {
    "steps": 40,
    "hidden_size": 6,
    "embedding_size": 5,
    "batch_size": 8,
    "evaluations": 2,
    "learning_rate": 0.05,
}
FLAGS = [part for name, value in SIZES.items() for part in (f"--{name.replace('_', '-')}", str(value))]

NOUNS, VERBS, PLACES = ("dog", "cat", "walk", "home"), ("sees", "eats", "walk"), ("Ulm", "Bad Ems", "York")


def speech(count=60, seed=0):
    """Sentences and parts of speech; what a walk is depends on its place."""
    random = np.random.default_rng(seed)
    words, tags = [], []
    for _ in range(count):
        first, second = (str(random.choice(NOUNS)) for _ in range(2))
        sentence, parts = ["the", first, str(random.choice(VERBS))], ["DET", "NOUN", "VERB"]
        if random.random() < 0.5:
            sentence, parts = [*sentence, "a", second], [*parts, "DET", "NOUN"]
        words.append([*sentence, "."])
        tags.append([*parts, "PUNCT"])
    return words, tags


def entities(count=60, seed=0):
    """Sentences in which some places are marked, as BIO."""
    random = np.random.default_rng(seed)
    words, tags = [], []
    for _ in range(count):
        place = str(random.choice(PLACES)).split()
        is_there = random.random() < 0.6
        middle = place if is_there else ["here"]
        marks = ["B-place", *["I-place"] * (len(place) - 1)] if is_there else ["O"]
        words.append(["we", "go", "to", *middle, "now"])
        tags.append(["O", "O", "O", *marks, "O"])
    return words, tags


def columns(words, tags=None):
    """Return sentences as CoNLL columns."""
    rows = (
        words
        if tags is None
        else [list(map("\t".join, zip(*pair, strict=True))) for pair in zip(words, tags, strict=True)]
    )
    return "\n".join("".join(f"{row}\n" for row in sentence) for sentence in rows)
