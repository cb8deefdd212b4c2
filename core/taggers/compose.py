"""From scores to captions: thresholds, what is never wanted, and what is done with the captions there are."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from core.captions.caption import is_sentence, joined, one_line, tags_of, with_word, without_word
from core.project import Kind
from core.taggers.tagger import Category, Scored, Tagged

Mode = Literal["keep", "append", "replace"]
"""With a caption that is there already: leave it and fill only empty ones, add what is new, or write it anew."""

UNDESIRED = (
    "virtual youtuber",
    "parody",
    "style parody",
    "official alternate costume",
    "official alternate hairstyle",
    "official alternate hair length",
    "alternate costume",
    "alternate hairstyle",
    "alternate hair length",
    "alternate hair color",
)
"""The notebook's blacklist: what these say cannot be seen in a drawing."""
OFF = 1.1
"""A threshold that no score reaches, as the notebook has it for names."""
LOOK_FIRST = 0.5
"""A caption whose lowest score is below is worth a person's look before the others; below 0.35 most tags are noise."""

_BY_KIND: dict[Kind, float] = {"style": 0.5, "character": 0.25}


class Rules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which of a tagger's tags become a caption."""

    general: Annotated[float, Meta(ge=0.05, le=OFF)] = 0.5
    """How sure the tagger must be of a tag; the guide takes 0.25 for characters and 0.5 for styles."""
    character: Annotated[float, Meta(ge=0.05, le=OFF)] = OFF
    """How sure it must be of a character's name. More than 1 keeps names out: the word is to call the character."""
    ratings: bool = False
    """Whether the likeliest rating stands at the end."""
    undesired: tuple[str, ...] = UNDESIRED
    """Tags that are never taken."""
    collapse: bool = True
    """Whether a tag is left out that another one says more exactly: “shirt” beside “white shirt”."""
    most: Annotated[int, Meta(ge=0)] = 0
    """The most tags of one caption; the least sure ones are left out. 0 takes all."""

    @classmethod
    def of(cls, kind: Kind, never: Iterable[str] = ()) -> "Rules":
        """What the guide takes for a style or a character, without the tags that are `never` wanted."""
        return cls(general=_BY_KIND[kind], undesired=(*UNDESIRED, *never))


def tags(looks: Sequence[Tagged], rules: Rules) -> list[Scored]:
    """The tags of one drawing, from one tagger or several: the first one's in its order, then what others add."""
    enough = {Category.GENERAL: rules.general, Category.CHARACTER: rules.character, Category.RATING: OFF}
    best: dict[str, Scored] = {}
    for look in looks:
        for scored in look.tags:
            if scored.score >= enough[scored.category]:
                known = best.get(scored.tag)
                if known is None or known.score < scored.score:
                    best[scored.tag] = scored  # a tag that is there keeps its place
    unwanted = _folded(rules.undesired)
    chosen = [scored for scored in best.values() if scored.tag.casefold() not in unwanted]
    if rules.collapse:
        implied = implied_in(scored.tag for scored in chosen)
        chosen = [scored for scored in chosen if scored.tag not in implied]
    if rules.most:
        chosen = _surest(chosen, rules.most)
    if rules.ratings:
        ratings = [scored for look in looks for scored in look.tags if scored.category is Category.RATING]
        chosen += sorted(ratings, key=lambda scored: -scored.score)[:1]
    return chosen


def caption(looks: Sequence[Tagged], rules: Rules) -> str:
    """The caption of one drawing: its tags, then the sentences."""
    return joined([*(scored.tag for scored in tags(looks, rules)), *(look.sentence for look in looks if look.sentence)])


def changes(
    present: Mapping[str, str], looks: Sequence[Mapping[str, Tagged]], rules: Rules, mode: Mode = "keep", word: str = ""
) -> dict[str, tuple[str, str]]:
    """The captions that would change, by drawing: what is there, and what would be.

    `present` holds the text of every drawing's caption, `looks` what each tagger saw (`results.current`); where
    nothing was seen, the caption stays. `word` is the activation word: a caption of nothing else counts as empty, and
    one that begins with it still does afterwards.
    """
    changed = {}
    for drawing, before in present.items():
        seen = [look[drawing] for look in looks if drawing in look]
        after = _composed(before, seen, rules, mode, word) if seen else before
        if after != before:
            changed[drawing] = before, after
    return changed


def lowest(text: str, looks: Iterable[Tagged]) -> float | None:
    """The score of that tag of a caption which the taggers are least sure of; None when they gave none of its tags.

    A tag that two taggers gave counts with the better score; one that no tagger gave is a person's, and is left out.
    """
    scores: dict[str, float] = {}
    for look in looks:
        for scored in look.tags:
            if scored.score > scores.get(scored.tag, 0.0):
                scores[scored.tag] = scored.score
    return min((scores[tag] for tag in tags_of(text) if tag in scores), default=None)


def implied_in(names: Iterable[str]) -> set[str]:
    """Those of the tags that another one ends with, and so says already: “long hair” beside “very long hair”.

    “no pants” does not say “pants”.
    """
    present = set(names)
    implied = set()
    for name in present:
        rest = "" if name.startswith("no ") else name.partition(" ")[2]
        while rest:
            if rest in present:
                implied.add(rest)
            rest = rest.partition(" ")[2]
    return implied


@lru_cache(maxsize=4)
def _folded(tags: tuple[str, ...]) -> frozenset[str]:
    return frozenset(tag.casefold() for tag in tags)


def _composed(before: str, looks: Sequence[Tagged], rules: Rules, mode: Mode, word: str) -> str:
    rest = one_line(without_word(before, word))
    if rest and mode == "keep":
        return before
    if rest and mode == "append":
        return _appended(before, looks, rules)
    after = caption(looks, rules)
    begins = [tag.casefold() for tag in tags_of(before)[:1]] == [tag.casefold() for tag in tags_of(word)[:1]]
    return (with_word(after, word) if begins and word else after) or before


def _appended(before: str, looks: Sequence[Tagged], rules: Rules) -> str:
    """What is there as it was written, and after it what it does not say yet."""
    there = {tag.casefold() for tag in tags_of(before)}
    # Counted and collapsed together with what is there, of which nothing goes.
    found = [scored for scored in tags(looks, replace(rules, most=0)) if scored.tag.casefold() not in there]
    said = implied_in([*there, *(scored.tag for scored in found)]) if rules.collapse else set()
    found = [scored for scored in found if scored.tag not in said]
    if rules.most:
        found = _surest(found, max(0, rules.most - len(there)))
    new = [scored.tag for scored in found]
    new += [look.sentence for look in looks if look.sentence and look.sentence not in before]
    if not new:
        return before
    kept = before.rstrip(", \t\r\n")
    # After the full stop of a sentence no comma is written.
    return kept + (" " if kept.endswith((".", "!", "?", "。")) and is_sentence(kept) else ", ") + joined(new)


def _surest(found: list[Scored], most: int) -> list[Scored]:
    """The `most` tags with the best scores, in their order."""
    if len(found) <= most:
        return found
    surest = {scored.tag for scored in sorted(found, key=lambda scored: -scored.score)[:most]}
    return [scored for scored in found if scored.tag in surest]
