"""What a tagger saw, kept on disk: a changed threshold needs no second look, and a killed captioning goes on."""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import msgspec
from msgspec import Struct

from core.errors import BocetoError
from core.files import unreadable, unwritable
from core.language import _
from core.taggers.tagger import Subject, Tagged

VERSION = 1

Key = tuple[str, str, str]
"""Of a look at a drawing: its name, its digest, and the paper under it."""


class _Head(Struct, frozen=True, tag_field="scores", tag="head"):
    """The first line of a file."""

    model: str
    """The fingerprint of the tagger's files: scores of another model are not mixed with these."""
    version: int = VERSION


_decoder = msgspec.json.Decoder(Tagged)


def file_of(folder: Path, tagger: str) -> Path:
    """Where the scores of one tagger lie in a project's folder of scores, whatever its id holds."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", tagger).strip("-.")[-80:]
    if plain == tagger and plain:
        return folder / f"{plain}.jsonl"
    return (
        folder / f"{plain or 'tagger'}.{hashlib.sha256(tagger.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.jsonl"
    )


def read(path: Path) -> dict[str, Tagged]:
    """The newest look at each drawing, by its name; none where there is no file. Damaged lines are passed over."""
    return {tagged.drawing: tagged for tagged in _lines(path)}


def current(path: Path, drawings: Iterable[Subject]) -> dict[str, Tagged]:
    """Of `read`, what still holds: the drawing's bytes and its paper are the same now."""
    known = {key(tagged): tagged for tagged in _lines(path)}
    found = ((subject.name, known.get((subject.name, subject.digest, subject.background))) for subject in drawings)
    return {name: tagged for name, tagged in found if tagged}


def key(tagged: Tagged) -> Key:
    """What makes one look the same as another."""
    return tagged.drawing, tagged.digest, tagged.background


class Scores:
    """The file of one tagger's scores, held by the one job that adds to it."""

    def __init__(self, file: FileIO, known: frozenset[Key]) -> None:
        self._file = file
        self._known = known

    def has(self, subject: Subject) -> bool:
        """Whether this drawing, as it was scanned, was looked at before."""
        return (subject.name, subject.digest, subject.background) in self._known

    def add(self, looks: Iterable[Tagged]) -> None:
        """Keep some more, so that not even a power cut takes them."""
        lines = b"".join(msgspec.json.encode(look) + b"\n" for look in looks)
        if lines:
            self._file.write(lines)
            os.fsync(self._file.fileno())


@contextmanager
def opened(path: Path, model: str) -> Iterator[Scores]:
    """Take up the scores of the tagger with the fingerprint `model`; those of another model are dropped.

    Raises BocetoError while another job adds to the same file, and where the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = FileIO(path, "a+")
    except OSError as error:
        raise unwritable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BocetoError(
                _("Another captioning of the same drawings is under way."),
                _("It holds “{path}”.").format(path=path),
                _("Wait until it has ended, or stop it."),
            ) from error
        except OSError:  # a network disk that knows no locks: two jobs would only do the work twice
            pass
        yield Scores(file, _taken_up(file, model))


def _taken_up(file: FileIO, model: str) -> frozenset[Key]:
    """Make the file ready for the next line; returns what it holds."""
    file.seek(0)
    content = file.readall()
    lines = content.splitlines(keepends=True)
    if not lines or not lines[0].endswith(b"\n") or _head(lines[0]) != _Head(model):
        file.truncate(0)
        file.write(msgspec.json.encode(_Head(model)) + b"\n")
        return frozenset()
    if not lines[-1].endswith(b"\n"):  # a crash cut it off: the next line has to begin on its own
        file.truncate(len(content) - len(lines[-1]))
    return frozenset(key(tagged) for tagged in _decoded(lines[1:]))


def _lines(path: Path) -> Iterator[Tagged]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(
            path, error, _("Move the file away: it is made again when the drawings are captioned again.")
        ) from error
    yield from _decoded(content.splitlines(keepends=True)[1:])


def _decoded(lines: Iterable[bytes]) -> Iterator[Tagged]:
    for line in lines:
        try:
            if line.endswith(b"\n"):
                yield _decoder.decode(line)
        except msgspec.DecodeError:
            continue


def _head(line: bytes) -> _Head | None:
    try:
        return msgspec.json.decode(line, type=_Head)
    except msgspec.DecodeError:
        return None
