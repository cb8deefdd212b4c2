"""Questions and answers on a line."""

import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from core.errors import BocetoError
from core.language import _
from tui.words import plain

Answer = TypeVar("Answer")

_YES, _NO = ("y", "yes", "s", "si", "sí"), ("n", "no")


class Back(Exception):  # noqa: N818 - an answer, no error
    """The person wants the question before."""


class Leave(Exception):  # noqa: N818
    """The person does not want to go on."""


def ask_for(question: str, default: str, explained: str, take: Callable[[str], Answer]) -> Answer:
    """Ask until `take` can make something of the answer. Raises Back when that is wanted, EOFError at the end."""
    while True:
        sys.stdout.write(plain(question + (f" [{default}]" if default else "")) + ": ")
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not sys.stdin.isatty():
            say("")  # nobody's Enter has ended the line
        if not line:
            raise EOFError
        answer = line.strip()
        if answer == "?":
            say(explained)
        elif answer.lower() == "b":
            raise Back
        else:
            try:
                if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in answer):
                    raise BocetoError(_("This answer has signs in it that are no text: {text}").format(text=answer))
                return take(answer or default)
            except BocetoError as error:
                complain(error)


def agreed(question: str, explained: str) -> bool:
    """Yes or no; Enter is yes."""
    default = _("Y/n")

    def take(text: str) -> bool:
        answer = unicodedata.normalize("NFC", text).casefold()
        if text != default and answer not in (*_YES, *_NO):
            raise BocetoError(_("Answer y for yes or n for no."))
        return answer not in _NO

    return ask_for(question, default, explained, take)


def one_of(offers: Sequence[str], text: str) -> int:
    """The index of the offer that is meant by its number or its name."""
    for index, offer in enumerate(offers):
        if text == str(index + 1) or text.casefold() == offer.casefold():
            return index
    raise BocetoError(_("Type a number from 1 to {most}.").format(most=len(offers)))


def numbered(lines: Iterable[str]) -> Iterator[str]:
    """Each line with its number in front."""
    return (f"{number}. {line}" for number, line in enumerate(lines, 1))


def say(*lines: str) -> None:
    """Write lines that hold nothing a terminal would obey."""
    for line in lines:
        sys.stdout.write("".join(plain(part) + "\n" for part in line.split("\n")))
    sys.stdout.flush()


def complain(error: BocetoError) -> None:
    """Say why an answer cannot be."""
    say(f"{error.title} {error.detail}".strip())
