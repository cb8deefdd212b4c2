"""The bytes of one file as the server sends them."""

import threading
from collections.abc import Callable, Generator, Iterator
from queue import Empty, Full, Queue
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # exported, but not so that mypy sees it
    build_hf_headers,
    get_session,
    hf_raise_for_status,
)

from core.hub import refusals
from core.hub.order import Order
from core.hub.repository import Part

Piece: TypeAlias = tuple[int, bytes]
"""Where in the file it belongs, and its content."""

_MOMENT = 0.2
"""Seconds without a byte after which whoever waits may look about: as often as a job looks for requests."""
_AHEAD = 64
"""Pieces of some 64 KB that wait for the disk: enough to bridge its pauses, too little to matter in memory."""
_LONGEST_PAUSE = 60
"""Seconds that a server may ask us to wait."""


class Broken(Exception):  # noqa: N818 - the transfer is broken; no error yet
    """The server stopped sending; another try may go on."""

    def __init__(self, error: Exception, pause: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause
        """Seconds that it asked for."""


def pieces(order: Order, url: str, part: Part, start: int) -> Generator[Piece, None, None]:
    """The file from byte `start` on, or from its beginning where the server cannot do that.

    An empty piece comes whenever a moment passes without a byte. Raises Broken, or BocetoError for what another try
    would not mend.
    """
    arrived: Queue[Piece | Exception | None] = Queue(_AHEAD)
    left = threading.Event()

    def hand_over(what: Piece | Exception | None) -> bool:
        while not left.is_set():
            try:
                arrived.put(what, timeout=_MOMENT)
                return True
            except Full:
                continue
        return False

    # A thread, because a read from a silent server cannot be broken off, and a job has to stop when it is asked.
    threading.Thread(target=_read, args=(order, url, part, start, hand_over), daemon=True).start()
    at = start
    try:
        while True:
            try:
                found = arrived.get(timeout=_MOMENT)
            except Empty:
                found = (at, b"")
            if found is None:
                return
            if isinstance(found, Exception):
                raise found
            at = found[0] + len(found[1])
            yield found
    finally:
        left.set()


def _read(
    order: Order, url: str, part: Part, start: int, hand_over: Callable[[Piece | Exception | None], bool]
) -> None:
    try:
        end = start
        with refusals.told(order):
            for at, content in _stream(order, url, part, start):
                if not hand_over((at, content)):
                    return
                end = at + len(content)
        hand_over(None if end >= part.size else Broken(httpx2.RemoteProtocolError(f"{end} of {part.size} bytes")))
    except Exception as error:  # it belongs to whoever waits for the pieces
        hand_over(error)


def _stream(order: Order, url: str, part: Part, start: int) -> Iterator[Piece]:
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        with get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response:
            hf_raise_for_status(response)
            at = start if _goes_on(response, start) else 0
            body = response.iter_bytes()
            first = next(body, b"")
            if _is_page(response, part, at, first):
                raise refusals.page_instead(order, part.name, urlsplit(str(response.url)).netloc)
            if _length(response, at, part.size) != part.size:
                raise refusals.damaged(order, part.name)
            while first:
                yield at, first
                at += len(first)
                first = next(body, b"")
    except HfHubHTTPError as error:
        if error.response.status_code == httpx2.codes.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            yield from _stream(order, url, part, 0)
        elif error.response.status_code in _PASSING:
            raise Broken(error, _asked_pause(error.response)) from error
        else:
            raise
    except httpx2.TransportError as error:
        raise Broken(error) from error


_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Refusals that pass by themselves."""


def _goes_on(response: httpx2.Response, start: int) -> bool:
    """Whether the body begins where it was asked to."""
    return response.status_code == httpx2.codes.PARTIAL_CONTENT and response.headers.get(
        "Content-Range", ""
    ).startswith(f"bytes {start}-")


def _is_page(response: httpx2.Response, part: Part, at: int, first: bytes) -> bool:
    if part.name.endswith((".html", ".htm")):
        return False
    kind = response.headers.get("Content-Type", "")
    begins = first[:256].lstrip().lower() if at == 0 else b""
    return kind.startswith("text/html") or (
        begins.startswith((b"<!doctype html", b"<html")) and not part.name.endswith(".md")
    )


def _length(response: httpx2.Response, at: int, expected: int) -> int:
    """How long the whole file is, as the server says it; what is expected where it does not say."""
    said = response.headers.get("Content-Length", "")
    if not said.isdigit() or response.headers.get("Content-Encoding", "identity") != "identity":
        return expected
    return at + int(said)


def _asked_pause(response: httpx2.Response) -> float:
    said = response.headers.get("Retry-After", "")
    return float(min(int(said), _LONGEST_PAUSE)) if said.isdigit() else 0.0
