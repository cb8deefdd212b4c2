"""Folder: where the drawings are, and what the project is called."""

import os
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace
from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

from core import paths
from core.bases import find
from core.errors import BocetoError
from core.images.folder import Contents
from core.language import _
from core.project import begin, valid_name
from tui.folders import held, tally, unfit
from tui.keys import bind
from tui.screens.step import StepScreen
from tui.widgets.folders import FolderTree, PathInput
from tui.widgets.text import Text
from tui.words import plain
from tui.work import Work


class Looked(Message):
    """What the folder that was typed holds."""

    def __init__(self, folder: Path, holds: Contents) -> None:
        super().__init__()
        self.folder, self.holds = folder, holds


class Folder(StepScreen):
    """A path, a name, and a tree to look around in."""

    AT = "folder"
    CSS_PATH = "folder.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind("folder.hidden")
    AUTO_FOCUS = "#path"

    path = getters.query_one("#path", PathInput)
    name_field = getters.query_one("#name", Input)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._holds: Contents | None = None
        self._own_name = bool(work.place)
        given = Path(work.project.dataset)
        self._folder = work.place.dataset(work.project) if work.place else given if given.is_absolute() else Path.cwd()

    @property
    def guide(self) -> str:
        """What the guide says of a dataset."""
        return _("Choose the folder with your drawings. The guide begins with 35; fewer give a first model.")

    @property
    def explained(self) -> str:
        """How to find a folder."""
        return _(
            "Type a path: Tab completes it, ~ is your home, and variables such as $HOME are understood. Or look around "
            "in the tree below: Enter opens a folder, and the one under the cursor is taken. Each shows how many "
            "drawings and captions it holds.\n\nThe project's name becomes the name of the LoRA file; letters with "
            "accents and ñ are fine. Nothing is copied or changed: the drawings stay where they are."
        )

    @property
    def obstacle(self) -> str:
        """Why this folder or this name cannot be."""
        if not self.path.value.strip():
            return _("Type the folder of your drawings.")
        if self._holds is None:
            return _("Looking at the folder …")
        if reason := unfit(self._holds, self.work.project.nested and self._is_own):
            return reason
        try:
            valid_name(self.name_field.value)
        except BocetoError as error:
            return error.title
        return ""

    @property
    def busy(self) -> bool:
        """While the folder is looked at."""
        return self._holds is None

    @property
    def _is_own(self) -> bool:
        """Whether it is the folder that this project has already."""
        known = self.work
        return known.place is not None and known.place.dataset(known.project) == self.path.folder

    def content(self) -> ComposeResult:
        """The two fields, what the folder holds, and the tree."""
        yield Text(_("Folder of your drawings"), classes="heading")
        yield PathInput(paths.shown(self._folder), id="path")
        yield Text(id="holds")
        yield Text(_("Name of the project"), classes="heading")
        yield Input(plain(self.work.project.name), id="name", max_length=100)
        yield Text(id="where")
        yield FolderTree(_root(self._folder), id="tree")

    def on_mount(self) -> None:
        """Look at the folder that is there."""
        self.look(self._folder)

    @on(Input.Changed, "#path")
    def typed(self, changed: Input.Changed) -> None:
        """Follow what is typed."""
        self._holds = None
        self.look(self.path.folder)

    @on(FolderTree.Marked)
    def marked(self, message: FolderTree.Marked) -> None:
        """Take the folder under the tree's cursor."""
        if self.query_one("#tree").has_focus:
            self.path.value = plain(paths.shown(message.folder))

    @on(Input.Changed, "#name")
    def named(self) -> None:
        """A name that was typed is kept when the folder changes."""
        self._own_name = self._own_name or self.name_field.has_focus
        self._say_where()
        self.say()

    @on(Input.Submitted, "#path")
    def to_name(self) -> None:
        """Enter goes on to the name."""
        self.name_field.focus()

    @on(Input.Submitted, "#name")
    def done(self) -> None:
        """Enter in the last field goes on."""
        self.action_next()

    @work(thread=True, exclusive=True, exit_on_error=False, group="look")
    def look(self, folder: Path) -> None:
        """Count what the folder holds: a disk may be a network away."""
        self.post_message(Looked(folder, held(folder)))

    @on(Looked)
    def show(self, message: Looked) -> None:
        """Say what is there; a project without a name of its own is called like the folder."""
        if message.folder != self.path.folder:
            return
        self._holds = message.holds
        self.query_one("#holds", Text).update(tally(message.holds))
        if not self._own_name:
            with self.prevent(Input.Changed):
                self.name_field.value = plain(message.folder.name)
        self._say_where()
        self.say()

    def action_toggle_hidden(self) -> None:
        """Show hidden folders in the tree, or not."""
        self.query_one("#tree", FolderTree).toggle_hidden()

    def kept(self, at: str, strict: bool = True) -> Work:
        """Whoever only looks and goes back has begun no project."""
        return self.work if at in ("welcome", self.AT) else super().kept(at, strict)

    def answered(self) -> Work:
        """The project of this folder: the one there is, or a new one."""
        if self.obstacle:
            raise BocetoError(self.obstacle)
        folder = self.path.folder
        known = self.work
        if self._is_own and known.project.name == self.name_field.value:
            return known
        name = self.name_field.value
        place, project = begin(folder, "" if name == folder.name else name)
        if place.file.is_file():
            return Work(project=project, place=place)
        if self._is_own:  # the same drawings under another name: what was answered for them still holds
            return replace(known, place=place, project=replace(known.project, name=project.name, dataset=str(folder)))
        return Work(project=replace(project, base=find.best()), place=place)

    def _say_where(self) -> None:
        words = ""
        if self.name_field.value:
            place = paths.projects() / self.name_field.value
            words = _("The LoRA and everything else goes to {folder}").format(folder=paths.shown(place))
        self.query_one("#where", Text).update(words)


def _root(folder: Path) -> Path:
    home = Path.home()
    return home if folder.is_relative_to(home) else Path(os.sep)


SCREEN = Folder
