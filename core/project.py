"""A project on disk: every answer the artist gave, beside the drawings it is about."""

import re
import unicodedata
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from core import paths, toml
from core.errors import BocetoError
from core.images.formats import EXTENSIONS
from core.images.treatment import Treatment
from core.language import _
from core.settings import Plan

Kind = Literal["style", "character"]
# Also what no one can see or type: control characters, line ends, turned writing, bytes that are no text. And `~`,
# which is everybody's home where it stands first.
_FORBIDDEN = re.compile(r'^~|[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff/\\:*?"<>|]')
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")


class Project(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answers, as `project.toml` keeps them."""

    version: int = 1
    name: str
    kind: Kind = "style"
    """What the drawings teach: a way of drawing, or somebody."""
    activation_word: str = ""
    dataset: str = "dataset"
    """The folder of the drawings; relative to the project's folder, or anywhere."""
    nested: bool = False
    """Whether drawings in folders below count too."""
    base: str = "mini"
    """A base of the catalog, or the folder of one."""
    treatments: dict[str, Treatment] = field(default_factory=dict)
    """What single drawings need on the way to the trainer; the originals stay as they are."""
    quick_tags: tuple[str, ...] = ()
    """Tags that one key adds to a caption or takes away, the first nine."""
    never_tags: tuple[str, ...] = ()
    """Tags that the artist has left out on purpose, and no tagger is to write."""
    plan: Plan = field(default_factory=Plan)
    at: str = ""
    """The screen of the wizard where the artist was."""


class Place(Struct, frozen=True):
    """A project's folder and what lies in it."""

    folder: Path

    @property
    def file(self) -> Path:
        """Where the answers are."""
        return self.folder / "project.toml"

    @property
    def output(self) -> Path:
        """Where finished LoRA files go."""
        return self.folder / "output"

    @property
    def runs(self) -> Path:
        """One folder a training."""
        return self.folder / "runs"

    @property
    def reviewed(self) -> Path:
        """Which captions the artist has read and found right."""
        return self.folder / "reviewed.json"

    @property
    def written(self) -> Path:
        """Which captions a tagger wrote, as far as nobody has changed them."""
        return self.folder / "written.json"

    @property
    def journal(self) -> Path:
        """Everything that was done to captions and treatments, with what was there before."""
        return self.folder / "journal.jsonl"

    @property
    def scores(self) -> Path:
        """What taggers saw in the drawings, with how sure they were."""
        return self.folder / "scores"

    @property
    def captioning(self) -> Path:
        """One folder a job of the taggers."""
        return self.folder / "captioning"

    def dataset(self, project: Project) -> Path:
        """The folder of the drawings."""
        return self.folder / Path(project.dataset).expanduser()

    def load(self) -> Project:
        """The project in this folder. Raises BocetoError where there is none."""
        if not self.file.is_file():
            raise BocetoError(
                _("There is no project in “{folder}”.").format(folder=self.folder),
                hint=_("Give the folder of a project, or the folder of your drawings to begin one."),
            )
        return toml.load(self.file, Project)

    def save(self, project: Project) -> None:
        """Keep the answers, whole or not at all."""
        toml.save(self.file, project)


def place_of(text: str) -> Place:
    """The project that a person means by a name or a folder."""
    folder, named = Path(text).expanduser(), Place(paths.projects() / text)
    here = Place(folder.absolute())
    if folder.is_absolute() or "/" in text or here.file.is_file():
        return here
    # A folder of drawings that bears the project's name may lie where the person stands.
    return here if folder.is_dir() and not named.file.is_file() else named


def places() -> list[Place]:
    """Every project in the usual folder, the last used first."""
    root = paths.projects()
    found = [Place(file.parent) for file in root.glob("*/project.toml")] if root.is_dir() else []
    return sorted(found, key=lambda place: place.file.stat().st_mtime, reverse=True)


def begin(folder: Path, name: str = "") -> tuple[Place, Project]:
    """The project of the drawings in `folder`: the one there is, or a new one that is not saved yet.

    `folder` may hold the drawings itself or in a folder `dataset`; without a `name` the project is called like it.
    Raises BocetoError for a folder that is none, and for a name that another project has.
    """
    if not folder.is_dir():
        raise BocetoError(
            _("There is no folder and no project called “{target}”.").format(target=folder),
            hint=_("Give the folder your drawings are in. `boceto ls` shows the projects there are."),
        )
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError as error:
        raise BocetoError(
            _("The path of this folder is not valid text (UTF-8), so that no project could remember it."),
            hint=_("Rename the folder with plain letters."),
        ) from error
    own = folder / "dataset"
    holds = own if own.is_dir() and not _has_drawings(folder) else folder
    # Not `place_of`: a folder of that name, as the drawings' own, may lie where the person stands.
    place = Place(paths.projects() / valid_name(name or folder.name))
    if holds is own and not name:
        place = Place(folder)
    if place.file.is_file():
        known = place.load()
        if place.dataset(known).resolve() != holds.resolve():
            raise BocetoError(
                _("There is a project “{name}” already, with other drawings.").format(name=known.name),
                _("Its drawings are in {folder}.").format(folder=place.dataset(known)),
                _("Give the new project another name (on the command line with --name)."),
            )
        return place, known
    dataset = "dataset" if holds.parent == place.folder else str(holds.absolute())
    return place, Project(name=valid_name(name or folder.name), dataset=dataset)


def valid_name(text: str) -> str:
    """`text` as a project's name that every file system takes. Raises BocetoError with the reason when it cannot be."""
    name = unicodedata.normalize("NFC", text).strip()
    reason = ""
    if not name:
        reason = _("A project needs a name.")
    elif _FORBIDDEN.search(name):
        reason = _("A project's name cannot hold any of / \\ : * ? \" < > |.")
    elif name.startswith(".") or name.endswith("."):
        reason = _("A project's name cannot begin or end with a full stop.")
    elif _RESERVED.match(name):
        reason = _("Windows keeps this name for itself, and the file would not open there.")
    elif len(name.encode()) > 100:
        reason = _("This name is too long: file names are made from it.")
    if reason:
        raise BocetoError(reason, hint=_("Choose another name for the project, such as “my-outlines”."))
    return name


def _has_drawings(folder: Path) -> bool:
    return any(path.suffix.lower() in EXTENSIONS for path in folder.iterdir())
