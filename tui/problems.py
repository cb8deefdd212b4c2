"""Problems as a screen shows them: a glyph, a word or two, and the whole sentence."""

from collections.abc import Iterable

from textual.content import Content

from core.errors import Problem, Severity
from core.language import _
from tui.words import plain

MARKS = {
    Severity.NOTE: ("·", "$foreground-muted"),
    Severity.WARNING: ("!", "$text-warning"),
    Severity.BLOCK: ("✗", "$text-error"),
    Severity.ERROR: ("✗", "$text-error"),
}


def code_words(code: str) -> str:
    """A problem in one or two words."""
    return {
        "too-small": _("too small"),
        "soft": _("enlarged, soft"),
        "enlarged": _("enlarged a bit"),
        "blank": _("blank"),
        "cropped": _("cropped"),
        "extreme-shape": _("extremely long"),
        "long-shape": _("long"),
        "jpeg-quality": _("JPEG traces"),
        "huge": _("huge"),
        "damaged": _("damaged"),
        "empty-file": _("empty file"),
        "unreadable": _("unreadable"),
        "unsupported-format": _("to be exported"),
        "not-an-image": _("not an image"),
        "not-a-file": _("not a file"),
        "broken-link": _("broken link"),
        "too-huge": _("too large"),
        "name-not-text": _("name is not text"),
        "transparent": _("see-through"),
        "animated": _("several pictures"),
        "turned": _("turned upright"),
        "deep-grey": _("deep greys"),
        "cmyk": _("print colours"),
        "colour-profile": _("colour profile"),
        "wrong-extension": _("wrong ending"),
        "duplicate": _("the same file"),
        "near-duplicate": _("looks the same"),
        "similar": _("similar"),
        "mirrored": _("mirror image"),
        "same-stem": _("shares a caption"),
        "caption-missing": _("no caption"),
        "caption-empty": _("empty caption"),
        "caption-too-long": _("caption too long"),
        "caption-undecodable": _("caption's encoding"),
        "caption-unreadable": _("caption unreadable"),
        "multi-line": _("several lines"),
        "past-75": _("over 75 tokens"),
        "empty-tags": _("empty commas"),
        "braces": _("signs of other trainers"),
        "escaped": _("backslashes"),
        "prompt-weight": _("weights"),
        "duplicate-tags": _("a tag twice"),
        "contradiction": _("contradiction"),
        "overlap": _("tags that overlap"),
        "underscores": _("underscores"),
        "word-capitals": _("the word's capitals"),
        "word-place": _("the word is not first"),
        "word-in-tag": _("the word in a tag"),
        "word-typo": _("nearly the word"),
        "fused": _("always there"),
        "nearly-fused": _("nearly always there"),
        "half-captioned": _("half are captioned"),
        "mixed-captions": _("tags and sentences"),
        "part-grey": _("some are grey"),
        "signed": _("writing in many"),
        "same-captions": _("captions alike"),
    }.get(code, code.replace("-", " "))


def lines_of(problems: Iterable[Problem]) -> list[Content]:
    """Each problem with its remedy below."""
    lines = []
    for problem in problems:
        mark, colour = MARKS[problem.severity]
        lines.append(Content.assemble((f"{mark} ", colour), plain(problem.message)))
        lines.append(Content.assemble("  → ", (plain(problem.remedy), "$foreground-muted")))
    return lines
