"""Base: which checkpoint is trained on."""

from pathlib import Path
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace
from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from core.bases import find
from core.bases.base import Base
from core.bases.catalog import CATALOG, Entry, entry, place_of
from core.errors import BocetoError
from core.language import _
from tui.keys import bind
from tui.screens.step import StepScreen
from tui.widgets.folders import PathInput
from tui.widgets.text import Text
from tui.words import plain, size
from tui.work import Work


class Offer(Struct, frozen=True):
    """One base as it is offered: there, to be downloaded, or no base at all with the reason."""

    id: str
    name: str
    base: Base | None = None
    good_for: str = ""
    facts: str = ""
    """Size and licence."""
    trouble: str = ""


class Looked(Message):
    """Every base that was found."""

    def __init__(self, offers: list[Offer]) -> None:
        super().__init__()
        self.offers = offers


class BaseScreen(StepScreen):
    """A list, and what is to be known of the base under the cursor."""

    AT = "base"
    CSS_PATH = "base.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind("base.path")
    AUTO_FOCUS = "#bases"

    bases = getters.query_one("#bases", OptionList)
    path = getters.query_one("#path", PathInput)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._offers: list[Offer] = []

    @property
    def guide(self) -> str:
        """The guide's advice."""
        return _("The LoRA works best on the base it was trained on, and less well on another family's.")

    @property
    def explained(self) -> str:
        """Where bases are looked for."""
        return _(
            "✓ is on this disk and can be trained on. Boceto looks in its own package and in the cache of Hugging "
            "Face; o takes any other folder in the layout of diffusers (one with model_index.json).\n\nThe small "
            "base in the box is for trying everything out: it draws little emoji-like pictures and learns in a "
            "minute or two, also without a GPU. For real work take an SDXL base."
        )

    @property
    def obstacle(self) -> str:
        """A base that is not there."""
        chosen = self._chosen
        if not self._offers:
            return _("Looking for bases …")
        if chosen is None:
            return _("Choose a base with Enter.")
        return "" if chosen.base else chosen.trouble or _("This base is not on this disk yet.")

    @property
    def busy(self) -> bool:
        """While bases are looked for."""
        return not self._offers

    @property
    def _chosen(self) -> Offer | None:
        return next((offer for offer in self._offers if offer.id == self.work.project.base), None)

    def content(self) -> ComposeResult:
        """The list and the words; the field for another folder."""
        with Horizontal(id="halves"):
            yield OptionList(id="bases", markup=False)
            with VerticalScroll(id="about", can_focus=False):
                yield Text(id="details")
        yield Text(_("Another folder with a base (layout of diffusers):"), classes="hint")
        yield PathInput("", id="path", placeholder="/models/sdxl-base-1.0")

    def on_mount(self) -> None:
        """Look for bases."""
        self.look()

    @work(thread=True, exclusive=True, exit_on_error=False, group="bases")
    def look(self) -> None:
        """Read the configs of every model on this disk."""
        chosen = Path(self.work.project.base).expanduser()
        extra = [chosen] if chosen.is_absolute() else []
        self.post_message(Looked(offers(extra)))

    @on(Looked)
    def show(self, message: Looked) -> None:
        """The list, the chosen one marked."""
        self._offers = message.offers
        self._fill()
        self.say()

    @on(OptionList.OptionSelected, "#bases")
    def choose(self, chosen: OptionList.OptionSelected) -> None:
        """Take the one under the cursor."""
        offer = self._offers[chosen.option_index]
        if offer.base is None:
            self.say(offer.trouble or _("This base is not on this disk yet."))
            return
        self.work = self.work.with_project(replace(self.work.project, base=offer.id))
        self._fill()
        self.say()

    @on(OptionList.OptionHighlighted, "#bases")
    def describe(self, marked: OptionList.OptionHighlighted) -> None:
        """Say what the one under the cursor is good for."""
        if marked.option_index >= len(self._offers):
            return  # of the list before this one
        offer = self._offers[marked.option_index]
        parts = [Content.styled(plain(offer.name), "bold"), Content(plain(offer.good_for)), Content(plain(offer.facts))]
        if offer.base:
            native = _("Made for {native} × {native} pixels.").format(native=offer.base.native)
            parts += [Content(native), Content.styled(plain(place_of(offer.base)), "$foreground-muted")]
        if offer.trouble:
            parts.append(Content.assemble(("✗ ", "$text-error"), plain(offer.trouble)))
        self.query_one("#details", Text).update(Content("\n\n").join(part for part in parts if part.plain))

    def action_path(self) -> None:
        """To the field for another folder."""
        self.path.focus()

    @on(Input.Submitted, "#path")
    def add(self) -> None:
        """Take the folder that was typed, if a base is in it."""
        if not self.path.value.strip():
            return
        try:
            base = find.resolve(str(self.path.folder))
        except BocetoError as error:
            self.app.show_error(error)
            return
        self.work = self.work.with_project(replace(self.work.project, base=base.id))
        self.path.value, self._offers = "", []
        self.look()
        self.bases.focus()

    def answered(self) -> Work:
        """The chosen base."""
        if self.obstacle:
            raise BocetoError(self.obstacle)
        return self.work

    def _fill(self) -> None:
        present = self.bases.highlighted
        ids = [offer.id for offer in self._offers]
        if present is None:
            present = ids.index(self.work.project.base) if self.work.project.base in ids else 0
        self.bases.clear_options()
        self.bases.add_options(Option(self._line(offer)) for offer in self._offers)
        self.bases.highlighted = present

    def _line(self, offer: Offer) -> Content:
        chosen = ("● ", "$text-primary") if offer.id == self.work.project.base else "  "
        there = ("✓ ", "$text-success") if offer.base else ("✗ ", "$foreground-muted")
        return Content.assemble(chosen, there, plain(offer.name))


def offers(extra: list[Path]) -> list[Offer]:
    """Those on this disk first, then the rest of the catalog, then what is no base."""
    there: list[Offer] = []
    broken: list[Offer] = []
    for found in find.look(extra):
        if isinstance(found, Base):
            known = entry(found.id)
            there.append(Offer(found.id, found.name, found, known.good_for() if known else "", _facts(known)))
        else:
            broken.append(
                Offer(found.title, found.title, trouble=f"{found.detail} {found.hint}".strip() or found.title)
            )
    # One for real work before the one to try things out with.
    there.sort(key=lambda offer: offer.id == "mini")
    ids = {offer.id for offer in there}
    rest = [
        Offer(known.id, known.name, None, known.good_for(), _facts(known)) for known in CATALOG if known.id not in ids
    ]
    return there + rest + broken


def _facts(known: Entry | None) -> str:
    return f"{size(known.bytes)} · {known.licence}" if known else ""


SCREEN = BaseScreen
