"""What one word of a filter asks of a caption."""

import operator
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from msgspec import Struct

from core.captions.pattern import folded, line_of, within
from core.errors import BocetoError
from core.language import _

_DIGITS = r"([0-9]+(?:[.,][0-9]+)?|[.,][0-9]+)"
_NUMBER = re.compile(rf"(==|=|!=|<=|>=|<|>)?{_DIGITS}(?:[:x×]{_DIGITS})?")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ANSWERS = {
    **dict.fromkeys(("yes", "y", "sí", "si", "s", "true", "1"), True),
    **dict.fromkeys(("no", "n", "false", "0"), False),
}


class Captioned(Struct, frozen=True, dict=True):
    """What a filter can ask about one drawing and its caption."""

    name: str
    """The drawing's path below the dataset's folder."""
    path: str
    """The drawing's whole path."""
    caption: str
    """On one line, as it is trained."""
    tags: tuple[str, ...]
    """As `tags_of` gives them: none holds a line end."""
    tokens: int = 0
    reviewed: bool = False
    edited: bool = False
    marked: bool = False
    problems: frozenset[str] = frozenset()
    """Their codes."""
    width: int = 0
    height: int = 0
    score: float | None = None
    """The lowest score that a tagger gave one of its tags; none where no tagger wrote it."""

    @cached_property
    def folded_name(self) -> str:
        """The name without the difference between capitals, as the next three."""
        return folded(self.name)

    @cached_property
    def folded_path(self) -> str:
        """The whole path."""
        return folded(self.path)

    @cached_property
    def folded_caption(self) -> str:
        """The caption."""
        return folded(self.caption)

    @cached_property
    def folded_tags(self) -> str:
        """All tags, each between two line ends, so that one search finds a whole tag."""
        return _lines(self.tags)


Test = Callable[[Captioned], bool]


class QueryError(BocetoError):
    """A filter that cannot be read, and where."""

    def __init__(self, title: str, hint: str, start: int, end: int) -> None:
        super().__init__(title, _("It stands at character {place} of the filter.").format(place=start + 1), hint)
        self.start = start
        self.end = end


class Term(Struct, frozen=True):
    """One thing to look for, and where it stands in the filter."""

    field: str
    """What stands before the colon; empty for a bare word."""
    value: str
    """With its escapes, without its quotes."""
    written: str
    start: int
    end: int

    @property
    def called(self) -> str:
        """What its field is called in it, in whichever language."""
        return self.written.partition(":")[0]


def always(_captioned: Captioned) -> bool:
    """Every caption."""
    return True


def no(test: Test) -> Test:
    """Every caption but these."""
    return lambda captioned: not test(captioned)


def all_of(tests: list[Test]) -> Test:
    """What passes every test."""

    def test(captioned: Captioned) -> bool:
        # all() over a generator takes twice as long.
        for one in tests:  # noqa: SIM110
            if not one(captioned):
                return False
        return True

    return test if len(tests) > 1 else tests[0]


def any_of(tests: list[Test]) -> Test:
    """What passes one of the tests."""

    def test(captioned: Captioned) -> bool:
        for one in tests:  # noqa: SIM110
            if one(captioned):
                return True
        return False

    return test if len(tests) > 1 else tests[0]


def test_of(term: Term) -> Test:
    """What a term asks. Raises QueryError where its value is not of the kind that its field wants."""
    match term.field:
        case "":
            found = within(term.value)
            return lambda captioned: found(captioned.folded_caption) or found(captioned.folded_name)
        case "caption" | "name" | "path":
            found = within(term.value)
            folded_text: Callable[[Captioned], str] = operator.attrgetter(f"folded_{term.field}")
            return lambda captioned: found(folded_text(captioned))
        case "tag":
            found = line_of(term.value)
            return lambda captioned: found(captioned.folded_tags)
        case "problem":
            found = line_of("*" if folded(term.value) in _ANY else term.value)
            return lambda captioned: bool(captioned.problems) and found(_lines(captioned.problems))
        case "reviewed" | "edited" | "marked":
            return _answer(term)
    return _number(term)


def _answer(term: Term) -> Test:
    wanted = _ANSWERS.get(folded(term.value))
    if wanted is None:
        raise QueryError(
            _("“{piece}” is neither yes nor no.").format(piece=shortened(term.written)),
            _("Write “{field}:yes” or “{field}:no”.").format(field=term.called),
            term.start,
            term.end,
        )
    of: Callable[[Captioned], bool] = operator.attrgetter(term.field)
    return of if wanted else no(of)


def _number(term: Term) -> Test:
    """A comparison. What is not known, such as a score where no tagger was, is neither more nor less nor different."""
    found = _NUMBER.fullmatch(term.value)
    if found is None:
        raise _no_number(term)
    sign, number = found[1] or "=", _float(found[2])
    compare = _COMPARISONS[sign]
    if found[3]:
        other = _float(found[3])
        if term.field == "size" and sign in ("=", "==", "!="):
            return lambda captioned: compare((captioned.width, captioned.height), (number, other))
        if term.field != "ar" or not other:
            raise _no_number(term)
        number /= other
    # Nobody types all digits of a megapixel or of 4:3.
    wanted = round(number, 2) if term.field in ("size", "ar") else number
    of = _NUMBERS[term.field]
    return lambda captioned: (known := of(captioned)) is not None and compare(known, wanted)


def _float(digits: str) -> float:
    return float(digits.replace(",", "."))


def _no_number(term: Term) -> QueryError:
    return QueryError(
        _("“{piece}” holds no number to compare with.").format(piece=shortened(term.written)),
        _("“tags:” counts tags, as in “tags:>5”; to look for one, write “tag:” and its name.")
        if term.field == "tags"
        else _("Write it without blanks, as in “{example}”.").format(example=example(term.field, term.called)),
        term.start,
        term.end,
    )


_NUMBERS: dict[str, Callable[[Captioned], float | None]] = {
    "tags": lambda captioned: len(captioned.tags),
    "tokens": operator.attrgetter("tokens"),
    "chars": lambda captioned: len(captioned.caption),
    "width": operator.attrgetter("width"),
    "height": operator.attrgetter("height"),
    "size": lambda captioned: round(captioned.width * captioned.height / 1e6, 2),
    "ar": lambda captioned: round(captioned.width / captioned.height, 2) if captioned.height else None,
    "score": operator.attrgetter("score"),
}


FIELDS = {
    "tag": "tag:cat",
    "caption": "caption:cat",
    "name": "name:cat",
    "path": "path:cat",
    "problem": "problem:any",
    "reviewed": "reviewed:no",
    "edited": "edited:yes",
    "marked": "marked:yes",
    "tags": "tags:>5",
    "tokens": "tokens:>75",
    "chars": "chars:<100",
    "width": "width:<1024",
    "height": "height:<1024",
    "size": "size:<1",
    "ar": "ar:>=1.5",
    "score": "score:<0.5",
}
"""Everything that can stand before a colon, and an example of it."""


IN_SPANISH = {
    "etiqueta": "tag",
    "descripción": "caption",
    "descripcion": "caption",
    "nombre": "name",
    "ruta": "path",
    "problema": "problem",
    "revisada": "reviewed",
    "editada": "edited",
    "marcada": "marked",
    "etiquetas": "tags",
    "caracteres": "chars",
    "ancho": "width",
    "alto": "height",
    "tamaño": "size",
    "proporción": "ar",
    "proporcion": "ar",
    "puntuación": "score",
    "puntuacion": "score",
}
"""The same words for whoever thinks in Spanish; both are read, whatever language the wizard speaks."""
_ANY = ("any", "alguno", "cualquiera")


def field_of(name: str) -> str:
    """The field that is called so in one of the languages; empty if none is."""
    name = name.casefold()
    return name if name in FIELDS else IN_SPANISH.get(name, "")


def example(field: str, called: str) -> str:
    """What can stand after a field, under the name that somebody called it by."""
    return f"{called}{FIELDS[field].removeprefix(field)}"


def _lines(texts: Iterable[str]) -> str:
    return folded("\n".join(("", *texts, "")))


def resembling(field: str) -> str:
    """The field that was meant by a misspelt one, if any, in the language it was meant in."""
    from difflib import get_close_matches

    known = [name for name in (*FIELDS, *IN_SPANISH) if len(name) > 2]
    return next(iter(get_close_matches(field.casefold(), known, n=1, cutoff=0.66)), "")


def shortened(text: str, most: int = 40) -> str:
    """The beginning of what a person wrote, short enough for a message."""
    return text if len(text) <= most else f"{text[:most]}…"


def help_text() -> list[tuple[str, str]]:
    """An example of everything the language has, and what it finds."""
    return [
        (_("cat"), _("“cat” anywhere in the caption or the drawing's name")),
        (_("tag:cat"), _("the tag “cat”, but not “black cat”")),
        (_('tag:"black cat"'), _("quotes hold words together")),
        (_("tag:*cat"), _("every tag that ends in “cat”; * is any text, ? is one character, \\* is a star")),
        (_("caption:hair name:sketch"), _("both: in the caption, and in the drawing's name")),
        (_("path:/scans/"), _("in the whole path of the drawing")),
        (_("-tag:cat"), _("without this tag; NOT says the same")),
        (_("tag:cat OR (tag:dog AND tag:hat)"), _("one or the other; capitals make the operators")),
        (_("tags:<5  tokens:>75  chars:>=300"), _("how many tags, tokens or characters; = != < > <= >=")),
        (_("width:<1024  height:<1024"), _("the drawing's sides in pixels")),
        (_("size:<1  size:1024x768"), _("its area in megapixels, or both sides")),
        (_("ar:>=1.5  ar:3:2"), _("its width divided by its height")),
        (_("score:<0.5"), _("the lowest score of its tags, where a tagger wrote them")),
        (_("reviewed:no  edited:yes  marked:yes"), _("what you have read, changed or marked")),
        (_("problem:any  problem:caption-*"), _("what has a problem, or this one")),
    ]
