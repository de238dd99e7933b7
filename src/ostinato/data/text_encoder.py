"""The encoders of text: what a unit is, by name, and the one type that a model file's document holds."""

from __future__ import annotations

from .characters import CharacterEncoder
from .pieces import PieceEncoder
from .spellings import SpellingEncoder
from .words import WordEncoder

TextEncoder = WordEncoder | CharacterEncoder | SpellingEncoder | PieceEncoder
"""Told apart in a document by ``kind``."""
ENCODERS: dict[str, type[TextEncoder]] = {
    "words": WordEncoder,
    "characters": CharacterEncoder,
    "spellings": SpellingEncoder,
    "pieces": PieceEncoder,
}
"""What text can be cut into."""
