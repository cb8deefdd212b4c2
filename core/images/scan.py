"""Looking at every drawing in a folder."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Event
from time import monotonic

from PIL import Image, JpegImagePlugin

from core.errors import BocetoError, Problem, Severity
from core.images.drawing import (
    Drawing,
    Unreadable,
    decode,
    flattened,
    foreign_profile,
    opaque,
    plain,
    profile_name,
    read,
    see_through,
    unsupported,
)
from core.images.fingerprint import fingerprint, reduced, thumbnail
from core.images.formats import EXTENSIONS, UNREADABLE
from core.language import _, ngettext

THREADS = min(8, os.cpu_count() or 1)
"""Pillow decodes outside Python's lock; beyond eight a disk or the memory is the limit."""


def scan(
    folder: Path, cancelled: Event, *, nested: bool = False, every: float = 0.2
) -> Iterator[list[Drawing | Problem]]:
    """Look at every drawing in `folder`, by name, in batches that arrive about every `every` seconds.

    What cannot be used comes as a problem in its place; files that are no drawings (captions, hidden files) are no
    part of it. `nested` looks into the folders below as well.
    """
    files = _files(folder, nested)
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="scan")
    # A short queue keeps few whole drawings in memory, and little to wait for after a cancellation.
    queue: deque[Future[Drawing | Problem]] = deque(
        pool.submit(_look, folder, found) for found in islice(files, 2 * THREADS)
    )
    batch: list[Drawing | Problem] = []
    due = monotonic() + every
    try:
        while queue and not cancelled.is_set():
            try:
                batch.append(queue[0].result(timeout=max(0.0, due - monotonic())))
            except TimeoutError:
                pass
            else:
                queue.popleft()
                queue.extend(pool.submit(_look, folder, found) for found in islice(files, 1))
            if monotonic() >= due:
                if batch:
                    yield batch
                batch, due = [], monotonic() + every
        if batch and not cancelled.is_set():
            yield batch
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def inspect(path: Path, name: str) -> Drawing:
    """The facts of one drawing, from one reading and one whole decoding of its file."""
    content = read(path)
    image = decode(content)
    simple = plain(image)
    transparent = see_through(simple)
    # Colours are settled on the small picture, where it makes no difference, and on few pixels; paper is not.
    small = reduced(flattened(simple)) if transparent else flattened(reduced(opaque(simple)))
    marks, mirrored = fingerprint(small)
    profile = foreign_profile(simple)
    grey = thumbnail(small)
    return Drawing(
        name=name,
        width=image.width,
        height=image.height,
        bytes=len(content),
        digest=hashlib.sha256(content).hexdigest(),
        fingerprint=marks,
        mirrored=mirrored,
        thumbnail=grey,
        format=image.format or "",
        transparent=transparent,
        jpeg_quality=_jpeg_quality(image),
        animated=bool(image.info["animated"]),
        turned=bool(image.info["turned"]),
        deep=image.mode in ("I", "F") or image.mode.startswith("I;"),
        cmyk=image.mode == "CMYK",
        profile=profile_name(profile) if profile else "",
        # A thin line is averaged away in the thumbnail: only a flat one is worth a look at all pixels.
        blank=len(set(grey)) == 1 and _flat(flattened(simple)),
    )


def shown(name: str) -> str:
    """A file name that can be written into any text: what is not UTF-8 or not printable, as an escape."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _look(folder: Path, found: str | Problem) -> Drawing | Problem:
    if isinstance(found, Problem):
        return found
    try:
        _refuse_by_name(found)
        return inspect(folder / found, found)
    except Unreadable as error:
        return _problem(found, error)


def _refuse_by_name(name: str) -> None:
    if not _is_text(name):
        raise Unreadable(
            "name-not-text",
            _("The name of this file is not valid text (UTF-8), so that no caption could be found by it."),
            "",
            _("Rename the file with plain letters."),
        )
    if (ending := _ending(name)) in UNREADABLE:
        raise unsupported(ending[1:].upper())


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _files(folder: Path, nested: bool) -> Iterator[str | Problem]:
    """Names of everything that looks like a drawing, in the order of their names, and what to say of folders."""
    try:
        here = folder.stat()
        entries = _entries(folder)
    except OSError as error:
        raise BocetoError(
            _("The folder “{folder}” could not be read.").format(folder=shown(str(folder))),
            error.strerror or str(error),
            _("See whether the path is right, whether it is a folder, and whether you are allowed to read it."),
        ) from error
    yield from _walk(folder, "", entries, nested, {(here.st_dev, here.st_ino)})


def _walk(
    folder: Path, below: str, entries: list[os.DirEntry[str]], nested: bool, visited: set[tuple[int, int]]
) -> Iterator[str | Problem]:
    for entry in entries:
        name = below + entry.name
        if _is_folder(entry) and (nested or not _is_drawing(name)):
            place = entry.stat()
            if (place.st_dev, place.st_ino) in visited:  # a link that leads back into its own folder
                continue
            visited.add((place.st_dev, place.st_ino))
            try:
                inside = _entries(folder / name)
            except OSError as error:
                if nested:
                    yield _problem(name, _closed(error))
                continue
            if nested:
                yield from _walk(folder, name + "/", inside, nested, visited)
            elif count := sum(_is_drawing(other.name) for other in inside):
                yield _left_out(name, count)
        elif _is_drawing(name):
            yield name


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Everything in a folder but hidden files; ours in the making are hidden too (`core.files`)."""
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_drawing(name: str) -> bool:
    return _ending(name) in EXTENSIONS | UNREADABLE


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - ten times a Path, for every file of the folder


def _problem(name: str, error: Unreadable) -> Problem:
    return Problem(Severity.ERROR, name if _is_text(name) else shown(name), error.code, error.title, error.hint)


def _closed(error: OSError) -> Unreadable:
    return Unreadable(
        "unreadable",
        _("This folder could not be read: {reason}.").format(reason=error.strerror or error),
        str(error),
        _("See whether you are allowed to read it."),
    )


def _left_out(name: str, count: int) -> Problem:
    return Problem(
        Severity.NOTE,
        "",
        "folder-left-out",
        ngettext(
            "The folder “{name}” holds {count} drawing that is not used.",
            "The folder “{name}” holds {count} drawings that are not used.",
            count,
        ).format(name=shown(name), count=count),
        _("Include the folders below, or leave it as it is."),
    )


def _jpeg_quality(image: Image.Image) -> int | None:
    """The quality number of libjpeg whose luminance table has the same sum.

    At 50 the sum is 3688; above, the table shrinks in a straight line to 100; below, it grows as 50 ÷ quality.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or 0 not in image.quantization:
        return None
    total = sum(image.quantization[0])
    quality = 100 - 50 * total / 3688 if total <= 3688 else 50 * 3688 / total
    return max(1, min(100, round(quality)))


def _flat(image: Image.Image) -> bool:
    return len(image.getcolors(maxcolors=1) or ()) == 1
