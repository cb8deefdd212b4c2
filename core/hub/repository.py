"""What a repository of the hub holds, and which of its files are wanted."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from json import JSONDecodeError
from pathlib import PurePosixPath

from huggingface_hub import HfApi, ModelInfo, constants, get_hf_file_metadata, hf_hub_url
from msgspec import Struct

from core.hub import refusals
from core.hub.order import Order

_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Part(Struct, frozen=True):
    """One file of a repository."""

    name: str
    """Its path there."""
    size: int
    digest: str
    """SHA-256 of a large file; of a small one git's SHA-1, which stands before the content's own length."""


class Holding(Struct, frozen=True):
    """The wanted files of a repository, at one commit."""

    commit: str
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        """All of them together."""
        return sum(part.size for part in self.parts)


def address(order: Order, commit: str, name: str) -> str:
    """Where one file is fetched."""
    return hf_hub_url(order.repository, name, revision=commit)


def look(order: Order) -> Holding:
    """Ask the hub for the files of `order`: their names, sizes and digests. Raises BocetoError."""
    with refusals.told(order):
        found = _listing(order)
        listed = {file.rfilename: file for file in found.siblings or () if _stays_below(file.rfilename)}
        commit = found.sha or ""
        if not _DIGEST.fullmatch(commit):
            raise refusals.not_a_hub(order)
        parts = []
        for name in wanted(order, listed):
            file = listed[name]
            digest = (file.lfs.sha256 if file.lfs else file.blob_id) or ""
            if file.size is not None and _DIGEST.fullmatch(digest):
                parts.append(Part(name, file.size, digest))
            else:  # a mirror that lists only names says the rest file by file
                parts.append(_asked(order, commit, name))
        return Holding(commit, tuple(parts))


def wanted(order: Order, listed: Iterable[str]) -> list[str]:
    """The names among `listed` that `order` asks for, each once. Raises BocetoError when one is not there."""
    names, missing = list(listed), []
    chosen: dict[str, None] = {}
    for one in order.files:
        for pattern in one.split("|"):
            if matching := [name for name in names if fnmatchcase(name, pattern)]:
                chosen |= dict.fromkeys(matching)
                break
        else:
            missing.append(one)
    if missing:
        raise refusals.lacking(order, missing)
    return list(chosen)


def _listing(order: Order) -> ModelInfo:
    try:
        return HfApi().model_info(
            order.repository,
            revision=order.revision,
            files_metadata=True,
            timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        )
    # A page in place of a list makes the hub's library fail on whatever it looks for first.
    except (JSONDecodeError, UnicodeDecodeError, TypeError, KeyError, AttributeError) as error:
        raise refusals.not_a_hub(order) from error


def _asked(order: Order, commit: str, name: str) -> Part:
    facts = get_hf_file_metadata(address(order, commit, name))
    if facts.size is None or not _DIGEST.fullmatch(facts.etag or ""):
        raise refusals.not_a_hub(order)
    return Part(name, facts.size, facts.etag or "")


def _stays_below(name: str) -> bool:
    """Whether a name from the server is one that may be written below a folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name
