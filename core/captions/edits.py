"""Changes to captions, each made once and applied to as many as one likes.

They leave what they need not touch as it was written: blanks, line ends, stray commas. Capitals make no difference, as
the text encoders see none. Prose has no tags but those of its comma parts that are one exactly.
"""

import re
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from core.captions.caption import is_sentence, joined, one_line, tags_of
from core.captions.difference import Piece, difference
from core.captions.places import (
    Place,
    gaps_in,
    inserted,
    key_of,
    lines_and_ends,
    rearranged,
    spots_of,
    without_gaps,
    written,
)
from core.errors import BocetoError
from core.language import _

__all__ = [
    "Edit",
    "PatternError",
    "Piece",
    "Place",
    "add",
    "changes",
    "collapse",
    "dedupe",
    "difference",
    "move",
    "move_to_front",
    "ordered",
    "remove",
    "rename",
    "replace",
    "spaced",
    "tidy",
    "trimmed",
]

Edit = Callable[[str], str]
"""From a caption's text, with all its lines, to what it becomes."""

EMOTICONS = frozenset({"(o)_(o)", "<o>_<o>", "<|>_<|>", "||_||"})
"""Tags of taggers that mean a face, and are longer than the three letters that are never touched."""

Key = TypeVar("Key")


def changes(texts: Mapping[Key, str], edit: Edit) -> dict[Key, tuple[str, str]]:
    """What `edit` would change: each text before and after."""
    return {key: (before, after) for key, before in texts.items() if (after := edit(before)) != before}


def rename(old: str, new: str) -> Edit:
    """`old` becomes `new`, at the earlier place where both are there. Commas in `new` make several tags of one."""
    key, names = key_of(old), tags_of(new)
    wanted = {key_of(name) for name in names}

    def arranged(tags: list[str]) -> list[str]:
        keys = [*map(key_of, tags)]
        if key not in keys:
            return tags
        seen: set[str] = set()
        after = []
        for tag, its in zip(tags, keys, strict=True):
            if its == key:
                missing = [name for name in names if key_of(name) not in seen]
                seen.update(map(key_of, missing))
                after.append(joined(missing))
            else:
                after.append("" if its in seen else tag)
                seen.update({its} & wanted)
        return after

    return lambda text: rearranged(text, arranged) if key in text.casefold() else text


def remove(tags: Collection[str]) -> Edit:
    """Without these tags."""
    unwanted = {key_of(tag) for whole in tags for tag in tags_of(whole)}

    def arranged(present: list[str]) -> list[str]:
        return ["" if key_of(tag) in unwanted else tag for tag in present]

    return lambda text: rearranged(text, arranged)


def add(tags: Collection[str], at: Place = "end") -> Edit:
    """With these tags where they are missing: as the last ones, the first ones, or before the tag number `at`."""
    wanted = {key_of(tag): tag for whole in tags for tag in tags_of(whole)}

    def edit(text: str) -> str:
        present = tags_of(text)
        missing = {**wanted}
        for tag in present:
            missing.pop(key_of(tag), None)
        return inserted(text, [*missing.values()], at)

    return edit


def move_to_front(tags: Collection[str]) -> Edit:
    """With those of these tags that are there as the first ones, in the order given."""
    wanted = [*dict.fromkeys(key_of(tag) for whole in tags for tag in tags_of(whole))]

    def edit(text: str) -> str:
        present = tags_of(text)
        keys = [*map(key_of, present)]
        front = [key for key in wanted if key in keys]
        if keys[: len(front)] == front and not {*front} & {*keys[len(front) :]}:
            return text
        return inserted(remove(front)(text), [present[keys.index(key)] for key in front], "front")

    return edit


def move(tag: str, by: int) -> Edit:
    """With the tag `by` places later, or earlier where it is negative; blanks and line ends stay in their places."""
    key = key_of(tag)

    def arranged(tags: list[str]) -> list[str]:
        place = next((place for place, one in enumerate(tags) if key_of(one) == key), None)
        if place is None:
            return tags
        rest = [*tags[:place], *tags[place + 1 :]]
        rest.insert(max(0, place + by), tags[place])
        return rest

    return lambda text: rearranged(text, arranged)


def replace(find: str, by: str, *, regex: bool = False, case: bool = False, whole_tags: bool = False) -> Edit:
    """With `by` wherever `find` stands, or for each tag that `find` is all of. A tag of which nothing is left goes.

    As a regular expression `find` may have groups, which `by` gives back as `\\1`. Raises BocetoError where it, or
    `by`, cannot be read.
    """
    pattern = _compiled(find if regex else re.escape(find), case)
    if not find:
        return lambda text: text
    if regex:
        _check_replacement(pattern, by)

    def filled(match: re.Match[str]) -> str:
        return match.expand(by) if regex else by

    def arranged(tags: list[str]) -> list[str]:
        return [filled(match).strip() if (match := pattern.fullmatch(tag)) else tag for tag in tags]

    def everywhere(text: str) -> str:
        after = pattern.sub(by if regex else filled, text)
        return without_gaps(after) if after != text and gaps_in(after) > gaps_in(text) else after

    return (lambda text: rearranged(text, arranged)) if whole_tags else everywhere


def tidy(keep: Collection[str] = ()) -> Edit:
    """Tags once each, with blanks for underscores, and one comma and one blank between them; no empty lines.

    `keep` are tags whose underscores are meant, such as an activation word. Prose only loses the blanks around it.
    """
    meant = {key_of(tag) for tag in keep}

    def tidied(tag: str) -> str:
        return tag if key_of(tag) in meant else spaced(tag)

    def edit(text: str) -> str:
        seen: set[str] = set()
        lines = []
        for line, end in lines_and_ends(text):
            after = line.strip() if is_sentence(line) else joined(_new([*map(tidied, tags_of(line))], seen))
            if after:
                lines.append((after, end))
        return written(lines)

    return edit


def spaced(tag: str) -> str:
    """A tag with one blank for each run of blanks and underscores, but in emoticons such as `^_^`."""
    if "_" not in tag:
        return " ".join(tag.split())
    words = [word if len(word) <= 3 or word in EMOTICONS else word.replace("_", " ") for word in tag.split()]
    return " ".join(" ".join(words).split()) or tag


def dedupe() -> Edit:
    """With each tag once, where it stands first."""

    def arranged(tags: list[str]) -> list[str]:
        seen: set[str] = set()
        after = []
        for tag in tags:
            after.append("" if key_of(tag) in seen else tag)
            seen.add(key_of(tag))
        return after

    return lambda text: rearranged(text, arranged, prose=False)


def collapse(keep: Collection[str] = ()) -> Edit:
    """Without tags that are the last words of another: “shirt” beside “white shirt”. Those in `keep` stay."""
    meant = {key_of(tag) for tag in keep}

    def arranged(tags: list[str]) -> list[str]:
        folded = "\n".join(tags).casefold().replace("_", " ").split("\n") if tags else []
        words = [" ".join(tag.split()) for tag in folded]
        ends = set()
        for whole in words:
            rest = whole
            while rest := rest.partition(" ")[2]:
                ends.add(rest)
        return ["" if one in ends and key_of(tag) not in meant else tag for tag, one in zip(tags, words, strict=True)]

    return lambda text: rearranged(text, arranged, prose=False)


def trimmed(count: Callable[[str], int], most: int) -> Edit:
    """Without as many tags at the end as make it fit: `count` of the one line that is trained is at most `most`.

    The first tag and prose stay, so that not every caption can be made to fit.
    """

    def without_last(text: str, last: int) -> str:
        def arranged(tags: list[str]) -> list[str]:
            kept = max(1, len(tags) - last)
            return [*tags[:kept], *[""] * len(tags[kept:])]

        return rearranged(text, arranged, prose=False)

    def edit(text: str) -> str:
        spots = spots_of(text)
        # Of one line of tags any beginning is trained as it stands.
        plain = bool(spots) and len(lines_and_ends(text)) == 1 and not is_sentence(text)

        def trained(kept: int) -> str:
            if plain:
                return text[spots[0][1] : spots[kept - 1][2]]
            return one_line(without_last(text, len(spots) - kept))

        whole = trained(len(spots))
        if (size := count(whole)) <= most or len(spots) < 2:
            return text
        # Counting takes longest, so it begins where the end most likely is.
        room = spots[0][1] + len(whole) * most // size
        kept = min(max(1, sum(end <= room for _blanks, _start, end in spots)), len(spots) - 1)
        if count(trained(kept)) <= most:
            while kept + 1 < len(spots) and count(trained(kept + 1)) <= most:
                kept += 1
        else:
            kept -= 1
            while kept > 1 and count(trained(kept)) > most:
                kept -= 1
        kept = max(1, kept)
        if plain:
            return text[: spots[kept - 1][2]] + text[len(text.rstrip()) :]
        return without_last(text, len(spots) - kept)

    return edit


def ordered(rank: Callable[[str], Any]) -> Edit:
    """With its tags by `rank`, those of the same rank as they were; blanks and line ends stay in their places."""
    return lambda text: rearranged(text, lambda tags: sorted(tags, key=rank), prose=False)


class PatternError(BocetoError):
    """A regular expression, or what is to be put in its place, that cannot be read, and where."""

    def __init__(self, title: str, reason: str, hint: str, start: int | None) -> None:
        detail = (
            reason if start is None else _("At character {place}: {reason}.").format(place=start + 1, reason=reason)
        )
        super().__init__(title, detail, hint)
        self.start = start


def _compiled(find: str, case: bool) -> re.Pattern[str]:
    try:
        # A doubtful pattern would write its warning across the screen.
        with warnings.catch_warnings(action="ignore"):
            return re.compile(find, 0 if case else re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(
            _("What you look for is not a regular expression."),
            getattr(error, "msg", str(error)),
            _("Put a backslash before a character such as ( [ * + ? to mean that character, or search for plain text."),
            getattr(error, "pos", None),
        ) from error


def _check_replacement(pattern: re.Pattern[str], by: str) -> None:
    try:
        pattern.sub(by, "")
    except (re.error, IndexError) as error:
        raise PatternError(
            _("What you put in its place cannot be read."),
            getattr(error, "msg", str(error)),
            _("\\1 is the first group in parentheses; write \\\\ for a backslash."),
            getattr(error, "pos", None),
        ) from error


def _new(tags: list[str], seen: set[str]) -> list[str]:
    """Those of `tags` that were not seen yet; now they are."""
    new = []
    for tag in tags:
        if (key := key_of(tag)) not in seen:
            seen.add(key)
            new.append(tag)
    return new
