"""One repository's place in the hub's cache, laid out as huggingface_hub does, so that every program finds it."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from core.errors import BocetoError
from core.files import write_text
from core.hub.repository import Part
from core.language import _

_SHA256 = 64
"""Hexadecimal digits of a SHA-256; git's SHA-1 has 40."""


class Shelf(Struct, frozen=True):
    """Where the files of one commit lie."""

    folder: Path
    """`models--owner--name` in the cache."""
    commit: str

    @classmethod
    def of(cls, cache: Path, repository: str, commit: str) -> "Shelf":
        """The place of `repository` in `cache`."""
        return cls(cache / f"models--{repository.replace('/', '--')}", commit)

    @property
    def snapshot(self) -> Path:
        """The folder that looks like the repository."""
        return self.folder / "snapshots" / self.commit

    def blob(self, part: Part) -> Path:
        """The file itself, under its digest: commits that share it have it once."""
        return self.folder / "blobs" / part.digest

    def partial(self, part: Part) -> Path:
        """What has arrived of it so far."""
        return self.folder / "blobs" / f"{part.digest}.incomplete"

    def has(self, part: Part) -> bool:
        """Whether the file is here, whole."""
        return any(
            path.is_file() and path.stat().st_size == part.size for path in (self.snapshot / part.name, self.blob(part))
        )

    def arrived(self, part: Part) -> int:
        """Bytes of it that are here."""
        if self.has(part):
            return part.size
        with suppress(OSError):
            return min(part.size, self.partial(part).stat().st_size)
        return 0

    @contextmanager
    def growing(self, part: Part) -> Iterator[BinaryIO]:
        """What has arrived of a file, to be gone on with. Raises BocetoError while another job does so."""
        path = self.partial(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BocetoError(
                    _("“{file}” is being downloaded by another job at this moment.").format(file=part.name),
                    _("It writes to {path}.").format(path=path),
                    _("Wait until that one has ended, or stop it."),
                ) from error
            except OSError:  # a network disk that knows no locks: the digest still tells what two writers made
                pass
            yield file

    def keep(self, part: Part) -> None:
        """A partial file that is whole becomes the file."""
        self.partial(part).replace(self.blob(part))

    def show(self, part: Part) -> None:
        """Let the file be seen in the snapshot."""
        pointer, blob = self.snapshot / part.name, self.blob(part)
        if pointer.is_file() and pointer.stat().st_size == part.size:
            return
        pointer.parent.mkdir(parents=True, exist_ok=True)
        pointer.unlink(missing_ok=True)
        try:
            pointer.symlink_to(os.path.relpath(blob, pointer.parent))
        except OSError:  # a disk without links, such as a USB stick: the file moves there itself
            blob.replace(pointer)

    def point(self, revision: str) -> None:
        """Make the snapshot the current one of a branch or tag."""
        if revision != self.commit:
            write_text(self.folder / "refs" / revision, self.commit)


def hashing(part: Part) -> "hashlib._Hash":
    """What turns a file's bytes into the digest that the hub gives for it."""
    return hashlib.sha256() if len(part.digest) == _SHA256 else hashlib.sha1(b"blob %d\0" % part.size)
