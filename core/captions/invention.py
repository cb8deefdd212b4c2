"""Inventing an activation word: something to say, near the project's name, that nothing else is called."""

import random
import re
import unicodedata
from collections.abc import Iterable, Iterator

from core.captions.activation import LONGEST, MOST_TOKENS, SHORTEST, check_word
from core.captions.booru import Booru
from core.captions.slips import near, slips, words_of
from core.captions.tokens import Tokenizer

_VOWELS = "aeiou"
_BEGINNINGS = "b br d dr f fl g gr h j k kl l m n p pl r s t tr v z".split()
_MIDDLES = "b d f g k l lb ld lm ln m mb n nd nk p r rd rk rm rn rv s t v z".split()
_ENDS = ("", "", "", "n", "l", "r")
_TAILS = "o a i u elo ira uno ora iku avo enda olin aru imo".split()
_ATTEMPTS = 4000
"""Of which a few in a hundred pass with the vocabulary of SDXL, and one in a hundred with that of the small base."""


def suggestions(
    seed: str, tokenizer: Tokenizer, captions: Iterable[str], count: int = 5, booru: Booru | None = None
) -> list[str]:
    """Invented words that nothing speaks against, the ones nearest to `seed` (the project's name) first.

    The same for the same project, so that a person finds the word again that was read a moment ago.
    """
    texts = "\n".join(captions).casefold()
    said = set(words_of(texts))
    found: list[str] = []
    for word in _candidates(_letters(seed)):
        if len(found) == count:
            break
        fits = SHORTEST <= len(word) <= LONGEST and word not in texts and _short_enough(word, tokenizer)
        if (
            fits
            # Five ways of saying the same would be no choice.
            and not any(near(word, other, 2) for other in found)
            and said.isdisjoint(slips(word))
            and not check_word(word, tokenizer, (), booru)
        ):
            found.append(word)
    return found


def _candidates(stem: str) -> Iterator[str]:
    chance = random.Random(stem)
    beginnings = _cuts(stem)
    if beginnings:
        yield stem
        for _attempt in range(_ATTEMPTS // 4):
            beginning = chance.choice(beginnings)
            yield beginning + chance.choice(_TAILS if beginning[-1] not in _VOWELS else _syllables(chance, 1))
    for attempt in range(_ATTEMPTS):
        yield "".join(_syllables(chance, 2 + attempt % 2))


def _syllables(chance: random.Random, count: int) -> list[str]:
    sounds = [chance.choice(_BEGINNINGS), chance.choice(_VOWELS)]
    for _more in range(count - 1):
        sounds += [chance.choice(_MIDDLES), chance.choice(_VOWELS)]
    return ["".join(sounds) + chance.choice(_ENDS)]


def _cuts(stem: str) -> list[str]:
    """Beginnings of a name that something can be hung on: at least three letters, one of them a vowel."""
    return [stem[:end] for end in range(3, min(len(stem), LONGEST - 2) + 1) if set(stem[:end]) & set(_VOWELS)]


def _letters(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.encode("utf-8", "replace").decode("utf-8")).casefold()
    return re.sub(r"[^a-z]", "", plain)


def _short_enough(word: str, tokenizer: Tokenizer) -> bool:
    return 1 < tokenizer.count(word) <= MOST_TOKENS
