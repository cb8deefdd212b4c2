"""Writing files so that a crash leaves either the old one or the new one, never a half."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from core.errors import BocetoError
from core.language import _

_READING = Lock()
"""The umask can only be read by changing it, which two threads must not do at once."""


@contextmanager
def replacing(path: Path, flush: bool = True) -> Iterator[Path]:
    """Give a temporary file in `path`'s folder to write to; flush it and rename it to `path` when all went well."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        # mkstemp makes the file private; what we write is as readable as its neighbours.
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        yield temporary
        if flush:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
        if flush:
            _flush_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Replace `path` by `content` in UTF-8, line ends as given, whole or not at all."""
    write_bytes(path, content.encode("utf-8"))


def unreadable(path: Path, error: Exception, hint: str = "") -> BocetoError:
    """Why the file at `path` could not be read, in words."""
    return BocetoError(
        _("“{path}” could not be read.").format(path=path),
        str(error),
        hint or _("See whether the file is still there and may be read."),
    )


def unwritable(path: Path, error: Exception, hint: str = "") -> BocetoError:
    """Why the file at `path` could not be written, in words."""
    return BocetoError(
        _("“{path}” could not be written.").format(path=path),
        str(error),
        hint or _("See whether the disk is full and whether the folder may be written to."),
    )


def _umask() -> int:
    with _READING:
        mask = os.umask(0)
        os.umask(mask)
    return mask


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
