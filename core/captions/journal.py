"""The journal: every change to captions and treatments, written down before it is made; undo outlives a crash."""

import base64
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader, FileIO
from pathlib import Path

import msgspec
from msgspec import Struct, field

from core.errors import BocetoError
from core.files import unwritable
from core.images.treatment import Treatment
from core.language import _

_CODED = "base64:"


class Change(Struct, frozen=True, omit_defaults=True):
    """One thing that a person did, with what was there before and after it."""

    name: str
    """What it was, as a person reads it."""
    t: float = 0.0
    """Seconds since 1970."""
    count: int = 0
    """How many captions and drawings it concerns."""
    texts: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """By the drawing's name what its caption's file holds before and after (`written`); None is no file."""
    treatments: dict[str, tuple[Treatment | None, Treatment | None]] = field(default_factory=dict)
    word: tuple[str, str] | None = None
    """The activation word before and after, when it is another."""


class Step(Struct, frozen=True):
    """A change as the list of all of them shows it; its texts stay on the disk."""

    name: str
    t: float
    count: int
    place: int
    """Where its line begins in the file."""
    without: set[str] = field(default_factory=set)
    """Drawings whose captions could not be written: it does not concern them."""


class _Line(Struct):
    """What of a line is needed to know where one is: a change, a move, what could not be done, or a sitting's end."""

    name: str = ""
    t: float = 0.0
    count: int = 0
    to: int | None = None
    without: list[str] = []
    span: tuple[int, int] = (0, 0)
    closed: bool = False


class Move(Struct, frozen=True):
    """A change that is made, or taken back."""

    change: Change
    back: bool

    @property
    def texts(self) -> Iterator[tuple[str, bytes | None, bytes | None]]:
        """Drawing, content it leaves, content it brings."""
        for drawing, (before, after) in self.change.texts.items():
            first, last = content(before), content(after)
            yield (drawing, last, first) if self.back else (drawing, first, last)

    @property
    def treatments(self) -> Mapping[str, Treatment | None]:
        """The treatment that each drawing gets; None for none."""
        return {name: pair[0 if self.back else 1] for name, pair in self.change.treatments.items()}

    @property
    def word(self) -> str | None:
        """The activation word that it brings; None leaves it."""
        return self.change.word[0 if self.back else 1] if self.change.word else None


class Journal:
    """The changes of one project in order, of which the first `position` are made and the others taken back.

    One process at a time holds it. A line that a crash cut off was never carried out, and is dropped.
    """

    def __init__(self, file: FileIO, path: Path) -> None:
        self._file, self._path = file, path
        self.steps: list[Step] = []
        self.position = 0
        self.unfinished: list[Move] = []
        """What was done in a sitting that did not end well; whether all of it reached the files is not known."""
        self._closed = True
        self._replay()

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """The journal in `path`, or a new one. Raises BocetoError when another window has it, or it makes no sense."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b", buffering=0)
        except OSError as error:
            raise BocetoError(
                _("“{path}” could not be opened.").format(path=path),
                str(error),
                _("Nothing can be changed, as no change could be taken back."),
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise BocetoError(
                _("Another window is changing this project's captions."),
                _("Two at a time would overwrite each other's changes."),
                _("Close the other window, or go on there."),
            ) from error
        except OSError:  # a file system without locks, as some over a network: nobody can tell, and one is likely
            pass
        try:
            return cls(file, path)
        except BaseException:
            file.close()
            raise

    def record(self, change: Change) -> Change:
        """Write a change down, for good, before it is made; what had been taken back can no longer be made again."""
        change = msgspec.structs.replace(
            change, t=round(time.time(), 3), count=len(change.texts) + len(change.treatments) + bool(change.word)
        )
        place = self._append(msgspec.json.encode(change))
        del self.steps[self.position :]
        self.steps.append(Step(change.name, change.t, change.count, place))
        self.position = len(self.steps)
        return change

    def moves(self, to: int) -> list[Move]:
        """What leads from here to the place after `to` changes, in order."""
        if to < self.position:
            return [Move(self._change(step), True) for step in reversed(self.steps[to : self.position])]
        return [Move(self._change(step), False) for step in self.steps[self.position : to]]

    def move(self, to: int) -> None:
        """Write down that one is there now; the files follow."""
        self._append(msgspec.json.encode({"to": to, "t": round(time.time(), 3)}))
        self.position = to

    def drop(self, drawing: str, span: tuple[int, int]) -> None:
        """Write down that the steps of `span` do not concern a drawing: its caption could not be written."""
        self._append(msgspec.json.encode({"without": [drawing], "span": span}))
        self._without([drawing], span)

    def close(self) -> None:
        """End the sitting: everything that was written down has reached the files."""
        if self._file.closed:
            return
        if not self._closed:
            with suppress(BocetoError):  # without it the next sitting looks for itself
                self._append(b'{"closed":true}')
        self._file.close()

    def abandon(self) -> None:
        """End without a word, when not everything could be put into the files: the next sitting sees to the rest."""
        self._file.close()

    def _append(self, line: bytes) -> int:
        place = self._file.seek(0, os.SEEK_END)
        try:
            rest = line + b"\n"
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):  # half a line would swallow the next one, a whole one count as done
                self._file.truncate(place)
            raise unwritable(
                self._path,
                error,
                _("Nothing was changed. See whether the disk is full and whether the folder may be written to."),
            ) from error
        self._closed = False
        return place

    def _change(self, step: Step) -> Change:
        with self._from(step.place) as lines:
            change = msgspec.json.decode(lines.readline(), type=Change)
        texts = {drawing: pair for drawing, pair in change.texts.items() if drawing not in step.without}
        return change if len(texts) == len(change.texts) else msgspec.structs.replace(change, texts=texts)

    def _without(self, drawings: Iterable[str], span: tuple[int, int]) -> None:
        for step in self.steps[slice(*span)]:
            step.without.update(drawings)

    def _replay(self) -> None:
        place, unfinished = 0, list[tuple[Step, bool]]()
        with self._from(place) as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    self._file.truncate(place)
                    break
                head = self._head(line, number)
                if head.closed:
                    unfinished = []
                elif head.without:
                    self._without(head.without, head.span)
                elif head.to is not None:
                    to = max(0, min(head.to, len(self.steps)))
                    unfinished += [(step, True) for step in reversed(self.steps[to : self.position])]
                    unfinished += [(step, False) for step in self.steps[self.position : to]]
                    self.position = to
                else:
                    del self.steps[self.position :]
                    self.steps.append(Step(head.name, head.t, head.count, place))
                    unfinished.append((self.steps[-1], False))
                    self.position += 1
                self._closed = head.closed
                place += len(line)
        self.unfinished = [Move(self._change(step), back) for step, back in unfinished]

    def _head(self, line: bytes, number: int) -> _Line:
        try:
            return msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError as error:
            raise BocetoError(
                _("Line {number} of “{path}” makes no sense.").format(number=number, path=self._path),
                str(error),
                _("Move the file away: the captions stay as they are, but what was changed cannot be taken back."),
            ) from error

    @contextmanager
    def _from(self, place: int) -> Iterator["BufferedReader[FileIO]"]:
        """The lines from a place on."""
        self._file.seek(place)
        lines = BufferedReader(self._file)
        try:
            yield lines
        finally:
            lines.detach()


def written(content: bytes | None) -> str | None:
    """A file's content as the journal holds it: as text where it is UTF-8, else in base64."""
    if content is None:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return _CODED + base64.b64encode(content).decode()
    return text if not text.startswith(_CODED) else _CODED + base64.b64encode(content).decode()


def content(text: str | None) -> bytes | None:
    """What `written` was made of."""
    if text is None:
        return None
    return base64.b64decode(text.removeprefix(_CODED)) if text.startswith(_CODED) else text.encode("utf-8")
