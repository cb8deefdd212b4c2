"""A caption's tags in their places: others are put there, and all between them stays as it was written."""

import re
from collections.abc import Callable, Iterator
from typing import Literal

from core.captions.caption import is_sentence, joined, tags_of

_LINE_END = re.compile(r"(\r\n|\r|\n)")
_SEPARATOR = re.compile(r",|\r\n|\r|\n")
_FIELD = re.compile(r"[^,\r\n]+")
_BLANKS_AND_COMMA = re.compile(r"[^\S\r\n]*,")

Place = Literal["end", "front"] | int
"""Where a tag is put: a number counts the tags before it."""


def key_of(tag: str) -> str:
    """What two tags share that are the same one."""
    return tag.strip().casefold()


def lines_and_ends(text: str) -> list[tuple[str, str]]:
    """Each line and its end."""
    parts = _LINE_END.split(text)
    return [*zip(parts[::2], [*parts[1::2], ""], strict=True)]


def written(lines: list[tuple[str, str]]) -> str:
    """The text of these lines, the last of them without its end."""
    return "".join(line + end for line, end in lines[:-1]) + lines[-1][0] if lines else ""


def rearranged(text: str, arranged: Callable[[list[str]], list[str]], *, prose: bool = True) -> str:
    """The text with other tags in the places of its tags; an empty one takes its place away, and an emptied line.

    Without `prose`, lines that are prose stay as they are and their tags are not seen.
    """
    tags = tags_of(text)
    # What changes nothing among all tags changes nothing among some, and to tell prose takes long.
    if (after := arranged(tags)) == tags:
        return text
    lines = lines_and_ends(text)
    touched = [prose or not is_sentence(line) for line, _end in lines]
    if not all(touched):
        after = arranged(
            [tag for (line, _end), whether in zip(lines, touched, strict=True) if whether for tag in tags_of(line)]
        )
    given = iter(after)
    refilled = [
        (_refilled(line, given) if whether else line, end) for (line, end), whether in zip(lines, touched, strict=True)
    ]
    return written([(line, end) for line, end in refilled if line is not None])


def _refilled(line: str, given: Iterator[str]) -> str | None:
    """A line with the given tags in the places of its own."""
    fields = line.split(",")
    filled: list[str | None] = []
    for field in fields:
        tag = field.strip()
        new = next(given) if tag else ""
        filled.append(field.replace(tag, new, 1) if new or not tag else None)
    return _closed_up(fields, filled)


def _closed_up(fields: list[str], filled: list[str | None]) -> str | None:
    """The line without the fields that are gone; None when no tag is left. The blanks at both its ends stay."""
    kept = [field for field in filled if field is not None]
    if len(kept) == len(fields):
        return ",".join(kept)
    if not any(map(str.strip, kept)):
        return None
    if filled[0] is None:
        kept[0] = _blanks_before(fields[0]) + kept[0].lstrip()
    if filled[-1] is None:
        kept[-1] = kept[-1].rstrip() + fields[-1][len(fields[-1].rstrip()) :] * bool(fields[-1].strip())
    return ",".join(kept)


def spots_of(text: str) -> list[tuple[int, int, int]]:
    """Where the blanks before each tag begin, and where the tag itself begins and ends."""
    spots = []
    for field in _FIELD.finditer(text):
        if tag := field[0].strip():
            start = field.start() + field[0].index(tag)
            spots.append((field.start(), start, start + len(tag)))
    return spots


def inserted(text: str, tags: list[str], at: Place) -> str:
    """The text with more tags, between commas and blanks as those beside them have."""
    if not tags:
        return text
    if not (spots := spots_of(text)):
        return joined(tags)
    number = _last(text, len(spots)) if at == "end" else 0 if at == "front" else min(max(0, at), len(spots))
    before = at != "end" and number < len(spots)
    blanks, start, end = spots[number if before else number - 1]
    opens_line = blanks == 0 or text[blanks - 1] in "\r\n"
    comma = ", " if opens_line else f",{text[blanks:start]}"
    if before:
        return text[:start] + "".join(tag + comma for tag in tags) + text[start:]
    if match := _BLANKS_AND_COMMA.match(text, end):
        end = match.end() - 1
    return text[:end] + "".join(comma + tag for tag in tags) + text[end:]


def _last(text: str, count: int) -> int:
    """How many of the `count` tags stand up to the end of the last line that is not prose; all where every line is."""
    if not _LINE_END.search(text):
        return count
    lines = [line for line, _end in lines_and_ends(text) if tags_of(line)]
    kept = len(lines)
    while kept > 1 and is_sentence(lines[kept - 1]):
        kept -= 1
    if kept == len(lines) or is_sentence(lines[kept - 1]):
        return count
    return sum(len(tags_of(line)) for line in lines[:kept])


def _blanks_before(field: str) -> str:
    return field[: len(field) - len(field.lstrip())]


def gaps_in(text: str) -> int:
    """Commas and line ends with nothing before or after them."""
    return len(_SEPARATOR.split(text)) - len(tags_of(text))


def without_gaps(text: str) -> str:
    """The text without those commas and line ends."""
    lines = []
    for line, end in lines_and_ends(text):
        fields = line.split(",")
        whole = _closed_up(fields, [field if field.strip() else None for field in fields])
        if whole is not None and whole.strip():
            lines.append((whole, end))
    return written(lines)
