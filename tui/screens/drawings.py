"""Drawings: the resolution check, drawing by drawing, and what is to be done with each."""

from collections import Counter
from typing import ClassVar

from msgspec.structs import replace
from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content

from core.captions.desk import Changed
from core.errors import Problem, Severity
from core.images.drawing import Drawing
from core.images.treatment import Treatment
from core.language import _, ngettext
from core.plan.survey import Problems, placed
from tui import gallery
from tui.dialogs.compare import Compare
from tui.dialogs.look import Look
from tui.dialogs.pick import Pick
from tui.dialogs.treatment import Treat
from tui.gallery import Gallery
from tui.keys import bind
from tui.problems import lines_of
from tui.screens.desk import DeskScreen
from tui.screens.surveyed import Found
from tui.widgets.picture import Picture, Shown
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.words import plain, size
from tui.work import Work

_TWINS = ("duplicate", "near-duplicate", "similar", "mirrored")


class Drawings(DeskScreen):
    """A list, the picture of the drawing under the cursor, and everything that is to be said of it."""

    AT = "drawings"
    CSS_PATH = "drawings.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind(
        "drawings.look", "drawings.exclude", "drawings.filter", "drawings.treat", "drawings.sort", "drawings.problem",
        "drawings.twin", "drawings.nested", "drawings.rescan", "undo", "redo", "pictures",
    )  # fmt: skip
    AUTO_FOCUS = "#rows"

    rows = getters.query_one("#rows", Rows)
    picture = getters.query_one("#picture", Picture)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._found: list[Drawing | Problem] = []
        self._gallery = Gallery()
        self._filter = gallery.ALL
        self._sort = 0
        self._shapes: tuple[Problems, ...] = ()

    @property
    def guide(self) -> str:
        """The guide's sizes."""
        return _(
            "Sizes may differ, not too much. The ideal for SDXL: 1024×1024, 780×1024 or 1024×780. "
            "Every drawing is resized and cropped to its bucket."
        )

    @property
    def explained(self) -> str:
        """Columns and keys."""
        return _(
            "Each line is a drawing: its size, the bucket it goes to, how much the crop cuts off, how much it is "
            "enlarged, and the gravest problem. ✗ is left out unless you take it in with x; ! makes the result worse; "
            "· is good to know.\n\nThe picture shows what the training keeps inside the frame. t chooses whether a "
            "drawing is cropped or kept whole with a margin, and which colour lies under see-through parts, for one or "
            "for all. c puts duplicates side by side. z takes anything back. The files themselves are never touched."
        )

    @property
    def obstacle(self) -> str:
        """Nothing to train on."""
        if self.survey is None:
            return self.looking
        if not self._gallery.usable:
            return _("No drawing is left to train on. x takes the one under the cursor in again.")
        return ""

    def content(self) -> ComposeResult:
        """The list, and beside or below it the picture with its words."""
        yield Text(id="summary")
        with Horizontal(id="halves"):
            with Vertical(id="list"):
                yield Text(id="heads")
                yield Rows(self._line, id="rows")
            with Vertical(id="side"):
                yield Picture(self.app.terminal, id="picture")
                yield Text(id="details")

    def on_mount(self) -> None:
        """Begin to look."""
        self._summarise()

    @on(Found)
    def grow(self, message: Found) -> None:
        """Show what was found so far, before anything can be said about all of it."""
        if message.cancelled.is_set():
            return
        self._found += message.batch
        self._gallery = Gallery(tuple(item for item in self._found if isinstance(item, Drawing)))
        self.rows.show(range(len(self._gallery.drawings)))
        self._summarise()

    def ready(self) -> None:
        """Show everything that is known."""
        survey = self.survey
        assert survey
        self._gallery = Gallery.of(survey, self.work.project)
        self._shapes = survey.shapes
        self._arrange()
        self._show_details()

    @on(Rows.Moved, "#rows")
    def moved(self) -> None:
        """The picture and the words follow the cursor."""
        self._show_details()

    # What the keys do.

    def action_exclude(self) -> None:
        """Leave the drawing out, or take it in again."""
        index = self.rows.item
        drawing = self._gallery.drawing(index)
        if index is None or self.survey is None:
            return
        if drawing is None:
            self.say(self._gallery.problems_of(index)[0].message)
            return
        out = index in self._gallery.usable
        before = self._treatment(drawing.name)
        blocked = any(problem.severity is Severity.BLOCK for problem in self._gallery.problems_of(index))
        after = replace(before, excluded=True if out else False if blocked else None)
        words = _("leave out {name}") if out else _("take in {name}")
        self.treat(words.format(name=drawing.name), {drawing.name: after})
        if self.rows.item == index:
            self.rows.action_cursor_down()

    @work
    async def action_filter(self) -> None:
        """Show only some."""
        if self.survey is None:
            return
        chosen = await self.app.push_screen_wait(Pick(_("Show"), self._gallery.filters(), self._filter))
        if chosen is not None:
            self._filter = chosen
            self._arrange()

    @work
    async def action_treat(self) -> None:
        """Choose how the drawing, or every one that is shown, is treated."""
        drawing = self._gallery.drawing(self.rows.item)
        if drawing is None or self.survey is None:
            return
        shown = [one for one in map(self._gallery.drawing, self.rows.items) if one]
        answer = await self.app.push_screen_wait(Treat(drawing.name, self._treatment(drawing.name), len(shown)))
        if answer is None:
            return
        names = [one.name for one in shown] if answer.all_shown else [drawing.name]
        changed = {name: replace(self._treatment(name), **answer.chosen) for name in names}
        self.treat(
            ngettext("treatment of {n} drawing", "treatment of {n} drawings", len(names)).format(n=len(names)), changed
        )

    def action_look(self) -> None:
        """The drawing as large as the screen, with everything that is said of it."""
        item = self.rows.item
        if item is not None:
            drawing = self._gallery.drawing(item)
            self.app.push_screen(Look(self.app.terminal, self._shown(drawing) if drawing else None, self._words(item)))

    def action_sort(self) -> None:
        """The next order."""
        orders = self._gallery.orders()
        self._sort = (self._sort + 1) % len(orders)
        self._arrange()
        self.say(_("Sorted by {order}.").format(order=orders[self._sort][0]))

    def action_next_problem(self) -> None:
        """To the next drawing that has one worth a look."""
        if not self.rows.move_on(self._gallery.is_doubtful):
            self.say(_("No drawing has a problem."))

    @work
    async def action_compare(self) -> None:
        """Two drawings that look alike, side by side."""
        index = self.rows.item
        drawing = self._gallery.drawing(index)
        if index is None or drawing is None or self.work.place is None:
            return
        other = next((one.other for one in self._gallery.problems_of(index) if one.code in _TWINS), "")
        found = next((one for one in self._gallery.drawings if one.name == other), None)
        if found is None:
            self.say(_("This drawing has no duplicate here."))
            return
        folder = self.work.place.dataset(self.work.project)
        choice = await self.app.push_screen_wait(Compare(self.app.terminal, folder, found, drawing))
        if choice:
            self.treat(
                _("leave out {name}").format(name=choice),
                {choice: replace(self._treatment(choice), excluded=True)},
            )

    def action_nested(self) -> None:
        """Count drawings in folders below too, or no longer."""
        nested = not self.work.project.nested
        self.work = self.work.with_project(replace(self.work.project, nested=nested))
        self.action_rescan()
        self.notify(_("Folders below count too.") if nested else _("Only this folder counts."))

    def action_rescan(self) -> None:
        """Look at the folder again."""
        self.work = replace(self.work, seen=None)
        self._found, self._gallery = [], Gallery()
        self.rows.show(())
        self.look(anew=True)

    def action_back(self) -> None:
        """One layer at a time: the filter, then the screen."""
        if self._filter == gallery.ALL:
            super().action_back()
        else:
            self._filter = gallery.ALL
            self._arrange()

    # How it becomes so.

    def show_changed(self, changed: Changed) -> None:
        """The same drawings, treated otherwise."""
        assert self.survey
        if self.survey.shapes != self._shapes or self._filter == gallery.OUT:
            self.ready()
        else:  # the same drawings with the same problems in the same order
            self._gallery = self._gallery.used_by(self.work.project)
            self.rows.refresh()
            self._summarise()
            self._show_details()
        self.say()

    def _treatment(self, name: str) -> Treatment:
        return self.work.project.treatments.get(name, Treatment())

    def _arrange(self) -> None:
        """The rows that pass the filter, in their order."""
        self.rows.show(self._gallery.shown(self._filter, self._sort))
        self._summarise()

    def on_resize(self) -> None:
        """The heads stand over their columns."""
        self.call_after_refresh(self._show_heads)

    def _show_heads(self) -> None:
        width = self.rows.scrollable_content_region.width
        self.query_one("#heads", Text).update(self._gallery.heads(width))

    def _line(self, index: int, width: int) -> Content:
        return self._gallery.line(index, width)

    def _summarise(self) -> None:
        survey, gallery_ = self.survey, self._gallery
        count = ngettext("{n} drawing", "{n} drawings", len(gallery_.drawings)).format(n=len(gallery_.drawings))
        if survey is None or self.work.seen is None:
            self.query_one("#summary", Text).update(count, layout=False)
            return
        shown = "" if self._filter == gallery.ALL else _("shown: {n}").format(n=len(self.rows.items)) + "  "
        used = _("{drawings}, {used} used").format(drawings=count, used=len(gallery_.usable))
        broken = len(gallery_.broken)
        files = ngettext("{n} unreadable file", "{n} unreadable files", broken).format(n=broken)
        unread = f", {files}" if broken else ""
        native = self.work.seen.settings.native
        made_for = _("for {base}, {native} px").format(base=plain(self.base.name), native=native)
        parts: list[tuple[str, str]] = [
            (shown, "$text-accent"), (used, "bold"), (unread, "$text-error"), (f"  {made_for}  ", "$foreground-muted"),
        ]  # fmt: skip
        buckets = Counter(survey.placements[index].bucket for index in gallery_.usable)
        most = max(buckets.values(), default=1)
        for bucket, number in buckets.most_common(12):
            bar = "▁▂▃▄▅▆▇█"[round((number / most) * 7)]
            parts += [(bar, "$text-primary"), (f" {bucket.width}×{bucket.height}: {number}  ", "$foreground-muted")]
        self.query_one("#summary", Text).update(Content.assemble(*parts), layout=False)

    def _show_details(self) -> None:
        item, place = self.rows.item, self.work.place
        details, drawing = self.query_one("#details", Text), self._gallery.drawing(item)
        if item is None or place is None:
            self.picture.show(None)
            details.update(Content("\n").join(lines_of(self.survey.folder) if self.survey else []))
            return
        # Its place is as large as it is: to lay the screen out anew would take longer than to draw it.
        details.update(self._words(item), layout=False)
        folder = place.dataset(self.work.project)
        self.picture.show(self._shown(drawing) if drawing else None)
        around = map(self._gallery.drawing, self.rows.items[max(0, self.rows.cursor - 2) : self.rows.cursor + 3])
        self.picture.prefetch([folder / one.name for one in around if one])

    def _words(self, item: int) -> Content:
        """Everything that is to be said of one file."""
        drawing, problems = self._gallery.drawing(item), self._gallery.problems_of(item)
        lines = [Content.styled(plain(self._gallery.name(item)), "bold")]
        if drawing:
            facts = f"{drawing.format}, {size(drawing.bytes)}, {drawing.width}×{drawing.height}"
            lines.append(Content.styled(facts, "$foreground-muted"))
        if drawing and self.survey:
            treatment, bucket = self._treatment(drawing.name), self.survey.placements[item].bucket
            cut = self.survey.placements[item].cropped >= 0.005
            fit = _("kept whole in") if treatment.fit == "pad" else _("cropped to") if cut else _("resized to")
            paper = " · " + _("paper {colour}").format(colour=treatment.background) if drawing.transparent else ""
            lines.append(Content.styled(f"{fit} {bucket.width}×{bucket.height}{paper}", "$foreground-muted"))
        if self.survey and not problems:
            lines.append(Content.styled("✓ " + _("Nothing is wrong with it."), "$text-success"))
        return Content("\n").join([*lines, *lines_of(problems)])

    def _shown(self, drawing: Drawing) -> Shown:
        """The picture of a drawing, with what the crop keeps of it."""
        assert self.work.place
        kept = None
        if self.survey:
            placement = placed(drawing, self.work.project, self.base)
            across, down = placement.resized_width, placement.resized_height
            kept = (
                placement.left / across,
                placement.top / down,
                min(1.0, (placement.left + placement.bucket.width) / across),
                min(1.0, (placement.top + placement.bucket.height) / down),
            )
        path = self.work.place.dataset(self.work.project) / drawing.name
        return Shown(path, self._treatment(drawing.name).background, kept)


SCREEN = Drawings
