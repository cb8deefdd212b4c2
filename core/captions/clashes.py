"""Tags of one caption that cannot both be true, or of which one says what another says already."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

from core.captions.tagwords import COLOURS, GREY, SEVERAL, plain

Pair = tuple[str, str]

_COLOURLESS = frozenset({"black", "white", "grey", "gray", "silver"})
# Taggers and galleries use the words of one row for the same thing.
_SHADES = (
    frozenset({"gray", "grey", "silver", "white"}),
    frozenset({"blonde", "blond", "gold", "golden", "yellow", "platinum blonde"}),
    frozenset({"violet", "purple", "light purple"}),
    frozenset({"aqua", "light blue", "blue", "dark blue"}),
    frozenset({"brown", "light brown"}),
    frozenset({"green", "light green", "dark green"}),
)
_MIXED_HAIR = (
    "multicolored hair, two-tone hair, gradient hair, streaked hair, colored inner hair, split-color hair, "
    "colored tips, colored extensions"
).split(", ")
_COLOURFUL = ("colorful", "vibrant colors", "bright colors")
_SINGLE = frozenset({"1girl", "1boy", "1other"})


class _Rule(Struct, frozen=True):
    """Of `these`, only one is true; or, where there are `those`, none of these beside one of those."""

    these: frozenset[str]
    those: frozenset[str] = frozenset()
    of_one_body: bool = False
    """It says nothing where several bodies are to be seen: one may stand and another sit."""
    unless: frozenset[str] = frozenset()


def _one_of(*tags: str, of_one_body: bool = False, unless: Iterable[str] = ()) -> _Rule:
    return _Rule(frozenset(tags), of_one_body=of_one_body, unless=frozenset(unless))


def _either(these: Iterable[str], those: Iterable[str], unless: Iterable[str] = ()) -> _Rule:
    return _Rule(frozenset(these), frozenset(those), unless=frozenset(unless))


def _coloured(part: str, colours: Iterable[str]) -> list[str]:
    return [f"{colour} {part}" for colour in colours]


_COUNTS = ("2{}s", "3{}s", "4{}s", "5{}s", "6+{}s")
_MANY = [count.format(who) for who in ("girl", "boy", "other") for count in (*_COUNTS, "multiple {}s")]
_RULES = (
    *(_one_of(f"1{who}", *(count.format(who) for count in _COUNTS)) for who in ("girl", "boy", "other")),
    *(_either([f"1{who}"], [f"multiple {who}s"]) for who in ("girl", "boy", "other")),
    _either(["solo"], [*_MANY, "couple", "duo", "trio", "crowd"]),
    _either(["no humans"], ["1girl", "1boy", *_MANY]),
    _one_of("day", "night"),
    _one_of("indoors", "outdoors", unless=["window", "open window", "open door", "doorway", "balcony", "veranda"]),
    _one_of("from above", "from below", of_one_body=True),
    _one_of("full body", "upper body", "lower body", "cowboy shot", "portrait", of_one_body=True),
    _one_of("standing", "sitting", "lying", of_one_body=True),
    _one_of("open mouth", "closed mouth", of_one_body=True),
    _one_of("short hair", "medium hair", "long hair", of_one_body=True, unless=["asymmetrical hair"]),
    _one_of("rating:safe", "rating:general", "rating:sensitive", "rating:questionable", "rating:explicit"),
    _one_of(
        *_coloured("eyes", COLOURS), of_one_body=True, unless=["heterochromia", "multicolored eyes", "gradient eyes"]
    ),
    _one_of(
        *_coloured("hair", COLOURS),
        of_one_body=True,
        unless=_MIXED_HAIR,
    ),
    _either(
        GREY,
        [*_COLOURFUL, *_coloured("hair", COLOURS - _COLOURLESS), *_coloured("eyes", COLOURS - _COLOURLESS)],
        unless=["spot color", "partially colored"],
    ),
    _either(["simple background", "white background"], ["detailed background", "scenery"]),
)
_RULED = frozenset().union(*(rule.these | rule.those for rule in _RULES))


def contradictions(tags: Sequence[str]) -> list[Pair]:
    """Pairs that cannot both be true of one drawing, as they are written and in their order."""
    written = {key: tag for tag in reversed(tags) if (key := plain(tag)) in _RULED}
    if len(written) < 2:
        return []
    ruled = list(reversed(written))
    present = {plain(tag) for tag in tags}
    several = bool(present & SEVERAL) or len(present & _SINGLE) > 1
    pairs = [
        (written[one], written[other])
        for rule in _RULES
        if not (several and rule.of_one_body) and not present & rule.unless
        for place, one in enumerate(ruled)
        for other in ruled[place + 1 :]
        if _broken(rule, one, other)
    ]
    if {"solo", "1girl", "1boy"} <= present:
        pairs.append((written["solo"], written["1boy"]))
    return pairs


def overlaps(tags: Sequence[str]) -> list[Pair]:
    """Tags that are the last words of a longer one, with that one: “shirt” beside “white shirt”."""
    longer: dict[str, str] = {}
    for tag in tags:
        for end in ends(tag):
            longer.setdefault(end, tag)
    return [(tag, longer[key]) for tag in tags if (key := plain(tag)) in longer]


@lru_cache(maxsize=2**16)
def is_ruled(tag: str) -> bool:
    """Is there anything that this tag could contradict?"""
    return plain(tag) in _RULED


@lru_cache(maxsize=2**16)
def ends(tag: str) -> tuple[str, ...]:
    """The shorter tags that a tag says as well: its last words."""
    words = plain(tag).split()
    return tuple(" ".join(words[start:]) for start in range(1, len(words)))


def _broken(rule: _Rule, one: str, other: str) -> bool:
    if rule.those:
        return (one in rule.these and other in rule.those) or (one in rule.those and other in rule.these)
    return one in rule.these and other in rule.these and not _same_colour(one, other)


def _same_colour(one: str, other: str) -> bool:
    colours = {one.rpartition(" ")[0], other.rpartition(" ")[0]}
    return any(colours <= shades for shades in _SHADES)
