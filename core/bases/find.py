"""The bases on this disk: in the box, in given folders, in the hub's cache, and where other programs keep theirs."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from msgspec.structs import replace

from core import paths
from core.bases import places
from core.bases.base import Base
from core.bases.catalog import CATALOG, Entry, entry, entry_of_file
from core.bases.places import hub
from core.bases.refusal import NoBaseError
from core.errors import BocetoError
from core.language import _

__all__ = ["FOR_WORK", "best", "find", "hub", "look", "resolve"]

FOR_WORK = 512
"""Pixels a side from which a base's pictures are of use."""
_Found = tuple[str, Base | NoBaseError]
"""A model, with the id it has or would have."""


def find(extra: Iterable[Path] = ()) -> list[Base]:
    """Every base that can be trained on, each once: the one in the box first, those in `extra`, then the others.

    A path in `extra` is a base, or a folder with some below it.
    """
    return [found for found in look(extra) if isinstance(found, Base)]


def look(extra: Iterable[Path] = ()) -> Iterator[Base | NoBaseError]:
    """What `find` finds, and for each model that is no base for us the reason."""
    seen: set[Path] = set()
    said: set[str] = set()
    for _id, found in _all(extra):
        if isinstance(found, Base):
            if found.path.resolve() in seen:
                continue
            seen.add(found.path.resolve())
        elif str(found) in said:
            continue
        else:
            said.add(str(found))
        yield found


def best() -> str:
    """The id of a base for real work, if there is one on this disk; else of the one in the box."""
    return next((base.id for base in find() if base.native >= FOR_WORK), CATALOG[0].id)


def resolve(text: str) -> Base:
    """The base that a person means by `text`: a name of the catalog, a repository of the hub, a folder or a file."""
    known = entry(text)
    wanted = known.id if known else text
    path = None if known else _path(text)
    if path and (path.is_absolute() or text.startswith((".", "~"))):
        return _or_raise(_try(path))
    there: list[str] = []
    for known_as, found in _all(()):
        if isinstance(found, Base):
            there.append(known_as)
        if known_as == wanted:
            return _or_raise(found)
    if path and path.exists():
        return _or_raise(_try(path))
    raise _missing(text, known, there)


def _missing(text: str, known: Entry | None, there: list[str]) -> BocetoError:
    title = _("There is no base called “{text}” on this disk.").format(text=text)
    here = _("Here are: {bases}.").format(bases=", ".join(there))
    if known:
        hint = _("Fetch it with `boceto bases --fetch {id}`, or give one of these names or the path of an SDXL model.")
        return BocetoError(title, here, hint.format(id=known.id))
    return BocetoError(
        title, here, _("Give one of these names, or the path of an SDXL model: a .safetensors file or a folder.")
    )


def _path(text: str) -> Path | None:
    """The path that a person may mean; none for a text that cannot be one, such as one too long for a file's name."""
    try:
        path = Path(text).expanduser()
        path.exists()
        return path
    except (OSError, ValueError, RuntimeError):
        return None


def _all(extra: Iterable[Path]) -> Iterator[_Found]:
    """Every model with the id it has or would have; a name of the catalog goes to the first that is found."""
    given: set[str] = set()
    for known in CATALOG:
        if isinstance(known.source, Path):
            yield known.id, _try(known.source, known.id, known.name)
    own = paths.config() / "bases"
    for path, called in chain(*map(_below, extra), _below(own) if own.is_dir() else (), _in_hub(), _elsewhere()):
        known_as, found = called or (str(path), _named(path))
        if isinstance(found, Base):
            if found.id in given:
                found = replace(found, id=str(found.path), name=found.path.stem)
            given.add(found.id)
            known_as = found.id
        yield known_as, found


def _below(folder: Path) -> Iterator[tuple[Path, _Found | None]]:
    """The models in a folder; the path itself where it is one, or holds none."""
    folder = folder.expanduser()
    found = False
    for path in places.models(folder) if folder.is_dir() else ():
        found = True
        yield path, None
    if not found and folder != paths.config() / "bases":
        yield folder, None


def _elsewhere() -> Iterator[tuple[Path, _Found | None]]:
    for folder, only_bases in places.programs():
        for path in places.models(folder):
            # Among LoRAs, upscalers and the like only a base is worth a word.
            if only_bases or isinstance(_try(path), Base):
                yield path, None


def _in_hub() -> Iterator[tuple[Path, _Found | None]]:
    for repository in sorted(hub().glob("models--*")):
        address = repository.name.removeprefix("models--").replace("--", "/", 1)
        listed = entry(address)
        called = (listed.id, listed.name) if listed else (address, address.split("/")[-1])
        tries = [_try(state, *called) for state in _states(repository) if (state / "model_index.json").exists()]
        for file in _files(repository, listed) if not any(isinstance(one, Base) for one in tries) else ():
            single = _try(file, *called)
            # Of all that a cache holds, only what is a base or should be one is worth a word.
            if isinstance(single, Base) or listed:
                tries.append(_as_listed(single, listed))
        if tries:
            yield repository, (called[0], next((found for found in tries if isinstance(found, Base)), tries[0]))


def _states(repository: Path) -> list[Path]:
    """The repository's downloaded states: the current one first, then the newest."""
    states = [path for path in repository.glob("snapshots/*") if path.is_dir()]
    main = repository / "refs" / "main"
    current = main.read_text().strip() if main.is_file() else ""
    return sorted(states, key=lambda state: (state.name != current, -state.stat().st_mtime))


def _files(repository: Path, listed: Entry | None) -> Iterator[Path]:
    for state in _states(repository):
        for file in sorted(state.glob("*.safetensors")):
            if listed is None or listed.is_called(file.name):
                yield file


def _named(path: Path) -> Base | NoBaseError:
    """The model at a path, under the catalog's name where its file is called as that one's."""
    own = path.parent == paths.config() / "bases"  # where `Entry.folder` is
    known = entry_of_file(path.name) if path.is_file() else entry(path.name) if own else None
    return _as_listed(_try(path, known.id, known.name) if known else _try(path), known)


def _as_listed(found: Base | NoBaseError, known: Entry | None) -> Base | NoBaseError:
    """What the catalog knows and a single file may not say of itself."""
    if isinstance(found, Base) and found.like and known and known.prediction == "v_prediction":
        return replace(found, prediction=known.prediction, zero_terminal_snr=known.zero_terminal_snr)
    return found


def _try(path: Path, called: str | None = None, name: str | None = None) -> Base | NoBaseError:
    try:
        return Base.open(path, called, name)
    except BocetoError as error:
        return NoBaseError(path, error)


def _or_raise(found: Base | NoBaseError) -> Base:
    if isinstance(found, NoBaseError):
        raise found
    return found
