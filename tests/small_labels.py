"""Small texts and series with labels, and the sizes of classifiers that learn them in a moment."""

import numpy as np

SIZES = {
    "steps": 40,
    "hidden_size": 6,
    "embedding_size": 5,
    "batch_size": 8,
    "evaluations": 3,
    "warmup_steps": 2,
    "learning_rate": 0.02,
}
FLAGS = [part for name, value in SIZES.items() for part in (f"--{name.replace('_', '-')}", str(value))]
"""The same sizes on the command line."""

PLAIN = ("the", "film", "was", "with", "a", "an", "ending", "and", "music", "of", "1999")
TELLING = {"pos": ("good", "lovely", "fine"), "neg": ("bad", "dull", "awful")}
SYLLABLES = {"north": ("sson", "dal", "berg"), "south": ("ini", "ardo", "elli"), "east": ("ov", "ski", "enko")}


def reviews(count=60, seed=0, kinds=tuple(TELLING)):
    """Texts of 40 characters and more, and whether they praise: each has one word that tells."""
    random = np.random.default_rng(seed)
    labels = [kinds[number % len(kinds)] for number in range(count)]
    texts = []
    for label in labels:
        words = random.choice(PLAIN, random.integers(12, 20)).tolist()
        words.insert(int(random.integers(len(words))), str(random.choice(TELLING[label])))
        texts.append(" ".join(words))
    return texts, labels


def names(count=60, seed=0):
    """Short texts, and where they are from: their ends tell."""
    random = np.random.default_rng(seed)
    kinds = list(SYLLABLES)
    labels = [kinds[number % len(kinds)] for number in range(count)]
    letters = list("abdeiklmnortuz")
    texts = [
        "".join(random.choice(letters, random.integers(2, 6))) + str(random.choice(SYLLABLES[label]))
        for label in labels
    ]
    return texts, labels


def waves(count=40, seed=0, missing=0.1, longest=20):
    """Series of two channels and unequal lengths, slow (1) or fast (2), some of whose values are missing."""
    random = np.random.default_rng(seed)
    labels = [1 + number % 2 for number in range(count)]
    series = []
    for label in labels:
        steps = np.arange(random.integers(5, longest + 1))
        values = np.stack([np.sin(label * steps + random.normal()), random.normal(size=len(steps))], axis=1)
        values[random.random(values.shape) < missing] = np.nan
        series.append(values)
    return series, labels


def topics(count=60, seed=0):
    """Texts to which none, one or both of two classes apply: a word tells of each."""
    random = np.random.default_rng(seed)
    words = {"sea": ("ship", "wave"), "war": ("army", "siege")}
    texts, labels = [], []
    for _ in range(count):
        own = [name for name in words if random.random() < 0.5]
        text = random.choice(PLAIN, 12).tolist()
        for name in own:
            text.insert(int(random.integers(len(text))), str(random.choice(words[name])))
        texts.append(" ".join(text))
        labels.append(own)
    return texts, labels
