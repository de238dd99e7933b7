"""What docs/classification.md says is refused, in these very words."""

import re
from pathlib import Path

import pytest

from ostinato.data.labelled import series_examples, tagged_sentences, text_examples
from ostinato.data.text_tables import TextLayout
from tests.data.labelled_files import fact, write

DOCUMENT = Path(__file__).parents[2] / "docs/classification.md"
HEADER = "text,label\n"
CAUSES = [
    (text_examples, "train.csv", HEADER + "a,x\n" * 15 + "b,c,x\n", TextLayout()),
    (text_examples, "train.csv", HEADER + "a,x\n" * 7 + '"b,x\n', TextLayout()),
    (text_examples, "train.csv", HEADER + "a,x\n", TextLayout(label="lable")),
    (text_examples, "train.csv", HEADER + "a,x\n" * 29 + "b,\nb,\n" + "a,x\n" * 869, TextLayout()),
    (series_examples, "walk.ts", "@classLabel true\n@data\n" + "1:2:run\n" * 9 + "1,1:2,inf:run\n", None),
    (series_examples, "long.csv", "series,v,label\na,1,x\na,2,y\n", None),
    (tagged_sentences, "words.conll", "a X\nb Y\n\nc X\nd Y\ne X\n\nf\n", None),
]


def documented():
    block = re.search(r"^### What is refused\n.*?^```\n(.*?)^```", DOCUMENT.read_text(), flags=re.DOTALL | re.MULTILINE)
    return block[1].splitlines()


@pytest.mark.parametrize(("cause", "line"), list(zip(CAUSES, documented(), strict=True)))
def test_what_is_refused(tmp_path, monkeypatch, cause, line):
    read, name, content, layout = cause
    write(tmp_path, content, name)
    monkeypatch.chdir(tmp_path)
    assert fact(read, Path(name), layout) == line
