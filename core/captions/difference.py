"""Two captions side by side: what stays, what goes and what comes."""

import re
from collections.abc import Iterable
from itertools import takewhile
from typing import Literal

from msgspec import Struct

from core.captions.caption import is_sentence

MOST = 2000
"""Tags or words between the first and the last change. Among more it takes seconds to find what stays."""

_COMMAS = re.compile(r"([,\r\n]+)")
_WORDS = re.compile(r"\s+|\S+")
_GAP = re.compile(r"[\s,]+")

Change = Literal["kept", "removed", "added"]


class Piece(Struct, frozen=True):
    """A part of one or both captions."""

    change: Change
    text: str


def difference(before: str, after: str) -> list[Piece]:
    """What stays, goes and comes, by whole tags, or by words where one of the two is prose.

    Kept and removed pieces together are `before`, to the last blank; kept and added ones are `after`.
    """
    prose = is_sentence(before) or is_sentence(after)
    old, new = (_WORDS.findall(text) if prose else _tags(text) for text in (before, after))
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    middle = _aligned(old[head : len(old) - tail], new[head : len(new) - tail])
    return _merged([("kept", old[:head]), *middle, ("kept", old[len(old) - tail :])])


def _aligned(old: list[str], new: list[str]) -> Iterable[tuple[Change, list[str]]]:
    from difflib import SequenceMatcher

    if max(len(old), len(new)) > MOST:
        yield from (("removed", old), ("added", new))
        return
    # Commas and blanks are everywhere: they go with the words around them.
    matcher = SequenceMatcher(lambda text: _GAP.fullmatch(text) is not None, old, new, autojunk=False)
    for operation, start, end, new_start, new_end in matcher.get_opcodes():
        if operation == "equal":
            yield "kept", old[start:end]
        else:
            yield from (("removed", old[start:end]), ("added", new[new_start:new_end]))


def _merged(parts: Iterable[tuple[Change, list[str]]]) -> list[Piece]:
    pieces: list[Piece] = []
    for change, texts in parts:
        text = "".join(texts)
        if pieces and pieces[-1].change == change:
            pieces[-1] = Piece(change, pieces[-1].text + text)
        elif text:
            pieces.append(Piece(change, text))
    return pieces


def _shared(old: list[str], new: list[str]) -> int:
    """How many of the first ones are the same."""
    return sum(1 for _pair in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _tags(text: str) -> list[str]:
    """The tags of a text, and the blanks and commas between them, so that together they are the text."""
    parts = []
    for part in _COMMAS.split(text):
        tag = part.strip()
        lead = len(part) - len(part.lstrip())
        parts += [part[:lead], tag, part[lead + len(tag) :]]
    return [part for part in parts if part]
