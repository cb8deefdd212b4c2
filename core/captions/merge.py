"""Bringing two changes of one caption together: a person's, and another program's."""

from collections.abc import Sequence
from difflib import SequenceMatcher

from core.captions.caption import is_sentence, joined, lines_of, tags_of


def merged(base: str, mine: str, theirs: str) -> str | None:
    """The caption with both changes of `base` in it; None when they touch the same place.

    Tags are compared with tags, and words with words where it is prose. What comes out is one line.
    """
    if theirs in (mine, base):
        return mine
    if mine == base:
        return theirs
    if any(len(lines_of(text)) > 1 for text in (base, mine, theirs)):
        return None
    prose = any(is_sentence(text) for text in (base, mine, theirs))
    parts = [text.split() if prose else tags_of(text) for text in (base, mine, theirs)]
    together = _together(*parts)
    if together is None or prose:
        return None if together is None else " ".join(together)
    old, one, two = map(set, parts)
    if set(together) & (old - (one & two)):  # one side has moved what the other has removed
        return None
    return joined(list(dict.fromkeys(together)))


def _together(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]) -> list[str] | None:
    """Both sides' replacements in one pass over `base`; None where two of them overlap or stand at one place."""
    changes = sorted(
        {
            (start, end, tuple(side[first:last]))
            for side in (mine, theirs)
            for start, end, first, last in _changes(base, side)
        }
    )
    result: list[str] = []
    at = 0
    touched = -1
    for start, end, new in changes:
        if start < at or start == touched:
            return None
        result += [*base[at:start], *new]
        at, touched = end, start
    return [*result, *base[at:]]


def _changes(base: Sequence[str], side: Sequence[str]) -> list[tuple[int, int, int, int]]:
    matcher = SequenceMatcher(None, base, side, autojunk=False)
    return [(start, end, first, last) for kind, start, end, first, last in matcher.get_opcodes() if kind != "equal"]
