"""The words that the tagger knows, and which of them a drawing deserves."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from core.bases.mini.making.art import OUTLINE, STYLES, Art
from core.taggers.mini.making import things
from core.taggers.mini.making.pictures import learnt

NAMES, KINDS, COLOURS, STYLE = GROUPS = ("names", "kinds", "colours", "style")
"""What a tag says, in the order in which captions say it."""

COLOUR_TAGS = tuple("red orange yellow green blue purple pink brown black grey white".split())
COLOURFUL, MONOCHROME, GREYSCALE = "colorful", "monochrome", "greyscale"
LINES, OUTLINED, SIMPLE, GRADIENT = "lineart", "outline", "simple_background", "gradient_background"
BACKGROUND_TAGS = tuple(f"{colour}_background" for colour in COLOUR_TAGS)
BY_STYLE = {
    OUTLINE: (LINES, OUTLINED),
    "openmoji": (OUTLINED, "flat_color"),
    "flat": ("flat_color",),
    "twemoji": ("flat_color",),
    "modern": ("shading",),
}
"""What is known of a drawing from the art set it is from."""
STYLE_TAGS = (LINES, OUTLINED, "flat_color", "shading", MONOCHROME, GREYSCALE, SIMPLE, *BACKGROUND_TAGS, GRADIENT)

_NAMED_GROUPS = ("animals-nature", "food-drink", "travel-places", "objects", "activities")
_FEWEST = 4
"""Pictures to learn a kind from. A name needs to be drawn in every art set, so that each can be tested."""


class Vocabulary(Struct, frozen=True):
    """All tags in the order of the file, and what each of them says."""

    tags: tuple[str, ...]
    groups: tuple[str, ...]
    """One of `GROUPS` for every tag."""

    @staticmethod
    def of(art: Sequence[Art]) -> "Vocabulary":
        """The tags that enough of the drawings have, names first."""
        everywhere = Counter(name(one) for one in art)
        named, kinds = Counter[str](), Counter[str]()
        for one in filter(learnt, art):
            # A name that is also a word or a kind, such as “bird”, is counted as a name.
            own = {name(one)} - {""}
            named.update(own)
            kinds.update(meaning(one) - own)
        names = sorted(tag for tag in named if everywhere[tag] == len(STYLES))
        known = {
            NAMES: names,
            KINDS: sorted(tag for tag, count in kinds.items() if count >= _FEWEST and tag not in names),
            COLOURS: (*COLOUR_TAGS, COLOURFUL),
            STYLE: STYLE_TAGS,
        }
        pairs = [(tag, group) for group in GROUPS for tag in known[group]]
        return Vocabulary(tuple(tag for tag, _group in pairs), tuple(group for _tag, group in pairs))

    def columns(self, group: str) -> list[int]:
        """Where the tags of a group stand."""
        return [column for column, one in enumerate(self.groups) if one == group]

    def marks(self, tags: Iterable[str]) -> list[bool]:
        """True for every tag that is among `tags`."""
        given = frozenset(tags)
        return [tag in given for tag in self.tags]


def name(one: Art) -> str:
    """The tag that names the drawing, such as `police_car`; empty if it has none of its own."""
    concept = one.concept
    if not one.group.startswith(_NAMED_GROUPS) or concept in things.OBSCURE:
        return ""
    if things.NAMELESS.fullmatch(concept) and concept not in things.NAMED_ANYWAY:
        return ""
    return things.RENAMED.get(concept, concept).replace(" ", "_")


def meaning(one: Art) -> set[str]:
    """What the drawing shows, as tags: its name, the words in it, and its kinds."""
    words = one.concept.split()
    tags = {name(one)} - {""}
    tags |= {tag for tag, names in things.MORE.items() if one.concept in names}
    for word in words:
        tags |= {word, word.removesuffix("s")} & things.WORDS
    if one.concept not in things.ODD:
        starts = (kind for start, kind in things.KINDS.items() if _within(one.group, start))
        tags.update(tag for kind in starts for tag in kind.split())
    if one.group.startswith("smileys-emotion"):
        tags |= {tag for tag, said in things.EXPRESSIONS.items() if set(words) & set(said.split())}
    if one.group.startswith("people-body/person"):
        tags |= {"1girl"} if things.WOMEN & set(words) else {"1boy"} if things.MEN & set(words) else set()
    elif not one.group.startswith("people-body"):
        tags.add("no_humans")
    return tags


def _within(group: str, start: str) -> bool:
    """Whether the subgroup is `start` or begins with it before a dash or slash."""
    return group == start or group.startswith((f"{start}-", f"{start}/"))


def known(one: Art) -> set[str]:
    """All tags that are known of a drawing without looking at its pixels."""
    return meaning(one) | set(BY_STYLE[one.style])


def concepts(art: Sequence[Art], vocabulary: Vocabulary) -> list[int]:
    """For every drawing the column of its name, or -1."""
    columns = {tag: column for column, tag in enumerate(vocabulary.tags)}
    return [columns.get(name(one), -1) for one in art]
