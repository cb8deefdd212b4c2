"""What the captions of a dataset have in common, and what a training makes of it."""

from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct

from core.captions.alike import alike
from core.captions.caption import is_sentence, tags_of
from core.captions.slips import words_of
from core.captions.tagwords import GREY, PEOPLE, WRITING, plain
from core.errors import Problem, Severity
from core.language import _, ngettext
from core.project import Kind

FUSED, NEARLY_FUSED = 0.85, 0.60
"""Shares of the captions. A tag that stands in so many is learned together with the activation word."""
FEWEST = 5
"""Captions. Among fewer, everything is common."""
_SIGNED = 0.30
"""Share of the drawings with writing on them from which a LoRA learns to sign."""
_GREY = (0.20, 0.80)
"""Shares without colour between which the training finds neither the one nor the other."""
_FEW = 0.10
"""Share below which something is an exception, and no habit."""
_SMALL_WORDS = frozenset(
    """a an and are as at be by for from has have her his in into is it its of on or over she he that the their there
    they this to under up was were which while who with without al como con de del desde donde el ella en entre es
    está están hay la las lo los más o para pero por que se sin sobre su sus un una unas unos y""".split()
)


class Fusion(Struct, frozen=True):
    """A tag, or in prose a word, that stands in most captions."""

    tag: str
    count: int
    share: float


def dataset_problems(captions: Mapping[str, str], word: str, kind: Kind) -> list[Problem]:
    """What is wrong with the captions together; `captions` has one line for each drawing, empty where none is.

    None of these problems names a drawing.
    """
    written = {name: text for name, text in captions.items() if text.strip()}
    problems = [*_half_captioned(len(written), len(captions))]
    if len(written) < FEWEST:
        return problems
    prose = {name for name, text in written.items() if is_sentence(text)}
    documents = {name: _document(text, name in prose, word) for name, text in written.items()}
    problems += _mixed(len(prose), len(written))
    problems += (_fused(fusion, len(written), kind) for fusion in fusions(documents, NEARLY_FUSED))
    problems += _grey(documents)
    problems += _signed(documents)
    problems += _repeated(documents)
    return problems


def fusions(documents: Mapping[str, frozenset[str]], share: float = FUSED) -> list[Fusion]:
    """What stands in at least this share of the captions, the most common first; how many people there are may."""
    counts = Counter(tag for tags in documents.values() for tag in tags)
    return [
        Fusion(tag, count, count / len(documents))
        for tag, count in counts.most_common()
        if count >= share * len(documents) and tag not in PEOPLE
    ]


def documents_of(captions: Mapping[str, str], word: str) -> dict[str, frozenset[str]]:
    """The tags of each caption that has any, in small letters and without the activation word; in prose, its words."""
    return {name: _document(text, is_sentence(text), word) for name, text in captions.items() if text.strip()}


def _document(text: str, prose: bool, word: str) -> frozenset[str]:
    own = plain(word)
    if prose:
        return frozenset(words_of(text.casefold())) - _SMALL_WORDS - {own}
    return frozenset(map(plain, tags_of(text))) - {own}


def _fused(fusion: Fusion, total: int, kind: Kind) -> Problem:
    numbers = {"tag": fusion.tag, "n": fusion.count, "total": total}
    if fusion.share < FUSED:
        return Problem(
            Severity.NOTE,
            "",
            "nearly-fused",
            _("“{tag}” stands in {n} of {total} captions; it begins to belong to the activation word.").format(
                **numbers
            ),
            _("If most drawings really show it, add some that do not; if it says little, remove it."),
        )
    remedy = (
        _("If it is a part of the style, remove it from all captions; if not, keep it and add drawings without it.")
        if kind == "style"
        else _("If it always belongs to the character, remove it from all captions; if not, add drawings without it.")
    )
    return Problem(
        Severity.WARNING,
        "",
        "fused",
        _("“{tag}” stands in {n} of {total} captions: the training cannot tell it from the activation word.").format(
            **numbers
        ),
        remedy,
    )


def _half_captioned(written: int, total: int) -> Iterator[Problem]:
    bare = total - written
    if total >= FEWEST and _FEW * total <= bare < total:
        yield Problem(
            Severity.WARNING,
            "",
            "half-captioned",
            _("{bare} of {total} drawings have no caption: what they show is learned as a part of the word.").format(
                bare=bare, total=total
            ),
            _("Caption all of them."),
        )


def _mixed(prose: int, total: int) -> Iterator[Problem]:
    if min(prose, total - prose) >= max(2.0, _FEW * total):
        yield Problem(
            Severity.NOTE,
            "",
            "mixed-captions",
            _("{prose} captions are sentences and {tags} are tags.").format(prose=prose, tags=total - prose),
            _("Write all of them one way: what is called by tags is not called as well by sentences."),
        )


def _grey(documents: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    grey = sum(not GREY.isdisjoint(tags) for tags in documents.values())
    if _GREY[0] * len(documents) <= grey <= _GREY[1] * len(documents):
        yield Problem(
            Severity.NOTE,
            "",
            "part-grey",
            _("{n} of {total} captions say that the drawing has no colours.").format(n=grey, total=len(documents)),
            _("Keep the tag in exactly those, so that colour can be asked for; or train them apart."),
        )


def _signed(documents: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    counts = Counter(tag for tags in documents.values() for tag in tags & WRITING)
    signed = sum(not WRITING.isdisjoint(tags) for tags in documents.values())
    if counts and signed >= _SIGNED * len(documents):
        yield Problem(
            Severity.WARNING,
            "",
            "signed",
            _("{n} of {total} captions tell of writing, most often “{tag}”: the LoRA would learn to write it.").format(
                n=signed, total=len(documents), tag=counts.most_common(1)[0][0]
            ),
            _("Crop it away where you can, and keep the tag where it stays, so that it can be asked away."),
        )


def _repeated(documents: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    found = list(alike(documents))
    if found:
        from core.images.scan import shown

        name, earlier, _share = found[0]
        yield Problem(
            Severity.NOTE,
            "",
            "same-captions",
            ngettext(
                "{n} caption says the same as another, or nearly: that of “{drawing}” and that of “{other}”.",
                "{n} captions say the same as others, or nearly, such as those of “{drawing}” and “{other}”.",
                len(found),
            ).format(n=len(found), drawing=shown(name), other=shown(earlier)),
            _("Say what differs in each, or keep one of the drawings if nothing does."),
        )
