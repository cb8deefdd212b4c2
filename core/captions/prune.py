"""Which tags to take out of all captions and which to keep, with the reason: what is left out, the word absorbs."""

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from core.captions.tagwords import (
    BACKGROUNDS,
    GREY,
    META,
    PEOPLE,
    RATINGS,
    WRITING,
    is_medium,
    is_quality,
    is_trait,
    plain,
)
from core.language import _
from core.project import Kind

Group = Literal["medium", "quality", "rating", "meta", "trait", "always", "grey", "people", "background", "writing"]

ALWAYS = 0.85
"""Share of the drawings from which a tag says nothing that the activation word does not."""
MOSTLY = 0.60
"""Share from which something about a character is likely to be permanent."""
_ALL = 0.95
"""Taggers miss a few."""


class Proposal(Struct, frozen=True):
    """One tag and what to do with it."""

    tag: str
    """In small letters, as the counts have it."""
    group: Group
    keep: bool
    reason: str
    count: int
    """Captions that bear it."""


def proposals(counts: Mapping[str, int], drawings: int, kind: Kind, word: str) -> list[Proposal]:
    """What to prune of a dataset's tags, then what rather to keep; by group, the most common first.

    `counts` tells how many captions bear each tag (`Vocabulary.counts`). Tags that are content like any other stay
    without a word.
    """
    own = plain(word)
    found = [
        Proposal(tag, *judged, count)
        for tag, count in counts.items()
        if drawings and (name := plain(tag)) != own and (judged := _judged(name, count / drawings, kind))
    ]
    order = {group: place for place, group in enumerate(Group.__args__)}  # type: ignore[attr-defined]
    return sorted(found, key=lambda one: (one.keep, order[one.group], -one.count, one.tag))


def group_words(group: Group) -> str:
    """What the tags of a group are, as a heading."""
    return {
        "medium": _("How it is drawn"),
        "quality": _("Praise"),
        "rating": _("Ratings"),
        "meta": _("Notes of galleries"),
        "trait": _("Permanent traits"),
        "always": _("In nearly every caption"),
        "grey": _("Without colours"),
        "people": _("How many there are"),
        "background": _("Backgrounds"),
        "writing": _("Writing on the paper"),
    }[group]


def _judged(tag: str, share: float, kind: Kind) -> tuple[Group, bool, str] | None:
    return next(_judgements(tag, share, kind), None)


def _judgements(tag: str, share: float, kind: Kind) -> Iterator[tuple[Group, bool, str]]:
    """Group, whether to keep it, and why; the first counts."""
    style = kind == "style"
    if tag in RATINGS or tag.startswith("rating:"):
        yield "rating", False, _("A rating is no part of what a drawing shows.")
    if tag in META:
        yield "meta", False, _("Galleries note this about a file; no drawing shows it.")
    if is_quality(tag):
        yield "quality", False, _("The base knows praise by itself; in captions it ties your drawings to it.")
    if tag in PEOPLE:
        yield "people", True, _("The base counts by this tag: without it, it draws too many or too few.")
    if tag in WRITING:
        yield "writing", True, _("While it is named it can be asked away; unnamed, the LoRA learns to write it.")
    if tag in GREY:
        yield from _grey(share, style)
    elif is_medium(tag):
        if style:
            yield "medium", False, _("This is how you draw: left out, it becomes a part of the activation word.")
        yield "medium", True, _("While the way of drawing is named, it stays apart from the character.")
    if tag in BACKGROUNDS and style:
        yield "background", True, _("An empty page that no tag names becomes a part of the style.")
    if not style:
        yield from _of_character(tag, share)


def _grey(share: float, style: bool) -> Iterator[tuple[Group, bool, str]]:
    if share < _ALL:
        yield "grey", True, _("Some drawings have colours: named in the others, both can be asked for.")
    if style:
        yield "grey", False, _("No drawing has colours: left out, that becomes a part of the style.")
    yield "grey", True, _("While it is named, the character can be asked for in colours too.")


def _of_character(tag: str, share: float) -> Iterator[tuple[Group, bool, str]]:
    if is_trait(tag):
        if share >= MOSTLY:
            yield "trait", False, _("It belongs to the character: left out, the activation word brings it.")
        yield "trait", True, _("It changes from drawing to drawing: named, it can be chosen.")
    if share >= ALWAYS:
        yield "always", False, _("It is in nearly every drawing: left out, the activation word brings it.")
