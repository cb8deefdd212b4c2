"""Fetching files of a hub's repository into the hub's cache, so that a cut costs nothing but time.

huggingface_hub itself throws away what a broken download left behind; here the next try goes on from there.
"""

import os
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from core.files import unwritable
from core.hardware import disk_free
from core.hub import refusals
from core.hub.order import Order
from core.hub.repository import Part, address, look
from core.hub.shelf import Shelf, hashing
from core.hub.transfer import Broken, pieces
from core.language import _
from core.runs.events import Event, Finished, Noted, Phase, Started, Stopped
from core.runs.job import Requests

EVERY = 0.5
"""Seconds between two events of progress: as often as a bar should move over SSH."""
_SPARE = 100_000_000
"""Bytes of the disk that are left to everybody else."""
_PIECE = 1 << 22
"""Bytes that are hashed between two looks about: some milliseconds' worth."""


def download(order: Order, requests: Requests) -> Iterator[Event]:
    """Fetch what is not here yet; ends with Finished, whose path is the folder, or Stopped. Steps are bytes.

    Every file is checked against the hub's digest before it gets its name. Raises BocetoError.
    """
    holding = look(order)
    shelf = Shelf.of(Path(order.cache).expanduser(), order.repository, holding.commit)
    total, done = holding.bytes, 0
    here = sum(shelf.arrived(part) for part in holding.parts)
    _check_room(order, total - here)
    yield Started(pid=os.getpid(), host=socket.gethostname(), device="", total=total, step=here)
    try:
        for part in holding.parts:
            if not shelf.has(part):
                due = 0.0
                with closing(_fetch(order, shelf, part)) as fetching:
                    for event in fetching:
                        if requests.stop:
                            yield Stopped(step=done + shelf.arrived(part), reason="asked")
                            return
                        if not isinstance(event, Phase):
                            yield event
                        elif time.monotonic() >= due:
                            yield replace(event, done=done + event.done, total=total)
                            due = time.monotonic() + EVERY
            shelf.show(part)
            done += part.size
            yield Phase(name="download", done=done, total=total)
        shelf.point(order.revision)
    except OSError as error:
        raise unwritable(shelf.folder, error) from error
    yield Finished(step=total, path=str(shelf.snapshot))


def _check_room(order: Order, needed: int) -> None:
    free = disk_free(Path(order.cache))
    if needed and needed + _SPARE > free:
        raise refusals.no_room(order, needed, free)


def _fetch(order: Order, shelf: Shelf, part: Part) -> Generator[Event, None, None]:
    """One file; the events count its own bytes."""
    with shelf.growing(part) as file:
        while True:
            if file.seek(0, os.SEEK_END) > part.size:
                file.truncate(0)
            begun_before = file.seek(0, os.SEEK_END)
            yield from _receive(order, shelf, part, file)
            if (yield from _agrees(file, part)):
                file.flush()
                os.fsync(file.fileno())
                shelf.keep(part)
                return
            file.truncate(0)
            # What an earlier job left may be at fault: once more, from the beginning.
            if not begun_before:
                raise refusals.damaged(order, part.name)


def _receive(order: Order, shelf: Shelf, part: Part, file: BinaryIO) -> Iterator[Event]:
    """Append what is missing, trying again while the server sends anything new."""
    silent = 0
    while (start := file.seek(0, os.SEEK_END)) < part.size:
        try:
            with closing(pieces(order, address(order, shelf.commit, part.name), part, start)) as arriving:
                for at, content in arriving:
                    if at != file.tell():
                        file.seek(at)
                        file.truncate()
                    file.write(content)
                    silent = 0 if content else silent
                    if file.tell() > part.size:
                        file.truncate(0)
                        raise refusals.damaged(order, part.name)
                    yield Phase(name="download", done=file.tell(), total=part.size)
        except Broken as broken:
            silent += 1
            if silent >= order.attempts:
                raise refusals.gave_up(order, broken.error, file.tell(), part.size) from broken
            yield Noted(
                message=_("The connection broke: it is tried again from {done:.1f} MB on.").format(
                    done=file.tell() / 1e6
                )
            )
            # 1, 2, 4 … seconds: a server in trouble is not helped by being asked at once.
            until = time.monotonic() + max(broken.pause, min(2.0 ** (silent - 1), 30.0))
            while time.monotonic() < until:
                time.sleep(0.1)
                yield Phase(name="download", done=file.tell(), total=part.size)


def _agrees(file: BinaryIO, part: Part) -> Generator[Event, None, bool]:
    """Whether the file is what the hub says it is."""
    digest = hashing(part)
    file.seek(0)
    while piece := file.read(_PIECE):
        digest.update(piece)
        yield Phase(name="check", done=file.tell(), total=part.size)
    return digest.hexdigest() == part.digest
