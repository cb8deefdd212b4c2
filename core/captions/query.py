"""The filter language: which captions are meant, in the words of TagGUI and some more."""

import re
from typing import Literal, cast

from msgspec import Struct

from core.captions.pattern import ESCAPABLE
from core.captions.terms import (
    Captioned,
    QueryError,
    Term,
    Test,
    all_of,
    always,
    any_of,
    example,
    field_of,
    help_text,
    no,
    resembling,
    shortened,
    test_of,
)
from core.language import _

__all__ = ["Captioned", "Query", "QueryError", "help_text", "parse"]

DEEPEST = 50
"""Parentheses within parentheses; nobody writes more, and Python's own stack has an end."""

_OPERATOR = re.compile(r"(AND|OR|NOT|Y|O|NO)(?=[\s()]|$)")
_FIELD = re.compile(r"([^\W\d_]+):")
_QUOTES = {'"': '"', "'": "'", "“": "”"}

_Kind = Literal["(", ")", "AND", "OR", "NOT"]
_IN_SPANISH: dict[str, _Kind] = {"Y": "AND", "O": "OR", "NO": "NOT"}


class Query(Struct, frozen=True):
    """A filter that was read."""

    text: str
    matches: Test
    """Whether a caption is meant."""


def parse(text: str) -> Query:
    """The filter that `text` says; an empty one means every caption. Raises QueryError."""
    tokens = _tokens(text)
    return Query(text, _Reader(text, tokens).whole() if tokens else always)


class _Sign(Struct, frozen=True):
    """What ties the terms of a filter together."""

    kind: _Kind
    start: int
    end: int


def _tokens(text: str) -> list[_Sign | Term]:
    tokens: list[_Sign | Term] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        tokens.append(token := _sign(text, place) or _term(text, place))
        place = token.end
    return tokens


def _sign(text: str, start: int) -> _Sign | None:
    if text[start] in "()":
        return _Sign(cast(_Kind, text[start]), start, start + 1)
    if text[start] == "-":
        if _ends(text, start + 1):
            raise QueryError(
                _("This “-” excludes nothing."),
                _("Write it right before what is to be left out, as in “-tag:cat”, or put it in quotes."),
                start,
                start + 1,
            )
        return _Sign("NOT", start, start + 1)
    found = _OPERATOR.match(text, start)
    return _Sign(_IN_SPANISH.get(found[1], cast(_Kind, found[1])), start, found.end()) if found else None


def _term(text: str, start: int) -> Term:
    named = _FIELD.match(text, start)
    field = field_of(named[1]) if named else ""
    # Else it is a tag: they have colons too, as "re:zero".
    if named and not field and (meant := resembling(named[1])):
        raise QueryError(
            _("There is no “{piece}” in a filter.").format(piece=shortened(named[0])),
            _("Write “{meant}:”, or put the text in quotes to look for it as it is.").format(meant=meant),
            start,
            named.end(),
        )
    at = named.end() if named and field else start
    if named and _ends(text, at):
        raise QueryError(
            _("“{piece}” is followed by nothing.").format(piece=text[start:at]),
            _("Write what to look for right after it, as in “{example}”.").format(example=example(field, named[1])),
            start,
            at,
        )
    value, end = _quoted(text, at) if text[at] in _QUOTES else _unquoted(text, at)
    return Term(field, value, text[start:end], start, end)


def _quoted(text: str, at: int) -> tuple[str, int]:
    closing, place = _QUOTES[text[at]], at + 1
    while place < len(text) and text[place] != closing:
        place += 2 if text[place] == "\\" and text[place + 1 : place + 2] in ESCAPABLE else 1
    if place >= len(text):
        raise QueryError(
            _("The quote that opens here is not closed."),
            _("Close it, or write \\{quote} for a quote that belongs to the text.").format(quote=closing),
            at,
            len(text),
        )
    if place == at + 1:
        raise QueryError(_("There is nothing between these quotes."), _("Write what to look for."), at, place + 1)
    if not _ends(text, place + 1):
        raise QueryError(
            _("After a closing quote comes a blank."),
            _("Put all of it between the quotes, or a blank after them."),
            at,
            place + 1,
        )
    return text[at + 1 : place], place + 1


def _unquoted(text: str, at: int) -> tuple[str, int]:
    """Up to a blank, or to a `)` that the word did not open: tags such as `ink_(medium)` need no quotes."""
    place, depth = at, 0
    while place < len(text) and not text[place].isspace():
        depth += (text[place] == "(") - (text[place] == ")")
        if depth < 0:
            break
        place += 1
    return text[at:place], place


def _ends(text: str, place: int) -> bool:
    return place >= len(text) or text[place].isspace() or text[place] == ")"


class _Reader:
    """Reads tokens into one test: NOT before AND before OR, and what stands side by side is AND."""

    def __init__(self, text: str, tokens: list[_Sign | Term]) -> None:
        self._text = text
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Test:
        test = self._either()
        if (left := self._coming) is not None:
            raise _closes_nothing(left)
        return test

    @property
    def _coming(self) -> _Sign | Term | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _comes(self, *kinds: _Kind) -> bool:
        return isinstance(coming := self._coming, _Sign) and coming.kind in kinds

    def _take(self, kind: _Kind) -> bool:
        taken = self._comes(kind)
        self._next += taken
        return taken

    def _either(self) -> Test:
        tests = [self._every()]
        while self._take("OR"):
            tests.append(self._every())
        return any_of(tests)

    def _every(self) -> Test:
        tests = [self._one()]
        while self._take("AND") or not (self._coming is None or self._comes("OR", ")")):
            tests.append(self._one())
        return all_of(tests)

    def _one(self) -> Test:
        negated = False
        while self._take("NOT"):
            negated = not negated
        coming = self._coming
        if isinstance(coming, Term):
            self._next += 1
            test = test_of(coming)
        elif coming is not None and coming.kind == "(":
            test = self._group(coming)
        else:
            raise self._missing(coming)
        return no(test) if negated else test

    def _group(self, opening: _Sign) -> Test:
        if self._depth == DEEPEST:
            raise QueryError(
                _("There are too many parentheses within each other."),
                _("Write the filter with fewer of them."),
                opening.start,
                opening.end,
            )
        self._depth += 1
        self._next += 1
        if self._comes(")"):
            raise QueryError(
                _("There is nothing between these parentheses."),
                _("Write what to look for."),
                opening.start,
                opening.end + 1,
            )
        test = self._either()
        if not self._take(")"):
            raise _unclosed(opening)
        self._depth -= 1
        return test

    def _missing(self, coming: _Sign | None) -> QueryError:
        """Where something to look for must stand, `coming` does."""
        before = self._tokens[self._next - 1] if self._next else None
        if isinstance(before, _Sign) and before.kind == "(" and coming is None:
            return _unclosed(before)
        if isinstance(before, _Sign) and before.kind != "(":
            lonely, title = before, _("“{piece}” is followed by nothing.")
        else:
            assert coming is not None, "a filter without a token is not read"
            lonely, title = coming, _("Nothing stands before “{piece}”.")
        if lonely.kind == ")":
            return _closes_nothing(lonely)
        return QueryError(
            title.format(piece=self._text[lonely.start : lonely.end]),
            _("Write what to look for there, or put the word in quotes to look for it."),
            lonely.start,
            lonely.end,
        )


def _closes_nothing(token: _Sign | Term) -> QueryError:
    return QueryError(
        _("This “)” closes nothing."),
        _("Remove it, or put text that has one in quotes."),
        token.start,
        token.end,
    )


def _unclosed(opening: _Sign) -> QueryError:
    return QueryError(
        _("This “(” is not closed."),
        _("Close it, or put text that has one in quotes."),
        opening.start,
        opening.end,
    )
