"""Text with the wildcards `*` and `?`, looked for without the difference between capitals."""

import re
import unicodedata
from collections.abc import Callable

ESCAPABLE = "*?\\\"'“”"
"""A backslash before one of these makes it a character like any other; before others it is one itself."""

_UNITS = re.compile(rf"\\([{re.escape(ESCAPABLE)}])|(\*+)|(\?)|([^\\*?]+|\\)")


def folded(text: str) -> str:
    """Without the difference between capitals, nor between “ñ” in one character and in two, as macOS names files."""
    return (text if text.isascii() else unicodedata.normalize("NFC", text)).casefold()


def within(value: str) -> Callable[[str], bool]:
    """Whether a text holds the pattern anywhere. Each piece is looked for once, whatever the text."""
    plain, pieces = _pieces(value)
    if plain is not None:
        needle = plain
        return lambda text: needle in text
    searches = [re.compile(piece, re.DOTALL).search for piece in pieces if piece]

    def found(text: str) -> bool:
        place = 0
        for search in searches:
            if not (match := search(text, place)):
                return False
            place = match.end()
        return True

    return found


def line_of(value: str) -> Callable[[str], bool]:
    """Whether one of the lines of a text, between line ends, is the pattern.

    Atomic groups keep a pattern of many `*` from taking for ever.
    """
    if "\n" in value:
        return lambda text: False
    plain, pieces = _pieces(value)
    if plain is not None:
        needle = f"\n{plain}\n"
        return lambda text: needle in text
    first, *middle = pieces
    last = middle.pop() if middle else None
    pattern = "".join((first, *(f"(?>.*?{piece})" for piece in middle), "" if last is None else f".*{last}"))
    search = re.compile(f"\n{pattern}\n").search
    return lambda text: search(text) is not None


def _pieces(value: str) -> tuple[str | None, list[str]]:
    """The text of a pattern without wildcards; and what stands between its `*`, as regular expressions."""
    plain, pieces, wild = "", [""], False
    for escaped, stars, one, other in _UNITS.findall(value):
        if stars:
            pieces.append("")
        elif one:
            pieces[-1] += "."
        else:
            plain += (literal := folded(escaped or other))
            pieces[-1] += re.escape(literal)
        wild = wild or bool(stars or one)
    return (None if wild else plain), pieces
