"""What is wrong with captions: what the training would make of each, and what mends it."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from msgspec import Struct

from core.captions import store
from core.captions.caption import is_sentence, tags_of, with_word
from core.captions.clashes import contradictions, ends, is_ruled, overlaps
from core.captions.counting import counter
from core.captions.edits import spaced
from core.captions.habits import dataset_problems
from core.captions.mends import MENDS, WEIGHT, mend_words
from core.captions.slips import typos, words_of
from core.captions.store import CaptionFile
from core.captions.tagwords import plain
from core.captions.tokens import CHUNK, Tokenizer, check_tokens
from core.errors import Problem, Severity
from core.language import _, ngettext

__all__ = ["MENDS", "caption_problems", "dataset_problems", "mend_words"]

_GAP = re.compile(r"\A\s*,|,\s*,|,\s*\Z")
_CHOICE = re.compile(r"\{[^{}]*\|[^{}]*\}|\{\{|\}\}|\|\|\||;;;")
_LONGEST_SHOWN = 60
"""Letters of somebody's text within a sentence of ours."""


class _Tag(Struct, frozen=True):
    """What is known of a tag without its caption. Datasets have few tags and many uses of each."""

    key: str
    plain: str
    ends: tuple[str, ...]
    ruled: bool
    underscored: bool


def caption_problems(
    file: CaptionFile, drawing: str, *, word: str, tokenizer: Tokenizer | None = None, chunks: int = 3
) -> tuple[Problem, ...]:
    """What is wrong with one caption and its file; `drawing` is the name that the problems bear.

    Without a tokenizer nothing is said about its length.
    """
    found = list(store.check(file, drawing))
    written = [] if file.trouble else tags_of(file.text)
    if not written:
        return tuple(found)
    if tokenizer and (cut := _cut(file, word, tokenizer, chunks, drawing)):
        found.append(cut)
    tags = [_tag(tag) for tag in written]
    found += _signs(file.text, len(written), drawing)
    key = word.strip().casefold()
    found += _tags(file.text, key, written, tags, drawing)
    if key and "," not in key:
        found += _word(word.strip(), key, written, tags, drawing)
    return tuple(found)


def _cut(file: CaptionFile, word: str, tokenizer: Tokenizer, chunks: int, drawing: str) -> Problem | None:
    """What the text encoders, or those of other trainers, do not read."""
    numbers = counter(tokenizer)
    text = file.training_text if "\n" in file.text else file.text
    if numbers.count(text) + numbers.count(word) + len(",") <= CHUNK:
        return None
    text = with_word(file.training_text, word)
    count = numbers.count(text)
    if count > CHUNK * chunks:
        return check_tokens(text, tokenizer, chunks, drawing)
    if count <= CHUNK:
        return None
    return Problem(
        Severity.NOTE,
        drawing,
        "past-75",
        _("This caption has {count} tokens. All are read here; other trainers stop after {most}, at “{tag}”.").format(
            count=count, most=CHUNK, tag=_short(numbers.part_at(text, CHUNK))
        ),
        _("Move what matters to its beginning, or shorten it."),
    )


def _signs(text: str, tags: int, drawing: str) -> Iterator[Problem]:
    """Signs that mean something to other programs and nothing to a text encoder, or the other way round."""
    if text.count(",") + text.count("\n") >= tags and _GAP.search(text):
        yield Problem(
            Severity.NOTE,
            drawing,
            "empty-tags",
            _("This caption has a comma with no tag beside it."),
            _("Remove the comma: it takes a token, and other trainers count an empty tag."),
        )
    if ("{" in text or "|" in text or ";" in text or "}" in text) and (sign := _CHOICE.search(text)):
        yield Problem(
            Severity.WARNING,
            drawing,
            "braces",
            _("“{sign}” is trained as it stands; sd-scripts would choose, cut or join the text there.").format(
                sign=_short(sign[0])
            ),
            _("Write out what the drawing shows, without these signs."),
        )
    if "\\(" in text or "\\)" in text:
        yield Problem(
            Severity.NOTE,
            drawing,
            "escaped",
            _("This caption has a backslash before a parenthesis, and it is trained with it."),
            _("Remove the backslash: only prompts need it."),
        )
    if ("(" in text or "[" in text or "<" in text) and (sign := WEIGHT.search(text)):
        yield Problem(
            Severity.NOTE,
            drawing,
            "prompt-weight",
            _("“{sign}” is a weight as prompts have them; the training reads its signs as text.").format(
                sign=_short(sign[0])
            ),
            _("Keep the words and remove the signs around them."),
        )


def _tags(text: str, key: str, written: Sequence[str], tags: Sequence[_Tag], drawing: str) -> Iterator[Problem]:
    keys = {tag.key for tag in tags}
    longer = {end for tag in tags for end in tag.ends}
    repeated = len(keys) < len(tags)
    overlapping = not longer.isdisjoint([tag.plain for tag in tags])
    ruled = sum([tag.ruled for tag in tags]) > 1
    underscored = [one for one, tag in zip(written, tags, strict=True) if tag.underscored and tag.key != key]
    if not (repeated or overlapping or ruled or underscored) or any(map(is_sentence, text.split("\n"))):
        return
    if repeated:
        again = next(tag for place, tag in enumerate(written) if tag.casefold() in _keys(written[:place]))
        yield Problem(
            Severity.NOTE,
            drawing,
            "duplicate-tags",
            _("“{tag}” stands in this caption more than once.").format(tag=_short(again)),
            _("Keep the first; the others only take room."),
        )
    for one, other in contradictions(written) if ruled else ():
        yield Problem(
            Severity.WARNING,
            drawing,
            "contradiction",
            _("“{tag}” and “{other}” cannot both be true of this drawing.").format(
                tag=_short(one), other=_short(other)
            ),
            _("Look at the drawing and remove the one that is wrong."),
        )
    for one, other in overlaps([tag for tag in written if tag.casefold() != key]) if overlapping else ():
        yield Problem(
            Severity.NOTE,
            drawing,
            "overlap",
            _("“{tag}” says nothing that “{other}” does not say already.").format(tag=_short(one), other=_short(other)),
            _("Keep the longer one."),
        )
    if underscored:
        yield Problem(
            Severity.NOTE,
            drawing,
            "underscores",
            ngettext(
                "{n} tag is written with an underscore, such as “{tag}”: it takes a token of its own.",
                "{n} tags are written with underscores, such as “{tag}”: each takes a token of its own.",
                len(underscored),
            ).format(n=len(underscored), tag=_short(underscored[0])),
            _("Write blanks instead, as the bases were taught; faces such as ^_^ stay."),
        )


def _word(word: str, key: str, written: Sequence[str], tags: Sequence[_Tag], drawing: str) -> Iterator[Problem]:
    """Where the activation word stands that it should not, and what only looks like it."""
    for place in [place for place, tag in enumerate(tags) if _concerns(tag.key, key)]:
        tag = tags[place]
        if tag.key == key:
            if written[place] != word:
                yield Problem(
                    Severity.NOTE,
                    drawing,
                    "word-capitals",
                    _("The activation word is written “{tag}” here and “{word}” elsewhere.").format(
                        tag=_short(written[place]), word=word
                    ),
                    _("Write it the same everywhere: the text encoders see no capitals, but other tools do."),
                )
            if place:
                yield Problem(
                    Severity.NOTE,
                    drawing,
                    "word-place",
                    _("The activation word is tag {place} of this caption.").format(place=place + 1),
                    _("The training puts it first by itself; move it there for other trainers."),
                )
        elif key in words_of(tag.key):
            yield Problem(
                Severity.NOTE,
                drawing,
                "word-in-tag",
                _("The activation word is part of a longer tag, “{tag}”.").format(tag=_short(written[place])),
                _("Let it stand alone between commas, as the first tag."),
            )
        else:
            for typo in typos(tag.key, key):
                yield Problem(
                    Severity.WARNING if not place and typo == tag.key else Severity.NOTE,
                    drawing,
                    "word-typo",
                    _("“{typo}” looks like the activation word “{word}” with a slip of the pen.").format(
                        typo=typo, word=word
                    ),
                    _("Correct it if it was meant to be the word; the LoRA would learn two words otherwise."),
                )


@lru_cache(maxsize=2**16)
def _tag(written: str) -> _Tag:
    return _Tag(
        key=written.casefold(),
        plain=plain(written),
        ends=ends(written),
        ruled=is_ruled(written),
        underscored="_" in written and spaced(written) != written,
    )


@lru_cache(maxsize=2**16)
def _concerns(tag: str, word: str) -> bool:
    return tag == word or word in words_of(tag) or bool(typos(tag, word))


def _keys(tags: Sequence[str]) -> set[str]:
    return {tag.casefold() for tag in tags}


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
