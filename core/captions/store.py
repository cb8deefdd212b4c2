"""Caption files: plain text beside the drawings, read without loss and never overwritten blindly."""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from core import files
from core.captions.caption import lines_of, one_line
from core.errors import BocetoError, Problem, Severity
from core.language import _

LARGEST = 1_000_000
"""Bytes. A longer file beside a drawing is not its caption."""

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class CaptionFile(Struct, frozen=True):
    """What lies beside one drawing, as it was when it was read."""

    drawing: Path
    path: Path
    text: str = ""
    """As people edit it: every line, ended by `\\n` whatever the file uses, without a BOM or line ends at its end."""
    exists: bool = False
    encoding: str = "utf-8"
    bom: bool = False
    newline: str = "\n"
    ends_with_newline: bool = False
    digest: str = ""
    """SHA-256 of the bytes; empty when there is no file."""
    modified: int = 0
    """Nanoseconds since 1970, from the file system."""
    trouble: str = ""
    """Why the file could not be read; its text is then unknown and it is never written."""

    @property
    def undecodable(self) -> bool:
        """The bytes are not UTF-8: `text` is the best guess, and other trainers give up on the file."""
        return self.encoding != "utf-8"

    @property
    def training_text(self) -> str:
        """The one line that is trained: all lines of the file, joined."""
        return one_line(self.text)


def read(drawing: Path) -> CaptionFile:
    """The caption of `drawing`: the `.txt` of the same stem. A file that cannot be read says why in `trouble`."""
    path = drawing.with_suffix(".txt")
    try:
        content, modified = _content(path)
    except FileNotFoundError:
        return CaptionFile(drawing, path)
    except OSError as error:
        return CaptionFile(drawing, path, exists=True, trouble=error.strerror or str(error))
    except ValueError as error:
        return CaptionFile(drawing, path, exists=True, trouble=str(error))
    written, encoding = _decoded(content)
    newline = next((end for end in ("\r\n", "\n", "\r") if end in written), "\n")
    text = _normal(written)
    return CaptionFile(
        drawing,
        path,
        text=text,
        exists=True,
        encoding=encoding,
        bom=content.startswith((_BOM, *_UTF16)),
        newline=newline,
        ends_with_newline=written.endswith(("\n", "\r")),
        digest=hashlib.sha256(content).hexdigest(),
        modified=modified,
    )


def changed_outside(file: CaptionFile) -> bool:
    """Has another program written, made or removed the file since it was read?"""
    try:
        content, _modified = _content(file.path)
    except FileNotFoundError:
        return file.exists
    except (OSError, ValueError):
        return not file.trouble
    return hashlib.sha256(content).hexdigest() != file.digest


def write(file: CaptionFile, text: str, originals: Path) -> CaptionFile:
    """Give `file` a new text, and return the file as it then is.

    A text that is already there touches nothing. Line ends stay as they were; the encoding becomes UTF-8 without a
    BOM, which other trainers would read as part of the first tag. An empty caption is written as one line end,
    because sd-scripts gives up on files of 0 bytes. What the file held before the first change is kept in
    `originals`, and an empty file there says that there was none.
    """
    text = _normal(text)
    if not file.trouble and text == file.text:
        return file
    _refuse_if_unsafe(file)
    ending = file.newline if file.ends_with_newline or not text else ""
    try:
        content = (text.replace("\n", file.newline) + ending).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BocetoError(
            _("The caption of “{drawing}” has a character that no text file can hold.").format(drawing=file.drawing),
            str(error),
            _("Type that character again, or remove it."),
        ) from error
    _keep_original(file, originals)
    # A link stays a link: its target is what changes.
    files.write_bytes(file.path.resolve(), content)
    return read(file.drawing)


def check(file: CaptionFile, drawing: str) -> Iterator[Problem]:
    """What is wrong with the file itself; `drawing` is the name that the problems bear."""
    if file.trouble:
        yield Problem(
            Severity.ERROR,
            drawing,
            "caption-unreadable",
            _("The caption “{name}” cannot be read: {reason}.").format(name=file.path.name, reason=file.trouble),
            _("See what “{name}” is and whether you may read it, or remove it and caption the drawing anew.").format(
                name=file.path.name
            ),
        )
        return
    if not file.exists:
        yield Problem(
            Severity.WARNING,
            drawing,
            "caption-missing",
            _("This drawing has no caption: it would be trained with the activation word alone."),
            _("Write in a few words what the drawing shows."),
        )
        return
    if not file.training_text:
        yield Problem(
            Severity.WARNING,
            drawing,
            "caption-empty",
            _("This drawing's caption is empty: it would be trained with the activation word alone."),
            _("Write in a few words what the drawing shows."),
        )
    if file.undecodable:
        yield Problem(
            Severity.WARNING,
            drawing,
            "caption-undecodable",
            _("“{name}” is not UTF-8; it is read as {encoding}, and accented letters may be wrong.").format(
                name=file.path.name, encoding=file.encoding
            ),
            _("Look at the text. The file stays as it is until you change it; then it is saved as UTF-8."),
        )
    lines = len(lines_of(file.text))
    if lines > 1:
        yield Problem(
            Severity.NOTE,
            drawing,
            "multi-line",
            _("This caption has {lines} lines: all of them are trained, joined into one.").format(lines=lines),
            _("Put everything on one line if you also use other trainers: they read only the first."),
        )


def _content(path: Path) -> tuple[bytes, int]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(_("it is not a file"))
    if status.st_size > LARGEST:
        raise ValueError(_("it has {size} bytes, too many for a caption").format(size=f"{status.st_size:,}"))
    return path.read_bytes(), status.st_mtime_ns


def _decoded(content: bytes) -> tuple[str, str]:
    """The text of a file and the encoding it was read with; every byte has a meaning in the last one."""
    for encoding in ("utf-16", "latin-1") if content.startswith(_UTF16) else ("utf-8", "cp1252", "latin-1"):
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise AssertionError("Latin-1 has a letter for every byte")


def _normal(text: str) -> str:
    return text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def _refuse_if_unsafe(file: CaptionFile) -> None:
    if file.trouble:
        raise BocetoError(
            _("“{path}” cannot be read, so it is not written either.").format(path=file.path),
            file.trouble,
            _("See what it is and whether you may read it, or remove it."),
        )
    if changed_outside(file):
        raise BocetoError(
            _("“{path}” was changed by another program since it was read.").format(path=file.path),
            _("Nothing was written, so that the other change is not lost."),
            _("Read the caption again, then make your change."),
        )


def _keep_original(file: CaptionFile, originals: Path) -> None:
    # Drawings of two folders may share a name, so the place is part of it.
    place = hashlib.sha256(str(file.path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    original = originals / f"{file.path.stem[:40]}.{place}.txt"
    if not original.exists():
        files.write_bytes(original, file.path.read_bytes() if file.exists else b"")
