"""Captions as a list and a panel show them."""

from collections.abc import Iterable

from textual.content import Content

from core.captions.caption import tags_of, with_word
from core.captions.store import CaptionFile
from core.captions.tokens import CHUNK, Tokenizer
from core.errors import Problem, Severity
from core.language import _, ngettext
from core.plan.survey import Problems
from core.project import Project
from tui.problems import MARKS, code_words, lines_of
from tui.words import fitting, plain

_NAME = 18
"""Cells of a line for the drawing's name."""
BEFORE_TEXT = 2 + _NAME + 1 + 7
"""Cells of a line before its caption: mark, name, tokens."""


def line(
    name: str, file: CaptionFile, problems: Problems, *, tokens: int, read: bool, marked: bool, width: int
) -> Content:
    """One caption: marked, read or not, name, tokens with the activation word, text."""
    mark, colour = ("✓", "$text-success") if read else ("○", "$foreground-muted")
    worst = problems[0].severity if problems else None
    if worst and worst is not Severity.NOTE:
        mark, colour = MARKS[worst]
    text = file.training_text or (f"({code_words(problems[0].code)})" if problems else "")
    return Content.assemble(
        (mark, colour),
        ("▌" if marked else "·" if worst is Severity.NOTE else " ", "$text-accent" if marked else "$foreground-muted"),
        (fitting(name, _NAME), "bold $text-accent" if marked else ""),
        (f" {tokens:>3}/{CHUNK} ", _colour(tokens)),
        (fitting(text, max(1, width - BEFORE_TEXT)), "" if file.training_text else "$foreground-muted"),
    )


def whole(
    name: str,
    caption: str,
    project: Project,
    tokenizer: Tokenizer,
    problems: Iterable[Problem],
    tag: int | None = None,
    doubt: float | None = None,
) -> Content:
    """A caption as it is trained, with a line after its 75th token, the tag that is meant, and what is wrong with it.

    `tag` counts the tags of the caption itself, without the activation word in front; `doubt` is the score of the tag
    that a tagger was least sure of.
    """
    word = plain(project.activation_word)
    trained = with_word(caption, project.activation_word)
    count, cut, tags = tokenizer.count(trained), tokenizer.place_of(trained, CHUNK), tags_of(trained)
    head = Content.assemble(
        (plain(name), "bold"),
        "  ",
        (_("{n} of {most} tokens").format(n=count, most=CHUNK), _colour(count)),
        "  ",
        (ngettext("{n} tag", "{n} tags", len(tags)).format(n=len(tags)), "$foreground-muted"),
    )
    text = Content(plain(trained))
    if word and text.plain.startswith(word):
        text = text.stylize("bold $text-accent", 0, len(word))
    if cut is not None:
        # Letters that a terminal would obey are written out, and take more room than they had.
        place = len(plain(trained[:cut]))
        text = Content.assemble(text[:place], ("│", "bold $text-warning"), text[place:].stylize("$foreground-muted"))
    if tag is not None and (found := _place(trained, caption, tag)):
        start, end = (len(plain(trained[:at])) for at in found)
        beyond = cut is not None and found[0] >= cut
        text = text.stylize("reverse", start + beyond, end + beyond)
    # What is grave stands above a caption that may be longer than its place.
    every = list(problems)
    grave = [one for one in every if one.severity is not Severity.NOTE]
    notes = [one for one in every if one.severity is Severity.NOTE]
    said = [Content.styled(plain(_unsure(doubt)), "$text-warning")] if doubt is not None else []
    return Content("\n").join([head, *said, *lines_of(grave), text, *lines_of(notes)])


def _unsure(score: float) -> str:
    return _("? The tagger was unsure of a tag: {score:.2f}. c shows which.").format(score=score)


def _place(trained: str, caption: str, tag: int) -> tuple[int, int] | None:
    """Where a tag of the caption stands in what is trained."""
    tags, all_tags = tags_of(caption), tags_of(trained)
    if not tags:
        return None
    wanted = tags[min(tag, len(tags) - 1)]
    number = all_tags.index(wanted) if wanted in all_tags else None
    if number is None:
        return None
    start = 0
    for before in all_tags[:number]:
        start = trained.find(before, start) + len(before)
    start = trained.find(wanted, start)
    return start, start + len(wanted)


def _colour(tokens: int) -> str:
    return "$text-warning" if tokens > CHUNK else "$foreground-muted"
