"""What one key mends in a caption, without asking: an edit for each problem that has only one answer."""

import re
from collections.abc import Callable, Mapping

from core.captions import edits
from core.captions.caption import one_line, tags_of, with_word
from core.captions.edits import Edit
from core.captions.slips import WORD, is_typo
from core.captions.tokens import CHUNK
from core.language import _

Count = Callable[[str], int]
Mend = Callable[[str, Count, int], Edit]
"""The edit for a project: its activation word, its base's count of tokens, and how many pieces of 75 are read."""

_FIELD = re.compile(r"[^,\n]+")
_GAPS = re.compile(r",(?:\s*,)+")
_FIRST_GAP = re.compile(r"\A\s*(?:,\s*)+")
_LAST_GAP = re.compile(r"(?:\s*,)+\s*\Z")
_NUMBER = r":\s{0,3}\d{0,4}\.?\d{1,4}\s{0,3}"
WEIGHT = re.compile(
    rf"\({{1,8}}([^():]{{1,300}}?){_NUMBER}\){{1,8}}"
    r"|\({2,8}([^()]{1,300}?)\){2,8}|\[{2,8}([^\[\]]{1,300}?)\]{2,8}|<lora:[^<>]{0,300}>"
)
"""A part of a prompt with its weight; nothing of it is longer, so that no text takes long to look through."""


def _fitting(word: str, count: Count, chunks: int) -> Edit:
    return edits.trimmed(lambda text: count(with_word(text, word)), CHUNK * chunks)


def _corrected(word: str, _count: Count, _chunks: int) -> Edit:
    """The word as it is, wherever it stands in capitals or with a slip of the pen."""
    word = word.strip()
    key = word.casefold()

    def right(found: re.Match[str]) -> str:
        written = found[0].strip()
        folded = written.casefold()
        return (
            found[0].replace(written, word) if written != word and (folded == key or is_typo(folded, key)) else found[0]
        )

    return lambda text: _FIELD.sub(right, WORD.sub(right, text)) if key else text


def _without_underscores(word: str, _count: Count, _chunks: int) -> Edit:
    key = word.strip().casefold()

    def spaced(found: re.Match[str]) -> str:
        tag = found[0].strip()
        return found[0].replace(tag, edits.spaced(tag)) if "_" in tag and tag.casefold() != key else found[0]

    return lambda text: _FIELD.sub(spaced, text)


def _without_gaps(text: str) -> str:
    return _LAST_GAP.sub("", _FIRST_GAP.sub("", _GAPS.sub(",", text)))


def _without_weights(text: str) -> str:
    plain = WEIGHT.sub(lambda found: found[1] or found[2] or found[3] or "", text)
    return _without_gaps(plain) if plain != text else text


MENDS: Mapping[str, Mend] = {
    "duplicate-tags": lambda *_: edits.dedupe(),
    "overlap": lambda word, *_: edits.collapse([word]),
    "empty-tags": lambda *_: _without_gaps,
    "underscores": _without_underscores,
    "escaped": lambda *_: lambda text: text.replace("\\(", "(").replace("\\)", ")"),
    "prompt-weight": lambda *_: _without_weights,
    "multi-line": lambda *_: one_line,
    "caption-too-long": _fitting,
    "past-75": lambda word, count, _chunks: _fitting(word, count, 1),
    "word-capitals": _corrected,
    "word-typo": _corrected,
    "word-place": lambda word, *_: lambda text: with_word(text, word) if tags_of(text) else text,
}
"""By the problem's code. A problem that is not here is for a person to decide."""


def mend_words(code: str) -> str:
    """What the key does about a problem of `MENDS`."""
    return {
        "duplicate-tags": _("Remove what stands twice"),
        "overlap": _("Keep the longer tags"),
        "empty-tags": _("Remove the empty commas"),
        "underscores": _("Write blanks for underscores"),
        "escaped": _("Remove the backslashes"),
        "prompt-weight": _("Remove the weights"),
        "multi-line": _("Put it on one line"),
        "caption-too-long": _("Cut the last tags"),
        "past-75": _("Cut the last tags"),
        "word-capitals": _("Write the word as it is"),
        "word-typo": _("Write the word as it is"),
        "word-place": _("Put the word first"),
    }[code]
