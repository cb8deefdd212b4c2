"""Captions as a list and a panel show them."""

from collections.abc import Iterable

from textual.content import Content

from core.captions.caption import tags_of
from core.captions.store import CaptionFile
from core.captions.tokens import CHUNK, Tokenizer
from core.errors import Problem
from core.language import _, ngettext
from core.plan.survey import Problems, caption_of
from core.project import Project
from tui.problems import MARKS, code_words, lines_of
from tui.words import fitting, plain

_NAME = 18
"""Cells of a line for the drawing's name."""
BEFORE_TEXT = 2 + _NAME + 1 + 7
"""Cells of a line before its caption: mark, name, tokens."""


def line(name: str, file: CaptionFile, problems: Problems, *, tokens: int, read: bool, width: int) -> Content:
    """One caption: read or not, name, tokens with the activation word, text."""
    mark, colour = ("✓", "$text-success") if read else ("○", "$foreground-muted")
    if problems:
        mark, colour = MARKS[problems[0].severity]
    text = file.training_text or (f"({code_words(problems[0].code)})" if problems else "")
    return Content.assemble(
        (f"{mark} ", colour),
        fitting(name, _NAME),
        (f" {tokens:>3}/{CHUNK} ", _colour(tokens)),
        (fitting(text, max(1, width - BEFORE_TEXT)), "" if file.training_text else "$foreground-muted"),
    )


def whole(name: str, file: CaptionFile, project: Project, tokenizer: Tokenizer, problems: Iterable[Problem]) -> Content:
    """A caption as it is trained, with a line after its 75th token, and what is wrong with it."""
    caption, word = caption_of(file, project), plain(project.activation_word)
    count, cut, tags = tokenizer.count(caption), tokenizer.place_of(caption, CHUNK), len(tags_of(caption))
    head = Content.assemble(
        (plain(name), "bold"),
        "  ",
        (_("{n} of {most} tokens").format(n=count, most=CHUNK), _colour(count)),
        "  ",
        (ngettext("{n} tag", "{n} tags", tags).format(n=tags), "$foreground-muted"),
    )
    first = plain(caption if cut is None else caption[:cut])
    called = len(word) if word and first.startswith(word) else 0
    parts: list[str | tuple[str, str]] = [(first[:called], "bold $text-accent"), first[called:]]
    if cut is not None:
        parts += [("│", "bold $text-warning"), (plain(caption[cut:]), "$foreground-muted")]
    return Content("\n").join([head, Content.assemble(*parts), *lines_of(problems)])


def _colour(tokens: int) -> str:
    return "$text-warning" if tokens > CHUNK else "$foreground-muted"
