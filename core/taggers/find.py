"""The taggers on this disk: the one in the box, those a person put somewhere, and those other programs fetched."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from msgspec import Struct

from core import paths
from core.bases.find import hub
from core.errors import BocetoError
from core.language import _
from core.taggers.catalog import CATALOG, Entry, Kind, entry

BOX = Path(__file__).parent / "mini"
_MODEL, _TAGS = "model.onnx", "selected_tags.csv"
_BLIP = next(known for known in CATALOG if known.kind == "sentences")
# Where sd-scripts, A1111's tagger and ComfyUI's keep theirs, below a person's home or the folder they stand in.
_OTHER_PROGRAMS = (
    "wd14_tagger_model",
    "sd-scripts/wd14_tagger_model",
    "kohya_ss/wd14_tagger_model",
    "kohya_ss/sd-scripts/wd14_tagger_model",
    "stable-diffusion-webui/models/TaggerOnnx",
    "ComfyUI/custom_nodes/ComfyUI-WD14-Tagger/models",
    "ComfyUI/custom_nodes/comfyui-wd14-tagger/models",
)
_PIECE = 1 << 20
"""Bytes at a file's beginning and end that tell it from another: a tagger may weigh a gigabyte."""


class Found(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tagger that can be used at once."""

    id: str
    """A word of the catalog, a repository of the hub, or a path."""
    name: str
    kind: Kind
    model: Path
    """Its `.onnx` file; of one that writes sentences, its folder."""
    tags: Path | None = None
    """Its list of tags."""

    @property
    def in_the_box(self) -> bool:
        """Whether it came with Boceto."""
        return self.model.is_relative_to(BOX)

    def fingerprint(self) -> str:
        """Tells one model from another that lies in the same place; from its files' sizes, beginnings and ends."""
        digest = hashlib.sha256()
        files = [self.model, self.tags] if self.tags else sorted(self.model.glob("*"))
        try:
            for path in files:
                if path.is_file():
                    with path.open("rb") as file:
                        size = path.stat().st_size
                        digest.update(f"{path.name} {size}\n".encode() + file.read(_PIECE))
                        file.seek(max(0, size - _PIECE))
                        digest.update(file.read(_PIECE))
        except OSError as error:
            raise BocetoError(
                _("The tagger “{name}” could not be read.").format(name=self.name),
                str(error),
                _("See whether its disk is connected, or choose another tagger."),
            ) from error
        return digest.hexdigest()


def find(extra: Iterable[Path] = ()) -> list[Found]:
    """Every tagger on this disk, each once: the one in the box first, then those in `extra`, then the others.

    A path in `extra` is the folder of a tagger, or a folder with some below it.
    """
    found: dict[str, Found] = {}
    models: set[Path] = set()
    for tagger in _all(extra):
        place = tagger.model.resolve()
        if place not in models and tagger.id not in found:
            models.add(place)
            found[tagger.id] = tagger
    return list(found.values())


def resolve(text: str, extra: Iterable[Path] = ()) -> Found:
    """The tagger that a person means by `text`: its id, a name of the catalog, a repository, or a folder.

    Raises BocetoError which says what to fetch and where to put it.
    """
    there, known = find(extra), entry(text)
    wanted = known.id if known else text
    if found := next((tagger for tagger in there if tagger.id == wanted), None):
        return found
    path = _existing(text)
    if path and (found := next(_in_folder(path if path.is_dir() else path.parent, only=path), None)):
        return found
    if known:
        raise missing(known)
    if path:
        raise BocetoError(
            _("There is no tagger in “{path}”.").format(path=path),
            _("A tagger of the WD family is two files, “model.onnx” and “selected_tags.csv”, in one folder."),
            _("Give the folder in which they are."),
        )
    raise BocetoError(
        _("There is no tagger called “{text}” on this disk.").format(text=text),
        _("Here are: {taggers}.").format(taggers=", ".join(tagger.id for tagger in there)) if there else "",
        _("These can be fetched: {taggers}.").format(taggers=", ".join(known.id for known in CATALOG)),
    )


def missing(known: Entry) -> BocetoError:
    """What to fetch of a tagger that is not on this disk, and where to put it."""
    lacking = known.missing(known.folder)
    files = ", ".join(name.replace("|", " / ") for name in lacking or known.files)
    size = _(" ({size:.1f} GB)").format(size=known.size / 1e9) if known.size else ""
    return BocetoError(
        _("The tagger “{name}” is not on this disk.").format(name=known.name),
        _("It needs these files of {repository}{size}: {files}.").format(
            repository=known.repository, size=size, files=files
        ),
        _(
            "Let Boceto fetch it, or fetch them from https://huggingface.co/{repository} and put them in {folder}."
        ).format(repository=known.repository, folder=paths.shown(known.folder)),
    )


def _existing(text: str) -> Path | None:
    """The path that a person may mean; none for a text that is no path, such as one too long for a file's name."""
    try:
        path = Path(text).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):
        return None


def _all(extra: Iterable[Path]) -> Iterator[Found]:
    if tagger := _wd(BOX / _MODEL, BOX / _TAGS, "mini", "Boceto mini"):
        yield tagger
    for folder in chain(extra, [paths.config() / "taggers"]):
        yield from _below(folder.expanduser())
    yield from _below(hub())
    for place in _OTHER_PROGRAMS:
        yield from chain(_below(Path.home() / place), _below(Path.cwd() / place))


def _below(folder: Path) -> Iterator[Found]:
    """The taggers in a folder, just below it, and in the hub's layout there or just below."""
    try:
        yield from _in_folder(folder)
        for below in sorted(path for path in folder.glob("*") if path.is_dir()):
            yield from _in_folder(below)
            repositories = [below] if below.name.startswith("models--") else sorted(below.glob("models--*"))
            for repository in repositories:
                address = repository.name.removeprefix("models--").replace("--", "/", 1)
                for snapshot in _snapshots(repository):
                    yield from _in_folder(snapshot, address)
    except OSError:  # a folder that may not be read holds nothing for us
        return


def _snapshots(repository: Path) -> list[Path]:
    """The downloaded states of a repository, the newest first."""
    states = [path for path in repository.glob("snapshots/*") if path.is_dir()]
    return sorted(states, key=lambda state: -state.stat().st_mtime)


def _in_folder(folder: Path, address: str = "", only: Path | None = None) -> Iterator[Found]:
    """The taggers whose files lie directly in a folder; `only` the one with that model, when it is given."""
    if only in (None, folder, folder / _MODEL) and (
        tagger := _wd(
            folder / _MODEL, folder / _TAGS, *_called(address or folder.name, address or str(folder.absolute()))
        )
    ):
        yield tagger
    # ComfyUI's keeps several in one folder, each list of tags named after its model.
    for model in sorted(folder.glob("*.onnx")):
        if only in (None, folder, model) and model.name != _MODEL:
            called = _called(model.stem, str(model.absolute()))
            if tagger := _wd(model, model.with_suffix(".csv"), *called):
                yield tagger
    if only in (None, folder) and _writes_sentences(folder):
        identity, name = _called(address or folder.name, address or str(folder.absolute()))
        yield Found(id=identity, name=name, kind="sentences", model=folder)


def _wd(model: Path, tags: Path, identity: str, name: str) -> Found | None:
    if not (model.is_file() and tags.is_file()):
        return None
    return Found(id=identity, name=name, kind="tags", model=model, tags=tags)


def _writes_sentences(folder: Path) -> bool:
    """Whether a folder holds all of a BLIP model as transformers keeps it."""
    if _BLIP.missing(folder):
        return False
    try:
        return bool(json.loads((folder / "config.json").read_bytes()).get("model_type") == "blip")
    except (OSError, ValueError, AttributeError):
        return False


def _called(written: str, otherwise: str) -> tuple[str, str]:
    """The id and the name of a tagger whose folder, file or repository is called `written`."""
    # sd-scripts writes a repository's name with an underscore for its slash.
    known = next(
        (
            known
            for known in CATALOG
            if written in (known.repository, known.repository.replace("/", "_"), known.repository.split("/")[1])
        ),
        None,
    )
    return (known.id, known.name) if known else (otherwise, written.rpartition("/")[2])
