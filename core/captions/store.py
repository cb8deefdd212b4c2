"""Caption files: plain text beside the drawings, read without loss and never overwritten blindly."""

import stat
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from core.captions.caption import lines_of, one_line
from core.errors import BocetoError, Problem, Severity
from core.files import replacing
from core.language import _

LARGEST = 1_000_000
"""Bytes. A longer file beside a drawing is not its caption."""

_FRESH = 2_000_000_000
"""Nanoseconds. File systems count in up to two seconds (FAT): what is written within them may bear the same time."""
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class CaptionFile(Struct, frozen=True, dict=True):
    """What lies beside one drawing, as it was when it was read."""

    drawing: Path
    path: Path
    text: str = ""
    """As people edit it: every line, ended by `\\n` whatever the file uses, without a BOM or line ends at its end."""
    content: bytes | None = None
    """The bytes; None when there is no file, or none that could be read."""
    encoding: str = "utf-8"
    bom: bool = False
    newline: str = "\n"
    ends_with_newline: bool = False
    modified: int = 0
    """Nanoseconds since 1970, from the file system; 0 when it was written so lately that its time tells little."""
    trouble: str = ""
    """Why the file could not be read; its text is then unknown and it is never written."""

    @property
    def exists(self) -> bool:
        """There is something of this name."""
        return self.content is not None or bool(self.trouble)

    @property
    def undecodable(self) -> bool:
        """The bytes are not UTF-8: `text` is the best guess, and other trainers give up on the file."""
        return self.encoding != "utf-8"

    @cached_property
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
        return CaptionFile(drawing, path, trouble=error.strerror or str(error))
    except ValueError as error:
        return CaptionFile(drawing, path, trouble=str(error))
    return holding(drawing, content, modified)


def holding(drawing: Path, content: bytes | None, modified: int = 0) -> CaptionFile:
    """The caption of `drawing` as a file of this content would be read; None is no file."""
    path = drawing.with_suffix(".txt")
    if content is None:
        return CaptionFile(drawing, path)
    written, encoding = _decoded(content)
    return CaptionFile(
        drawing,
        path,
        text=_normal(written),
        content=content,
        encoding=encoding,
        bom=content.startswith((_BOM, *_UTF16)),
        newline=next((end for end in ("\r\n", "\n", "\r") if end in written), "\n"),
        ends_with_newline=written.endswith(("\n", "\r")),
        modified=modified,
    )


def changed_outside(file: CaptionFile) -> bool:
    """Has another program written, made or removed the file since it was read?"""
    try:
        status = file.path.stat()
        if file.modified == status.st_mtime_ns and file.content and len(file.content) == status.st_size:
            return False
        content, _modified = _content(file.path)
    except FileNotFoundError:
        return file.exists
    except (OSError, ValueError):
        return not file.trouble
    return content != file.content


def with_text(file: CaptionFile, text: str) -> bytes | None:
    """The bytes that give `file` another text; those it has when the text is already there.

    Line ends stay as they were; the encoding becomes UTF-8 without a BOM, which other trainers would read as part of
    the first tag. An empty caption is written as one line end, because sd-scripts gives up on files of 0 bytes.
    Raises BocetoError for a text that no file can hold.
    """
    text = _normal(text)
    if text == file.text:
        return file.content
    ending = file.newline if file.ends_with_newline or not text else ""
    try:
        return (text.replace("\n", file.newline) + ending).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BocetoError(
            _("The caption of “{drawing}” has a character that no text file can hold.").format(drawing=file.drawing),
            str(error),
            _("Type that character again, or remove it."),
        ) from error


def refuse_if_unsafe(file: CaptionFile) -> None:
    """Raises BocetoError for a file that must not be written: nobody knows what it holds, or it is write-protected."""
    if file.trouble:
        raise BocetoError(
            _("“{path}” cannot be read, so it is not written either.").format(path=file.path),
            file.trouble,
            _("See what it is and whether you may read it, or remove it."),
        )
    # Asked of the mark itself: the new file takes the old one's place, for which only the folder is asked.
    if file.exists and not _mode(file.path) & 0o222:
        raise BocetoError(
            _("“{path}” is write-protected.").format(path=file.path),
            hint=_("If it is to be changed, allow it with: chmod u+w “{path}”").format(path=file.path),
        )


def put(file: CaptionFile, content: bytes | None) -> CaptionFile:
    """Give `file` this content, or remove it for None, and return the file as it then is.

    It is not forced onto the disk: whoever calls has written down what is to be there (`journal`). A link stays a
    link: its target is what changes.
    """
    target = file.path.resolve()
    try:
        if content is None:
            target.unlink(missing_ok=True)
        else:
            with replacing(target, flush=False) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise BocetoError(_("“{path}” could not be removed.").format(path=file.path), str(error)) from error
    return holding(file.drawing, content)


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


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:  # it is gone, which whoever writes finds out
        return 0o666


def _content(path: Path) -> tuple[bytes, int]:
    """The bytes, and when they were written; 0 for less than `_FRESH` ago."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(_("it is not a file"))
    if status.st_size > LARGEST:
        raise ValueError(_("it has {size} bytes, too many for a caption").format(size=f"{status.st_size:,}"))
    fresh = time.time_ns() - status.st_mtime_ns < _FRESH
    return path.read_bytes(), 0 if fresh else status.st_mtime_ns


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
