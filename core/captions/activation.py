"""Choosing the activation word: a word the base does not know and the captions do not use."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from core.captions.booru import Booru
from core.captions.caption import tags_of
from core.captions.slips import slips, words_of
from core.captions.tagwords import VISUAL
from core.captions.tokens import Tokenizer
from core.errors import Problem, Severity
from core.language import _, ngettext

MOST_TOKENS = 4
"""More pieces bring more meanings of their own, and take room from the caption."""
SHORTEST, LONGEST = 5, 10
"""Letters. A shorter word is a word already, somewhere; a longer one is mistyped."""
COMMON = 1000
"""Pictures of a gallery that bear a tag: from here on the anime bases know it."""
MOSTLY = 0.8
"""The share of captions that begin with a word which is taken for the activation word of whoever wrote them."""

_END = "</w>"


def check_word(word: str, tokenizer: Tokenizer, captions: Iterable[str], booru: Booru | None = None) -> list[Problem]:
    """What speaks against `word` as the activation word. Captions that already begin with it do not."""
    word, captions = word.strip(), list(captions)
    if not word:
        remedy = _("Invent one that you can say: 5 to 10 small letters, such as “houtline”.")
        if likely := _likely(tokenizer, captions, booru):
            remedy = _("Most captions begin with “{word}”: if that is it, type it here.").format(word=likely)
        return [Problem(Severity.ERROR, "", "word-empty", _("There is no activation word yet."), remedy)]
    return [
        *_spelling(word),
        *_meaning(word, tokenizer),
        *(_in_booru(word, booru) if booru else ()),
        *_in_captions(word, captions),
    ]


def begun_with(word: str, captions: Iterable[str]) -> int:
    """How many captions begin with `word` as their first tag."""
    return _begun(word.strip().casefold(), map(tags_of, captions))


def _begun(key: str, tags: Iterable[Sequence[str]]) -> int:
    return sum(bool(caption) and caption[0].casefold() == key for caption in tags)


def _likely(tokenizer: Tokenizer, captions: Sequence[str], booru: Booru | None) -> str:
    """What captions from elsewhere already begin with, where it looks like an invented word; else empty."""
    firsts = Counter(tags[0] for caption in captions if (tags := tags_of(caption)))
    (word, count), *_others = firsts.most_common(1) or [("", 0)]
    if count < MOSTLY * len(captions) or not word:
        return ""
    against = [*_spelling(word), *_meaning(word, tokenizer), *(_in_booru(word, booru) if booru else ())]
    return "" if against else word


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
    if any(not letter.isascii() for letter in word):
        yield Problem(
            Severity.NOTE,
            "",
            "word-letters",
            _(
                "“{word}” has letters beyond a–z, which the base reads in pieces and other people type otherwise."
            ).format(word=word),
            _("Use the letters a to z."),
        )
    if word != word.lower():
        yield Problem(
            Severity.NOTE,
            "",
            "word-capitals",
            _("“{word}” has capitals, which the base does not see and other tools count as another word.").format(
                word=word
            ),
            _("Write it in small letters."),
        )
    if not SHORTEST <= len(word) <= LONGEST:
        yield Problem(
            Severity.NOTE,
            "",
            "word-length",
            ngettext("“{word}” has {n} letter.", "“{word}” has {n} letters.", len(word)).format(word=word, n=len(word)),
            _("{least} to {most} letters are few enough to type and enough to be new.").format(
                least=SHORTEST, most=LONGEST
            ),
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
    seen = [word] if word.lower() in VISUAL else [name for piece in pieces if (name := _spelled(piece)) in VISUAL]
    if seen and len(pieces) > 1:
        yield Problem(
            Severity.WARNING,
            "",
            "word-visual",
            _("The base reads “{piece}” in “{word}”, and would draw something of that too.").format(
                piece=seen[-1], word=word
            ),
            _("Change a letter or two there, so that no word with a picture of its own is left."),
        )
    elif parts := _two_words(word, tokenizer):
        yield Problem(
            Severity.NOTE,
            "",
            "word-compound",
            _("“{word}” is “{first}” and “{second}”, two words the base knows.").format(
                word=word, first=parts[0], second=parts[1]
            ),
            _("A word that is made of no others is free of their meaning."),
        )


def _in_booru(word: str, booru: Booru) -> Iterator[Problem]:
    key = word.casefold()
    if tag := booru.tag_of(key):
        yield Problem(
            Severity.WARNING,
            "",
            "word-booru",
            ngettext(
                "“{word}” is a tag of {n} picture in your list of tags: bases that learned from it know the word.",
                "“{word}” is a tag of {n} pictures in your list of tags: bases that learned from it know the word.",
                booru.count_of(tag),
            ).format(word=word, n=booru.count_of(tag)),
            _("Invent a word, or add a letter or two to this one."),
        )
        return
    close = sorted(
        (tag for one in slips(key) if (tag := booru.tag_of(one)) and booru.count_of(tag) >= COMMON),
        key=lambda tag: (-booru.count_of(tag), tag),
    )
    if close:
        yield Problem(
            Severity.NOTE,
            "",
            "word-near-booru",
            _("“{word}” is one letter away from the common tag “{tag}”.").format(word=word, tag=close[0]),
            _("Change another letter, so that a slip of the pen calls nothing else."),
        )


def _in_captions(word: str, captions: list[str]) -> Iterator[Problem]:
    key = word.casefold()
    tags = [[tag.casefold() for tag in tags_of(caption)] for caption in captions]
    # Where most captions begin with it, it is there because it is the activation word.
    in_place = 2 * _begun(key, tags) > len(tags)
    used = 0 if in_place else sum(key in caption for caption in tags)
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
    # While the word is in place, what looks like it is a slip of the pen, and named with its caption.
    if not in_place and (close := _nearest(key, tags)):
        yield Problem(
            Severity.NOTE,
            "",
            "word-near-tag",
            _("“{word}” is one letter away from “{tag}”, which captions use.").format(word=word, tag=close),
            _("Change another letter, so that a slip of the pen calls nothing else."),
        )


def _nearest(key: str, tags: Sequence[Sequence[str]]) -> str:
    distinct = {tag for caption in tags for tag in caption}
    return min(slips(key) & {word for tag in distinct for word in words_of(tag)}, default="")


def _two_words(word: str, tokenizer: Tokenizer) -> tuple[str, str] | None:
    # The vocabulary is full of pieces of three letters that mean nothing.
    for place in range(4, min(len(word), 2 * LONGEST) - 3):
        first, second = word[:place], word[place:]
        if len(tokenizer.pieces(first)) == len(tokenizer.pieces(second)) == 1:
            return first, second
    return None


def _spelled(piece: str) -> str:
    return piece.removesuffix(_END)
