"""Base: which checkpoint is trained on."""

import asyncio
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace
from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from core import paths
from core.bases import fetch, find
from core.bases.catalog import place_of, prompting
from core.bases.offer import Offer, offers
from core.errors import BocetoError
from core.language import _
from core.runs.run import Run
from tui.dialogs.captioning import Captioning
from tui.keys import bind
from tui.screens.step import StepScreen
from tui.widgets.folders import PathInput
from tui.widgets.text import Text
from tui.words import plain, size
from tui.work import Work


class Looked(Message):
    """Every base that was found."""

    def __init__(self, offers: list[Offer]) -> None:
        super().__init__()
        self.offers = offers


class BaseScreen(StepScreen):
    """A list, and what is to be known of the base under the cursor."""

    AT = "base"
    CSS_PATH = "base.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind("base.fetch", "base.path")
    AUTO_FOCUS = "#bases"

    bases = getters.query_one("#bases", OptionList)
    path = getters.query_one("#path", PathInput)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._offers: list[Offer] = []
        self._at = ""
        """The base under the cursor, which stays on it when the list changes."""
        self._downloads: dict[str, Run] = {}

    @property
    def guide(self) -> str:
        """The guide's advice."""
        return _("The LoRA works best on the base it was trained on, and less well on another family's.")

    @property
    def explained(self) -> str:
        """Where bases are looked for."""
        return _(
            "✓ is on this disk and can be trained on; + can be fetched with f; ✗ is something else, and says what. "
            "Boceto looks in the cache of Hugging Face and where ComfyUI, A1111, Forge and InvokeAI keep their models; "
            "o takes any other .safetensors file or folder.\n\nThe small base in the box is for trying everything "
            "out: it draws little emoji-like pictures and learns in a minute or two, also without a GPU. For real "
            "work take an SDXL base."
        )

    @property
    def obstacle(self) -> str:
        """A base that is not there."""
        chosen = self._chosen
        if not self._offers:
            return _("Looking for bases …")
        if chosen is None:
            return _("Choose a base with Enter.")
        return "" if chosen.base else chosen.trouble or _not_here()

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
        yield Text(_("Another base, a .safetensors file or a folder:"), classes="hint")
        yield PathInput("", id="path", placeholder="/models/sd_xl_base_1.0.safetensors")

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
            self.say(offer.trouble or _not_here())
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
        self._at = offer.id
        self.query_one("#details", Text).update(_told(offer))

    @work(exit_on_error=False, group="fetch")
    async def action_fetch(self) -> None:
        """Fetch the base under the cursor; what is being fetched already is shown again."""
        offer = self._marked
        if offer is None or offer.entry is None or not offer.can_be_fetched:
            self.say(_("Only a base with + can be fetched."))
            return
        run = self._downloads.get(offer.id)
        if run is None or not run.is_alive():
            run = self._downloads[offer.id] = await asyncio.to_thread(fetch.begun, offer.entry)
        ended = await self.app.push_screen_wait(Captioning(run, _("{name} is fetched").format(name=offer.name)))
        if ended is None and run.is_alive():
            self.say(_("The download goes on; f shows it again."))
            return
        if ended == "finished":
            self.work = self.work.with_project(replace(self.work.project, base=offer.id))
        self._offers = []
        self.say()
        self.look()

    @property
    def _marked(self) -> Offer | None:
        at = self.bases.highlighted
        return self._offers[at] if at is not None and at < len(self._offers) else None

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
        self._at, self.path.value, self._offers = base.id, "", []
        self.look()
        self.bases.focus()

    def answered(self) -> Work:
        """The chosen base."""
        if self.obstacle:
            raise BocetoError(self.obstacle)
        return self.work

    def _fill(self) -> None:
        ids = [offer.id for offer in self._offers]
        # One that cannot be trained on is no place to begin: Enter would do nothing.
        usable = self._chosen.id if self._chosen and self._chosen.base else ""
        present = next((ids.index(one) for one in (self._at, usable) if one in ids), 0)
        self.bases.clear_options()
        self.bases.add_options(Option(self._line(offer)) for offer in self._offers)
        self.bases.highlighted = present

    def _line(self, offer: Offer) -> Content:
        chosen = ("● ", "$text-primary") if offer.id == self.work.project.base else "  "
        there = ("✗ ", "$foreground-muted")
        if offer.base or offer.can_be_fetched:
            there = ("✓ ", "$text-success") if offer.base else ("+ ", "$foreground-muted")
        return Content.assemble(chosen, there, plain(offer.name))


def _told(offer: Offer) -> Content:
    """All that is to be known of a base; on a small screen what matters most still has room."""
    head = [Content.styled(plain(offer.name), "bold")]
    if facts := _facts(offer):
        head.append(Content.styled(plain(facts), "$foreground-muted"))
    parts = [Content("\n").join(head)]
    if offer.trouble:
        parts.append(Content.assemble(("✗ ", "$text-error"), plain(offer.trouble)))
    if offer.can_be_fetched:
        parts.append(Content.styled(_not_here(), "$text-warning"))
    about = [offer.entry.good_for(), prompting(offer.entry), offer.entry.suits] if offer.entry else []
    if offer.base:
        about.append(_("Made for {native} × {native} pixels.").format(native=offer.base.native))
    parts.append(Content("\n").join(Content(plain(words)) for words in about if words))
    if offer.base or offer.path:
        place = place_of(offer.base) if offer.base else paths.shown(offer.path or Path())
        parts.append(Content.styled(plain(place), "$foreground-muted"))
    return Content("\n\n").join(part for part in parts if part.plain)


def _not_here() -> str:
    return _("This base is not on this disk yet: f fetches it.")


def _facts(offer: Offer) -> str:
    """Size, licence, and what else tells one base from another."""
    facts = [size(offer.bytes)] if offer.bytes else []
    if offer.entry:
        facts.append(offer.entry.licence)
    if offer.predicts_velocity:
        facts.append(_("predicts velocity"))
    return " · ".join(facts)


SCREEN = BaseScreen
