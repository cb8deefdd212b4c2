"""Choosing the activation word: a word the base does not know and the captions do not use."""

import re
from collections.abc import Iterable, Iterator

from core.captions.caption import tags_of
from core.captions.tokens import Tokenizer
from core.errors import Problem, Severity
from core.language import _, ngettext

MOST_TOKENS = 4
"""More pieces bring more meanings of their own, and take room from the caption."""


def check_word(word: str, tokenizer: Tokenizer, captions: Iterable[str]) -> list[Problem]:
    """What speaks against `word` as the activation word. Captions that already begin with it do not."""
    if not word.strip():
        return [
            Problem(
                Severity.ERROR,
                "",
                "word-empty",
                _("There is no activation word yet."),
                _("Invent one that you can say: 5 to 10 small letters, such as “houtline”."),
            )
        ]
    word = word.strip()
    return [*_spelling(word), *_meaning(word, tokenizer), *_in_captions(word, list(captions))]


def _spelling(word: str) -> Iterator[Problem]:
    if re.search(r"[,\r\n]", word):
        yield Problem(
            Severity.ERROR,
            "",
            "word-comma",
            _("“{word}” has a comma or a line end, which makes two tags of it.").format(word=word),
            _("Choose one word."),
        )
    elif re.search(r"\s", word):
        yield Problem(
            Severity.NOTE,
            "",
            "word-space",
            _("“{word}” is more than one word, and each means something of its own.").format(word=word),
            _("One invented word is easier to call; write them together or choose another."),
        )
    if re.search(r"\d", word):
        yield Problem(
            Severity.NOTE,
            "",
            "word-digits",
            _("“{word}” has digits: the base reads each one as a token of its own.").format(word=word),
            _("Use letters only."),
        )
    if "_" in word:
        yield Problem(
            Severity.NOTE,
            "",
            "word-underscore",
            _("“{word}” has an underscore, which the base reads as a token of its own.").format(word=word),
            _("Use letters only."),
        )


def _meaning(word: str, tokenizer: Tokenizer) -> Iterator[Problem]:
    pieces = tokenizer.pieces(word)
    if len(pieces) == 1:
        yield Problem(
            Severity.WARNING,
            "",
            "word-known",
            _("“{word}” is a word the base already knows: it would bring its own meaning.").format(word=word),
            _("Invent a word, or add a letter or two to this one."),
        )
    if len(pieces) > MOST_TOKENS:
        yield Problem(
            Severity.NOTE,
            "",
            "word-long",
            _("“{word}” is {count} tokens to the base, more than {most}.").format(
                word=word, count=len(pieces), most=MOST_TOKENS
            ),
            _("A shorter or more common spelling takes less room in every caption."),
        )


def _in_captions(word: str, captions: list[str]) -> Iterator[Problem]:
    key = word.casefold()
    tags = [[tag.casefold() for tag in tags_of(caption)] for caption in captions]
    first = sum(caption[:1] == [key] for caption in tags)
    # Where most captions begin with it, it is there because it is the activation word.
    used = 0 if 2 * first > len(tags) else sum(key in caption for caption in tags)
    inside = sum(any(key in tag and tag != key for tag in caption) for caption in tags)
    if used:
        yield Problem(
            Severity.WARNING,
            "",
            "word-tag",
            ngettext(
                "“{word}” is already a tag in {n} caption, so it would call what that tag shows.",
                "“{word}” is already a tag in {n} captions, so it would call what that tag shows.",
                used,
            ).format(word=word, n=used),
            _("Choose a word that no caption uses."),
        )
    if inside:
        yield Problem(
            Severity.WARNING,
            "",
            "word-inside",
            ngettext(
                "“{word}” is part of other words in {n} caption.",
                "“{word}” is part of other words in {n} captions.",
                inside,
            ).format(word=word, n=inside),
            _("Choose a word that no caption uses, not even inside another."),
        )
