"""Wrote ``language.safetensors``, a model file of format 1 with a cell of its own, and what it must give for ever.

Run once, with the code of November 2026 and torch 2.13.0: ``python -m tests.golden.write_language``. The test
reads the file, so that a change of the format which breaks old models shows.
"""

import json
from pathlib import Path

from ostinato.tasks.language import LanguageModel
from tests.example_cells import EXAMPLES

HERE = Path(__file__).parent
MODEL = HERE / "language.safetensors"
EXPECTED = HERE / "language.json"
PROVERBS = (
    "a rolling stone gathers no moss\nall that glitters is not gold\na stitch in time saves nine\n"
    "better late than never\nhaste makes waste\nno man is an island\nstill waters run deep\n"
) * 8


def main() -> None:
    model = LanguageModel(
        cell=EXAMPLES["peephole"],
        hidden_size=8,
        num_layers=2,
        embedding_size=4,
        steps=600,
        learning_rate=0.03,
        batch_size=4,
        sequence_length=16,
        dropout=0.0,
        seed=7,
    ).fit(PROVERBS, quiet=True)
    model.save(MODEL)
    evaluation = model.evaluate("all is not gold\n", train=PROVERBS)
    expected = {
        "nats_per_character": evaluation.metrics["nats_per_character"],
        "baselines": {name: figures["nats_per_character"] for name, figures in evaluation.baselines.items()},
        "likeliest": model.generate("a stitch", 30, temperature=0),
        "symbols": list(model.vocabulary_.code_points),
        "recorded": model.metrics_["nats_per_character"],
    }
    EXPECTED.write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
