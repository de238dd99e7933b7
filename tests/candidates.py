"""Which candidates of the engine a test runs through."""

from ostinato.engine import dispatch

INTERPRETERS = ("torch", "numpy")
TABLES = ("every candidate", "interpreters")


def use_table(monkeypatch, table):
    """Leave the engine's table as it is, or only the interpreters in it."""
    if table == "interpreters":
        kept = tuple(candidate for candidate in dispatch.CANDIDATES if candidate.name in INTERPRETERS)
        monkeypatch.setattr(dispatch, "CANDIDATES", kept)
