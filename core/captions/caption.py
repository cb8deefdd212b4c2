"""The text beside a drawing: tags separated by commas, or a sentence."""

import random
import re
from functools import lru_cache

_SEPARATORS = re.compile(r"[,\r\n]+")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_LEADING_GAP = re.compile(r"^[\s,]+")
_TRAILING_GAP = re.compile(r"[\s,]+$")
_ARTICLES = frozenset({"a", "an", "the", "un", "una"})
_IN_A_CLAUSE = _ARTICLES | {"is", "are"}


def tags_of(text: str) -> list[str]:
    """The tags of a caption in their order: what stands between commas or line ends, without the blanks around it."""
    return [tag for part in _SEPARATORS.split(text) if (tag := part.strip())]


def joined(tags: list[str]) -> str:
    """One caption from its tags, as every trainer expects them."""
    return ", ".join(tags)


def lines_of(text: str) -> list[str]:
    """The lines of a caption that hold something."""
    return [line.strip() for line in _LINE_ENDS.split(text) if line.strip()]


def one_line(text: str) -> str:
    """The caption that is trained: all its lines, joined into one.

    Whoever wrote a second line meant it to count. A line of tags is followed by a comma, one of prose by a blank.
    Other trainers read the first line only (sd-scripts, `process_caption`).
    """
    lines = lines_of(text)
    if len(lines) == 1:  # on both sides of it the same is cut off, be it prose or not
        return _trimmed(lines[0])
    whole = ""
    for line in lines:
        prose = is_sentence(line)
        if tidy := line if prose else _trimmed(line):
            whole += tidy + (" " if prose else ", ")
    return _trimmed(whole)


def is_sentence(text: str) -> bool:
    """Is this prose, whose commas do not separate tags? Then shuffling would tear it apart.

    It is when more than half of the words stand in parts that read like a clause; so a long title among tags
    ("the legend of zelda: breath of the wild") does not make a sentence, nor does an activation word in front of
    one make tags.
    """
    words = clauses = 0
    for tag in tags_of(text):
        count, clause = _clause(tag)
        words += count
        clauses += count if clause else 0
    return 2 * clauses > words


def with_word(text: str, word: str) -> str:
    """The caption with the activation word as its first tag, and as no other; the rest is kept as it was written."""
    word = joined(tags_of(word))
    if not word:
        return text
    rest = _LEADING_GAP.sub("", without_word(text, word))
    return f"{word}, {rest}" if rest else word


def without_word(text: str, word: str) -> str:
    """The caption without the activation word where it is a tag of its own; inside other words it stays.

    Capitals make no difference, as the text encoders see none.
    """
    unwanted = {tag.casefold() for tag in tags_of(word)}
    lines = (_without(line, unwanted) for line in text.split("\n"))
    return "\n".join(line for line in lines if line is not None)


def shuffled(text: str, keep: int, random: random.Random) -> str:
    """The caption with its tags in another order; the first `keep` stay where they are, and sentences are left alone.

    `keep` is 1 for one activation word (sd-scripts, `keep_tokens`: it counts tags, not tokens).
    """
    if is_sentence(text):
        return text
    tags = tags_of(text)
    rest = tags[keep:]
    random.shuffle(rest)
    return joined(tags[:keep] + rest)


def _without(line: str, unwanted: set[str]) -> str | None:
    """One line without the unwanted tags; None when nothing else stood in it."""
    fields = line.split(",")
    kept = [field for field in fields if field.strip().casefold() not in unwanted]
    if len(kept) == len(fields):
        return line
    rest = ",".join(kept)
    if fields[0].strip().casefold() in unwanted:
        rest = _LEADING_GAP.sub("", rest)
    return rest if _trimmed(rest) else None


def _trimmed(line: str) -> str:
    return _TRAILING_GAP.sub("", _LEADING_GAP.sub("", line))


@lru_cache(1 << 16)
def _clause(part: str) -> tuple[int, bool]:
    """The words of a part, and whether it reads like a clause. Datasets have few tags and many uses of each."""
    words = part.split()
    first, last = words[0].lower(), words[-1]
    return len(words), (
        last.endswith("。")
        # No common tag is as long ("eyebrows visible through hair" has four).
        or len(words) >= 6
        or (len(words) >= 2 and (first in _ARTICLES - {"the"} or last.endswith(".")))
        or (len(words) >= 4 and any(word.lower() in _IN_A_CLAUSE for word in words))
    )
