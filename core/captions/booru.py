"""A list of a gallery's tags, where a person has dropped one in: how common each is, what it implies, other names."""

import csv
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from heapq import nlargest
from pathlib import Path

from msgspec import Struct

from core.captions.tagwords import is_emoticon
from core.errors import Problem, Severity
from core.language import _

_LAST = "\U0010ffff"
_IMPLICATIONS, _ALIASES = "implication", "alias"
_COUNTS = ("count", "post_count")
_LEAST_INSIDE = 3
"""Letters. Fewer stand inside of half of all tags."""


class Hit(Struct, frozen=True):
    """A tag of the list that fits what was typed."""

    tag: str
    count: int
    """Pictures of the gallery that bear it."""
    alias: str = ""
    """The other name that was typed, when it was not the tag's own."""


class Booru(Struct, frozen=True, dict=True):
    """Tags as captions spell them: small letters, blanks for underscores."""

    counts: dict[str, int] = {}
    """Each tag and how many pictures of the gallery bear it."""
    aliases: dict[str, str] = {}
    """Other names, and the tag of each."""
    implications: dict[str, tuple[str, ...]] = {}
    """A tag, and what is true wherever it is."""
    problems: tuple[Problem, ...] = ()
    """Files that could not be read."""

    def __bool__(self) -> bool:
        return bool(self.counts or self.aliases or self.implications)

    def tag_of(self, name: str) -> str:
        """The tag of this name or other name; empty when there is none."""
        return name if name in self.counts else self.aliases.get(name, "")

    def count_of(self, tag: str) -> int:
        """How many pictures bear a tag; 0 for one that is not listed."""
        return self.counts.get(tag, 0)

    def implied(self, tag: str) -> tuple[str, ...]:
        """Everything that is true wherever `tag` is, the nearest first."""
        found: dict[str, None] = {}
        waiting = [tag]
        for one in waiting:
            for other in self.implications.get(one, ()):
                if other not in found and other != tag:
                    found[other] = None
                    waiting.append(other)
        return tuple(found)

    def beginning(self, typed: str, limit: int) -> list[Hit]:
        """The most common tags that begin with `typed`, by their own name or another."""
        names, counts = self._names
        first, last = bisect_left(names, typed), bisect_left(names, typed + _LAST)
        best = nlargest(2 * limit, range(first, last), key=counts.__getitem__)
        hits: dict[str, Hit] = {}
        # A tag's own name comes before its aliases.
        for name in sorted((names[place] for place in best), key=lambda name: name not in self.counts):
            tag = self.tag_of(name)
            hits.setdefault(tag, Hit(tag, self.count_of(tag), "" if tag == name else name))
        return sorted(hits.values(), key=lambda hit: -hit.count)[:limit]

    def inside(self, typed: str, limit: int) -> list[Hit]:
        """The most common tags of which a later word begins with `typed`."""
        hits: list[Hit] = []
        if len(typed) < _LEAST_INSIDE or "\n" in typed:
            return hits
        text, place = self._text, -1
        while len(hits) < limit and (place := text.find(" " + typed, place + 1)) >= 0:
            begin, end = text.rfind("\n", 0, place) + 1, text.find("\n", place)
            tag = text[begin:end]
            hits.append(Hit(tag, self.counts[tag]))
            place = end
        return hits

    @cached_property
    def _names(self) -> tuple[list[str], list[int]]:
        """Tags and other names in the order of the alphabet, and the count of each."""
        counts = self.counts
        names = sorted([*counts, *(name for name in self.aliases if name not in counts)])
        return names, [counts[name] if name in counts else counts.get(self.aliases[name], 0) for name in names]

    @cached_property
    def _text(self) -> str:
        """All tags, one a line, the most common first: where a search stops early, it has the best."""
        return "\n" + "\n".join(sorted(self.counts, key=self.counts.__getitem__, reverse=True)) + "\n"


def load(folder: Path) -> Booru:
    """Everything in the `.csv` files of a folder, read in the order of their names; nothing where there are none.

    Understood are the lists of a1111-sd-webui-tagcomplete (name, category, count, "alias,alias"), tables of two columns
    (tag, implied tag), and the galleries' own exports, which have a heading. It takes up to a second: call it from a
    thread.
    """
    counts: dict[str, int] = {}
    aliases: dict[str, str] = {}
    implications: dict[str, list[str]] = {}
    problems = []
    for path in sorted(folder.glob("*.csv")) if folder.is_dir() else ():
        try:
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                _take(path.stem.casefold(), csv.reader(file), counts, aliases, implications)
        except (OSError, csv.Error) as error:
            problems.append(_unreadable(path, error))
    booru = Booru(
        counts,
        {name: tag for name, tag in aliases.items() if name not in counts},
        {tag: tuple(implied) for tag, implied in implications.items()},
        tuple(problems),
    )
    # Sorted here, in the thread, and not at the first letter that somebody types.
    booru._names, booru._text  # noqa: B018
    return booru


def _take(
    name: str,
    rows: Iterator[list[str]],
    counts: dict[str, int],
    aliases: dict[str, str],
    implications: dict[str, list[str]],
) -> None:
    first = next(rows, [])
    heading = [cell.strip().casefold() for cell in first]
    if "antecedent_name" in heading and "consequent_name" in heading:
        columns = heading.index("antecedent_name"), heading.index("consequent_name")
    elif len(first) == 2 or _IMPLICATIONS in name:
        columns = (0, 1)
        if not heading[:1] or heading[0] not in {"antecedent", "tag", "name"}:
            _pair(first, columns, _ALIASES in name, aliases, implications)
    else:
        _tags(first, heading, rows, counts, aliases)
        return
    for row in rows:
        _pair(row, columns, _ALIASES in name, aliases, implications)


def _tags(
    first: list[str], heading: Sequence[str], rows: Iterator[list[str]], counts: dict[str, int], aliases: dict[str, str]
) -> None:
    place, number, others = 0, 2, 3
    if "name" in heading and not first[-1].isdigit():
        place = heading.index("name")
        number = next((heading.index(count) for count in _COUNTS if count in heading), -1)
        others = heading.index("aliases") if "aliases" in heading else len(heading)
    else:
        _tag(first, place, number, others, counts, aliases)
    for row in rows:
        _tag(row, place, number, others, counts, aliases)


def _tag(row: list[str], place: int, number: int, others: int, counts: dict[str, int], aliases: dict[str, str]) -> None:
    if len(row) <= place or not (tag := _spelled(row[place])):
        return
    count = row[number] if 0 <= number < len(row) else ""
    counts[tag] = max(counts.get(tag, 0), int(count) if count.isascii() and count.isdigit() else 0)
    if len(row) > others and row[others]:
        for other in row[others].split(","):
            if alias := _spelled(other):
                aliases.setdefault(alias, tag)


def _pair(
    row: list[str],
    columns: tuple[int, int],
    is_alias: bool,
    aliases: dict[str, str],
    implications: dict[str, list[str]],
) -> None:
    if len(row) <= max(columns) or not all(pair := [_spelled(row[column]) for column in columns]):
        return
    if is_alias:
        aliases.setdefault(pair[0], pair[1])
    elif pair[1] not in (known := implications.setdefault(pair[0], [])):
        known.append(pair[1])


def _spelled(name: str) -> str:
    name = name.strip().casefold()
    return name if "_" not in name or is_emoticon(name) else name.replace("_", " ").strip()


def _unreadable(path: Path, error: Exception) -> Problem:
    from core.images.scan import shown

    return Problem(
        Severity.NOTE,
        "",
        "tags-unreadable",
        _("The list of tags “{name}” cannot be read: {reason}.").format(
            name=shown(path.name), reason=getattr(error, "strerror", None) or str(error)
        ),
        _("Captions can be written without it; download it again to have its tags offered."),
    )
