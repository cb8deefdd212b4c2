"""Slips of the pen: words that are nearly another."""

import re
from functools import lru_cache

WORD = re.compile(r"[^\W_]+")
_LONGEST = 40
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def words_of(text: str) -> list[str]:
    """The words of a text, without what stands between them."""
    return WORD.findall(text)


@lru_cache(maxsize=2**16)
def is_typo(written: str, word: str) -> bool:
    """Is this, in small letters, nearly `word`? A long word may have two slips of the pen, a short one none."""
    most = 2 if len(word) >= 8 else 1 if len(word) >= 5 else 0
    return bool(most) and written != word and near(word, written, most)


@lru_cache(maxsize=2**16)
def typos(tag: str, word: str) -> tuple[str, ...]:
    """What of a tag, in small letters, is nearly the activation word: all of it, or words in it."""
    return (tag,) if is_typo(tag, word) else tuple(one for one in words_of(tag) if is_typo(one, word))


def near(word: str, other: str, most: int) -> bool:
    """Do at most `most` slips (a letter more, less, another, or two exchanged) lead from one to the other?"""
    if abs(len(word) - len(other)) > most:
        return False
    oldest: list[int] = []
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        oldest, before, row = before, row, [i]
        for j, theirs in enumerate(other, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != theirs))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == theirs:
                cost = min(cost, oldest[j - 2] + 1)
            row.append(cost)
        if min(row) > most and min(before) > most:
            return False
    return row[-1] <= most


def slips(word: str) -> set[str]:
    """Everything that is one slip of the pen away from a word; nothing for one too long to be taken for another."""
    if len(word) > _LONGEST:
        return set()
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    return {
        *(left + right[1:] for left, right in cuts if right),
        *(left + right[1] + right[0] + right[2:] for left, right in cuts if len(right) > 1),
        *(left + letter + right[1:] for left, right in cuts if right for letter in _LETTERS),
        *(left + letter + right for left, right in cuts for letter in _LETTERS),
    } - {word}
