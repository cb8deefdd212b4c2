"""The bases on this disk: the one in the box, those given, and those in the cache of Hugging Face."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.bases.base import Base
from core.bases.catalog import CATALOG, entry
from core.errors import BocetoError
from core.language import _

FOR_WORK = 512
"""Pixels a side from which a base's pictures are of use."""


def find(extra: Iterable[Path] = ()) -> list[Base]:
    """Every base that can be trained on, each once: the one in the box, those in `extra`, those in the hub's cache.

    A path in `extra` is the folder of a base, or a folder with some just below it.
    """
    return [found for found in look(extra) if isinstance(found, Base)]


def look(extra: Iterable[Path] = ()) -> Iterator[Base | BocetoError]:
    """What `find` finds, and for each model that is no base for us the reason."""
    seen: set[Path] = set()
    for _id, found in _all(extra):
        if isinstance(found, Base):
            if found.path.resolve() in seen:
                continue
            seen.add(found.path.resolve())
        yield found


def best() -> str:
    """The id of a base for real work, if there is one on this disk; else of the one in the box."""
    return next((base.id for base in find() if base.native >= FOR_WORK), CATALOG[0].id)


def resolve(text: str) -> Base:
    """The base that a person means by `text`: a name of the catalog, a repository of the hub, or a folder."""
    known = entry(text)
    wanted = known.id if known else text
    there: list[str] = []
    for known_as, found in _all(()):
        if isinstance(found, Base):
            there.append(known_as)
        if known_as == wanted:
            return _or_raise(found)
    path = Path(text).expanduser()
    if path.exists() or path.is_absolute() or text.startswith((".", "~")):
        return Base.open(path)
    raise BocetoError(
        _("There is no base called “{text}” on this disk.").format(text=text),
        _("Here are: {bases}.").format(bases=", ".join(there)),
        _("Give one of these names, or the folder of an SDXL model in the layout of diffusers."),
    )


def hub() -> Path:
    """Where huggingface_hub keeps what it downloaded; its own rules, without importing it."""
    for variable, below in (("HF_HUB_CACHE", "."), ("HUGGINGFACE_HUB_CACHE", "."), ("HF_HOME", "hub")):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser() / below
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"


def _all(extra: Iterable[Path]) -> Iterator[tuple[str, Base | BocetoError]]:
    """Every model with the id it has or would have."""
    for known in CATALOG:
        if isinstance(known.source, Path):
            yield known.id, _try(known.source, known.id, known.name)
    for folder in (path.expanduser() for path in extra):
        below = [] if (folder / "model_index.json").exists() else sorted(folder.glob("*/model_index.json"))
        for path in [index.parent for index in below] or [folder]:
            yield str(path.resolve()), _try(path)
    for repository in sorted(hub().glob("models--*")):
        address = repository.name.removeprefix("models--").replace("--", "/", 1)
        listed = entry(address)
        called = (listed.id, listed.name) if listed else (address, address.split("/")[-1])
        tries = [_try(snapshot, *called) for snapshot in _snapshots(repository)]
        if tries:
            yield called[0], next((found for found in tries if isinstance(found, Base)), tries[0])


def _snapshots(repository: Path) -> list[Path]:
    """The repository's downloaded states that hold a diffusers model: the current one first, then the newest."""
    states = {index.parent.name: index.parent for index in repository.glob("snapshots/*/model_index.json")}
    main = repository / "refs" / "main"
    current = main.read_text().strip() if main.is_file() else ""
    return sorted(states.values(), key=lambda state: (state.name != current, -state.stat().st_mtime))


def _try(path: Path, called: str | None = None, name: str | None = None) -> Base | BocetoError:
    try:
        return Base.open(path, called, name)
    except BocetoError as error:
        return error


def _or_raise(found: Base | BocetoError) -> Base:
    if isinstance(found, BocetoError):
        raise found
    return found
