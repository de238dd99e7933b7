"""Entities, and the tags that each scheme writes for them; and chunks by conlleval's own tables of prefixes."""

BEGINS = {(a, b) for a in "BIESO" for b in "BS"} | {(a, b) for a in "ESO" for b in "IE"}
"""Prefixes of a word and of the next, of one type, between which a chunk begins."""
ENDS = {(a, b) for a in "BI" for b in "BSO"} | {(a, b) for a in "ES" for b in "BIESO"}
"""Those between which one ends."""


def chunks(tags):
    """Return the chunks of a sentence as (type, start, stop), by walking over the boundaries between words."""
    found, start = [], None
    for place in range(len(tags) + 1):
        before, after = split(tags[place - 1] if place else "O"), split(tags[place] if place < len(tags) else "O")
        differ = before[1] != after[1]
        if before[0] != "O" and (differ or (before[0], after[0]) in ENDS):
            found.append((before[1], start, place))
            start = None
        if after[0] != "O" and (differ or (before[0], after[0]) in BEGINS):
            assert start is None
            start = place
    return found


def split(tag):
    prefix, _, kind = tag.partition("-")
    return prefix, kind


def bio(entities, length):
    return written(entities, length, lambda place, last, touches: "I" if place else "B")


def iob1(entities, length):
    return written(entities, length, lambda place, last, touches: "B" if touches and not place else "I")


def bioes(entities, length):
    def prefix(place, last, touches):
        return "S" if place == last == 0 else "B" if place == 0 else "E" if place == last else "I"

    return written(entities, length, prefix)


def written(entities, length, prefix):
    """Return the tags of entities (type, start, stop) in a sentence of so many words.

    prefix: says that of a word by its place in its entity, the last place, and whether the entity begins right after
    another of its type.
    """
    tags = ["O"] * length
    ends = {(kind, stop) for kind, _, stop in entities}
    for kind, start, stop in entities:
        for place in range(start, stop):
            tags[place] = f"{prefix(place - start, stop - start - 1, (kind, start) in ends)}-{kind}"
    return tags
