"""The list of captions: what is shown, where one is, and what is marked and read."""

import re
from collections.abc import Iterable

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input

from core.captions import review
from core.captions.caption import tags_of
from core.captions.desk import Changed
from core.captions.query import parse
from core.captions.terms import QueryError
from core.language import _, ngettext
from core.plan.survey import tokenizer_of
from tui.captions.ledger import Ledger
from tui.captions.lines import line, whole
from tui.screens.desk import DeskScreen
from tui.widgets.caption_field import CaptionField
from tui.widgets.completing import Completing, Completions, offered
from tui.widgets.picture import Picture, Shown
from tui.widgets.prompt import Prompt
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.widgets.word_line import WordLine
from tui.work import Work


class CaptionList(DeskScreen):
    """Captions in rows, with a filter above and the whole of one beside."""

    AUTO_FOCUS = "#rows"
    CSS_PATH = "../screens/captions.tcss"

    rows = getters.query_one("#rows", Rows)
    picture = getters.query_one("#picture", Picture)
    field = getters.query_one(CaptionField)
    finder = getters.query_one("#find", Prompt)
    prompt = getters.query_one("#ask", Prompt)
    completions = getters.query_one(Completions)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._reviewed = review.load(work.place.reviewed) if work.place else {}
        self._ledger: Ledger | None = None
        self._queue: list[int] = []
        """The captions that needed a person when the queue was asked for; empty when it is not shown."""
        self._query = parse("")
        """The last filter that could be read."""
        self._words = ""
        self.tag = 0
        """Which tag of the caption under the cursor is meant."""

    @property
    def ledger(self) -> Ledger:
        """Only to be asked when there is a survey."""
        assert self._ledger
        return self._ledger

    def content(self) -> ComposeResult:
        """The word; the list with its fields; the picture with the whole caption."""
        project = self.work.project
        yield WordLine(project.kind, project.activation_word)
        yield Prompt(_("tag:cat  -tag:dog  tokens:>75  reviewed:no …"), id="find")
        yield Prompt(id="ask")
        with Horizontal(id="halves"):
            with Container(id="list"):
                yield Rows(self._line, id="rows")
                yield CaptionField()
                yield Completions()
            with Vertical(id="side"):
                yield Picture(self.app.terminal, id="picture")
                yield Text(id="details")

    def ready(self) -> None:
        """Show the captions of what is trained."""
        self._ledger = Ledger(self.work, self._reviewed)
        self.fill()

    def show_changed(self, changed: Changed) -> None:
        """Captions are others, or which drawings are used, or the word."""
        if self._ledger is None:
            return
        few = changed.files and not changed.treatments and changed.word is None
        self.ledger.know(self.work, [self._index[name] for name in changed.files] if few else None)
        if few:
            self.rows.refresh()
        else:
            self.fill()
        self.say()
        self.show_details()

    def show_done(self, changed: Changed) -> None:
        """To the caption that is other again."""
        if len(changed.files) == 1:
            self.rows.move_to(self._index[next(iter(changed.files))])

    def show_row(self, index: int) -> None:
        """Put the cursor on a caption, whatever filter hides it."""
        if index not in self.rows.items:
            self._show_all()
        self.rows.move_to(index)

    # What is shown.

    def fill(self) -> None:
        """The rows that pass the filter, or of the queue."""
        if self._ledger is None:
            return
        if self._queue:
            used = set(self.ledger.items)
            self.rows.show([index for index in self._queue if index in used])
        else:
            self.rows.show(self.ledger.matching(self._query))
        self.say()

    def action_filter(self) -> None:
        """Say what is to be shown."""
        self._queue = []
        self.finder.ask(_("show"), self.finder.field.value)
        self.finder.field.completer = None

    @on(Prompt.Typed, "#find")
    def find(self) -> None:
        """Show what matches; what is wrong with the filter is said."""
        try:
            self._query = parse(self.finder.field.value)
        except QueryError as error:
            super().say(f"{error.title} {error.detail}".strip())
            return
        self.fill()

    @on(Prompt.Answered, "#find")
    def found(self) -> None:
        """On to what was found; a filter that cannot be read is still to be mended."""
        try:
            parse(self.finder.field.value)
        except QueryError:
            self.app.bell()
            return
        if not self.finder.field.value.strip():
            self.finder.close()
        self.rows.focus()

    def show_only(self, query: str) -> None:
        """Show what a filter lets through."""
        self._queue = []
        self.finder.ask(_("show"), query)
        self.find()
        self.rows.focus()

    def action_show_tag(self, negated: bool) -> None:
        """Only captions with the tag under the cursor, or without it."""
        if tag := self.present_tag():
            self.show_only(f"{'-' if negated else ''}tag:{quoted(tag)}")

    def action_queue(self) -> None:
        """Only what needs a person."""
        if self._ledger is None:
            return
        shown = self.ledger.queue()
        if not shown:
            self.say(_("Nothing unread needs a person: no problems, nothing too long, nothing a tagger was unsure of."))
            return
        self._show_all()
        self._queue = shown
        self.fill()
        self.rows.action_first()
        self.say()

    def action_back(self) -> None:
        """One layer at a time: the question, the queue, the filter, the marks, then the screen."""
        if self.prompt.display:
            self.prompt.close()
        elif self._queue or self.finder.display:
            self._show_all()
        elif self._ledger and self.ledger.marked:
            self.mark(list(self.ledger.marked), False)
        else:
            super().action_back()
            return
        self.rows.focus()

    def _show_all(self) -> None:
        """Neither queue nor filter."""
        self._queue, self._query = [], parse("")
        with self.prevent(Input.Changed):
            self.finder.field.value = ""
        self.finder.close()
        self.fill()

    def mark(self, indices: Iterable[int], marked: bool) -> None:
        """Mark captions, or take the mark away."""
        self.ledger.mark(list(indices), marked)
        self.rows.refresh()
        self.say()

    @on(Rows.Moved, "#rows")
    def moved(self) -> None:
        """The picture and the whole caption follow the cursor."""
        self.tag = 0
        self.show_details()

    # Words.

    def present_tags(self) -> list[str]:
        """The tags of the caption under the cursor."""
        index = self.rows.item
        return [] if index is None or self._ledger is None else tags_of(self.ledger.file(index).training_text)

    def present_tag(self) -> str:
        """The tag that is meant; empty where there is none."""
        tags = self.present_tags()
        return tags[min(self.tag, len(tags) - 1)] if tags else ""

    def say(self, words: str = "") -> None:
        """Unless something else is to be said, how far the reading is."""
        self._words = words
        super().say(words or (self.resting() if self._ledger and not self.obstacle else ""))

    def resting(self) -> str:
        """What stands in the line at the bottom while nothing else is to be said."""
        words = _("{read} of {count} read, {troubled} with a problem").format(
            read=len(self.ledger.read), count=len(self.ledger.items), troubled=self.ledger.troubled
        )
        if self._queue:
            left = sum(index not in self.ledger.read for index in self.rows.items)
            words = _("{left} of {count} left that need a person").format(left=left, count=len(self._queue))
        elif self.finder.display:
            words = _("{shown} shown").format(shown=len(self.rows.items)) + " · " + words
        if marked := len(self.ledger.marked):
            words = ngettext("{n} marked", "{n} marked", marked).format(n=marked) + " · " + words
        return words

    def say_again(self) -> None:
        """The same, as it is now: what becomes known meanwhile must not take a message away."""
        self.say(self._words)

    @on(Completing.Offered)
    def show_offers(self, message: Completing.Offered) -> None:
        """Show what a tag could become, below or above where it is typed."""
        field = message.field
        if field is self.field:
            row, height = self.rows.y_of_cursor(), self.rows.size.height
            below = row + 1 + len(field.offers) <= height
            y = row + 1 if below else max(0, row - len(field.offers))
            x = int(field.styles.offset.x.value) + min(field.part[0], max(0, field.size.width - 30))
        else:
            x, y = min(field.part[0], 30), 0
        self.completions.show(field, x, y)
        if words := offered(field):
            super().say(words)

    def show_details(self, typed: str | None = None) -> None:
        """The picture and the whole caption under the cursor, or as it is typed."""
        index, place, details = self.rows.item, self.work.place, self.query_one("#details", Text)
        if index is None or place is None or self._ledger is None:
            self.picture.show(None)
            details.update("")
            return
        drawing, file = self.ledger.survey.drawings[index], self.ledger.file(index)
        problems = self.ledger.survey.texts[index] if typed is None else ()
        caption = file.training_text if typed is None else typed
        tag = self.tag if typed is None and self.rows.has_focus else None
        doubt = None if typed is not None else self.ledger.doubt(index)
        words = whole(drawing.name, caption, self.work.project, tokenizer_of(self.base), problems, tag, doubt)
        # Its place is as large as it is: to lay the screen out anew would take longer than to draw it.
        details.update(words, layout=False)
        if typed is None:
            treatment = self.work.project.treatments.get(drawing.name)
            self.picture.show(
                Shown(place.dataset(self.work.project) / drawing.name, treatment.background if treatment else "#ffffff")
            )

    def _line(self, index: int, width: int) -> Content:
        """One caption: marked, read or not, name, tokens, text."""
        ledger = self.ledger
        return line(
            ledger.name(index),
            ledger.file(index),
            ledger.survey.texts[index],
            tokens=ledger.tokens(index),
            read=index in ledger.read,
            marked=index in ledger.marked,
            width=width,
        )


def quoted(tag: str) -> str:
    """A tag as a filter means it and nothing else."""
    return '"' + re.sub(r'([\\"*?])', r"\\\1", tag) + '"'
