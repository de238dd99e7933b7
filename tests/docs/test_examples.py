"""The reading copies run as they stand."""

import gzip
import subprocess
import sys
from pathlib import Path
from pydoc_data import topics

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "char_lm.py"


@pytest.mark.parametrize("cell", ["lstm", pytest.param("coupled_lstm", marks=pytest.mark.slow)])
def test_char_lm_goes_from_raw_text_to_samples(cell, tmp_path):
    text = tmp_path / "text.txt.gz"
    text.write_bytes(gzip.compress((topics.topics["if"] * 20).encode()))
    command = [sys.executable, EXAMPLE, text, "--cell", cell, "--steps", "20", "--hidden", "16"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "held out: " in done.stdout
    assert len(done.stdout) > 300
    assert "characters/s" in done.stderr


def test_char_lm_is_under_100_lines():
    assert len(EXAMPLE.read_text().splitlines()) < 100
