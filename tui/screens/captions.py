"""Captions: the activation word, and every caption read and edited in its row."""

import threading
from typing import ClassVar

from msgspec.structs import replace
from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input

from core.captions import review, store
from core.captions.activation import check_word
from core.errors import BocetoError, Problem, Severity
from core.history import History
from core.language import _
from core.plan.survey import caption_of, tokenizer_of
from tui.caption_lines import BEFORE_TEXT, line, whole
from tui.keys import bind
from tui.screens.surveyed import SurveyedScreen
from tui.widgets.caption_field import CaptionField
from tui.widgets.picture import Picture, Shown
from tui.widgets.rows import Rows
from tui.widgets.text import Text
from tui.widgets.word_line import WordLine
from tui.words import plain
from tui.work import Work


class Captions(SurveyedScreen):
    """A list of captions; Enter edits the one under the cursor where it stands."""

    AT = "captions"
    CSS_PATH = "captions.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind(
        "captions.edit", "captions.accept", "captions.unreviewed", "captions.problem", "captions.previous_problem",
        "captions.word", "captions.filter", "captions.reload", "undo", "redo", "pictures",
    )  # fmt: skip
    AUTO_FOCUS = "#rows"

    rows = getters.query_one("#rows", Rows)
    picture = getters.query_one("#picture", Picture)
    field = getters.query_one(CaptionField)
    word = getters.query_one(WordLine)
    finder = getters.query_one("#find", Input)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._history: History[tuple[int, str]] = History()
        self._reviewed = review.load(work.place.reviewed) if work.place else {}
        self._items: list[int] = []
        self._read: set[int] = set()
        self._troubled = 0
        self._saving = threading.Lock()
        self._checked: tuple[str, object, list[Problem]] | None = None
        self._tokens: dict[int, int] = {}

    @property
    def guide(self) -> str:
        """The guide's advice for captions."""
        if self.work.project.kind == "character":
            return _("For a character: write what changes (pose, clothes, place), leave out what always belongs to it.")
        return _(
            "For a style: write what each picture shows, not how it is drawn. What is left out goes into the word."
        )

    @property
    def explained(self) -> str:
        """How to edit."""
        return _(
            "The activation word calls the LoRA: it is put in front of every caption when it is trained, so it need "
            "not stand in the files. Invent one: 5 to 10 small letters.\n\nEnter edits the caption in its row; Enter "
            "again keeps it and goes to the next, Escape takes it back. Every caption is written to its .txt file as "
            "soon as it is kept; what the file held before is kept too. Space says that a caption is right and goes "
            "on. u goes to the next one that nobody has read, n to the next with a problem, / finds, z "
            "undoes.\n\nThe number is the caption's tokens with the word. The text encoders read 75 at a time: what "
            "comes after the line │ is read as a piece of its own, and other trainers cut it off."
        )

    @property
    def obstacle(self) -> str:
        """A word that cannot be."""
        if self.survey is None:
            return self.looking
        found = self._word_problems()
        return next((one.message for one in found if one.severity is Severity.ERROR and one.code != "word-empty"), "")

    def content(self) -> ComposeResult:
        """The word; the list with its field; the picture with the whole caption."""
        project = self.work.project
        yield WordLine(project.kind, project.activation_word)
        yield Input(id="find", placeholder=_("find in names and captions; Esc shows all"))
        with Horizontal(id="halves"):
            with Container(id="list"):
                yield Rows(self._line, id="rows")
                yield CaptionField()
            with Vertical(id="side"):
                yield Picture(self.app.terminal, id="picture")
                yield Text(id="details")

    def on_mount(self) -> None:
        """The finder waits for its key."""
        self.finder.display = False

    def ready(self) -> None:
        """Show the captions of what is trained."""
        assert self.survey
        self._items = self.survey.usable(self.work.project)
        self._read = {
            index
            for index in self._items
            if review.is_reviewed(self._reviewed, self.survey.drawings[index].name, self.survey.captions[index].text)
        }
        self._forget()
        self._arrange()
        self._say_word()
        if not self.work.project.activation_word:
            self.word.focus_word()

    # The word.

    @on(WordLine.Typed)
    def typed_word(self) -> None:
        """Check the word while it is typed."""
        if self.survey is not None:
            self._say_word()
            self.say()

    @on(WordLine.Kept)
    def kept_word(self, message: WordLine.Kept) -> None:
        """Take it; Enter leads to the captions."""
        self._take_word()
        if message.entered:
            self.rows.focus()

    @on(WordLine.KindChosen)
    def keep_kind(self, message: WordLine.KindChosen) -> None:
        """Style or character: the advice changes with it."""
        self.work = self.work.with_project(replace(self.work.project, kind=message.kind))
        self.query_one("#guide", Text).update(self.guide)

    # Editing.

    def action_edit(self) -> None:
        """Edit the caption under the cursor in its row."""
        index = self.rows.item
        if index is None or self.survey is None:
            return
        file = self.survey.captions[index]
        if file.trouble:
            self.say(_("This caption cannot be edited: {reason}.").format(reason=file.trouble))
            return
        width = self.rows.scrollable_content_region.width - BEFORE_TEXT
        self.field.edit(index, file.training_text, BEFORE_TEXT, self.rows.y_of_cursor(), width)

    @on(CaptionField.Kept)
    def kept_caption(self, message: CaptionField.Kept) -> None:
        """Write it, and go to the next; what cannot be written stays in the field."""
        try:
            self._keep_caption(message.index, message.text, message.changed)
        except BocetoError as error:
            self.app.show_error(error)
            return
        self.field.close()
        if message.entered:
            self._accept(message.index)
            self.rows.focus()
            self.rows.action_cursor_down()

    @on(CaptionField.Left)
    def left_caption(self) -> None:
        """The row is as it was."""
        self.field.close()
        self.rows.focus()
        self._show_details()

    @on(Input.Changed, "CaptionField")
    def typing(self) -> None:
        """Count while it is typed."""
        if self.field.display:
            self._show_details(self.field.value)

    def action_accept(self) -> None:
        """This caption is right; to the next."""
        if self.rows.item is not None and self.survey:
            self._accept(self.rows.item)
            self.rows.action_cursor_down()

    def action_undo(self) -> None:
        """Take the last edit back."""
        history, change = self._history.undo()
        if change is None:
            self.say(_("There is nothing to take back."))
        elif self._put_back(*change.before):
            self._history = history
            self.rows.move_to(change.before[0])
            self.say(_("Taken back: {what}.").format(what=plain(change.name)))

    def action_redo(self) -> None:
        """Make it again."""
        history, change = self._history.redo()
        if change and self._put_back(*change.after):
            self._history = history
            self.rows.move_to(change.after[0])
            self.say(_("Made again: {what}.").format(what=plain(change.name)))

    # Moving.

    def action_next_unreviewed(self) -> None:
        """To the next caption that nobody has found right."""
        if not self.rows.move_on(lambda index: index not in self._read):
            self.say(_("Every caption was read."))

    def action_next_problem(self) -> None:
        """To the next caption with a problem."""
        self._to_problem(1)

    def action_previous_problem(self) -> None:
        """To the one before."""
        self._to_problem(-1)

    def action_word(self) -> None:
        """To the activation word."""
        self.word.focus_word()

    def action_filter(self) -> None:
        """Find in names and captions."""
        self.finder.display = True
        self.finder.focus()

    @on(Input.Changed, "#find")
    def find(self) -> None:
        """Show what matches."""
        self._arrange()

    @on(Input.Submitted, "#find")
    def found(self) -> None:
        """On to what was found."""
        self.rows.focus()

    def action_back(self) -> None:
        """One layer at a time: the finder, then the screen."""
        if self.finder.display:
            self.finder.value = ""
            self.finder.display = False
            self.rows.focus()
            return
        super().action_back()

    def action_reload(self) -> None:
        """Read the files again, after another program has changed them."""
        if self.survey is None:
            return
        for index in self._items:
            file = self.survey.captions[index]
            if store.changed_outside(file):
                self._put(index, store.read(file.drawing))
        self._arrange()

    @on(Rows.Moved, "#rows")
    def moved(self) -> None:
        """The picture and the whole caption follow the cursor."""
        self._show_details()

    def kept(self, at: str, strict: bool = True) -> Work:
        """A caption that is still edited is kept too, however one leaves."""
        if self.field.display and self.survey:
            self._keep_caption(*self.field.edited)
            self.field.close()
        return super().kept(at, strict)

    def answered(self) -> Work:
        """The word as it stands."""
        self._take_word()
        if self.obstacle:
            raise BocetoError(self.obstacle)
        return self.work

    # How it becomes so.

    def _take_word(self) -> None:
        word = self.word.word
        if word == self.work.project.activation_word:
            return
        self.work = self.work.with_project(replace(self.work.project, activation_word=word))
        if self.survey:
            self.work = self.work.with_survey(self.survey.with_word(self.work.project, self.base))
            self._forget()
            self._arrange()

    def _keep_caption(self, index: int, text: str, changed: bool) -> None:
        """Write a caption that was edited. Raises BocetoError when that cannot be; nothing is changed then."""
        assert self.survey
        if changed:
            before = self.survey.captions[index].text
            self._write(index, text)
            name = _("the caption of {name}").format(name=self.survey.drawings[index].name)
            self._history = self._history.with_change(name, (index, before), (index, text))

    def _put_back(self, index: int, text: str) -> bool:
        """Give a caption a text it had; whether that went well, and if not, it is said why."""
        try:
            self._write(index, text)
        except BocetoError as error:
            self.app.show_error(error)
            return False
        return True

    def _write(self, index: int, text: str) -> None:
        assert self.survey and self.work.place
        self._put(index, store.write(self.survey.captions[index], text, self.work.place.originals))

    def _put(self, index: int, file: store.CaptionFile) -> None:
        assert self.survey
        self._troubled -= bool(self.survey.texts[index])
        self.work = self.work.with_survey(self.survey.with_caption(index, file, self.work.project, self.base))
        self._troubled += bool(self.survey.texts[index])
        self._tokens.pop(index, None)
        if review.is_reviewed(self._reviewed, self.survey.drawings[index].name, file.text):
            self._read.add(index)
        else:
            self._read.discard(index)
        self.rows.redraw(index)
        self.say()
        self._show_details()

    @work(thread=True, exit_on_error=False, group="reviewed")
    def save_reviewed(self) -> None:
        """Write down what was read. A disk that is busy must not hold up the reading; the last to write is right."""
        assert self.work.place
        with self._saving:
            # Another window may have read others.
            review.save(self.work.place.reviewed, {**review.load(self.work.place.reviewed), **self._reviewed})

    def _forget(self) -> None:
        """Reckon anew what depends on the activation word."""
        assert self.survey
        self._tokens = {}
        self._troubled = sum(bool(self.survey.texts[index]) for index in self._items)

    def _accept(self, index: int) -> None:
        assert self.survey and self.work.place
        if index not in self._read:
            self._read.add(index)
            self._reviewed[self.survey.drawings[index].name] = review.mark(self.survey.captions[index].text)
            self.save_reviewed()
        self.rows.redraw(index)
        self.say()

    def _arrange(self) -> None:
        wanted = self.finder.value.casefold()
        survey = self.survey
        assert survey
        self.rows.show(
            [
                index
                for index in self._items
                if wanted in survey.drawings[index].name.casefold() or wanted in survey.captions[index].text.casefold()
            ]
        )
        self.say()

    def _to_problem(self, direction: int) -> None:
        if not self.rows.move_on(lambda index: bool(self.survey and self.survey.texts[index]), direction):
            self.say(_("No caption has a problem."))

    def _word_problems(self) -> list[Problem]:
        """What speaks against the word as it is typed; the word that is kept was checked with the survey."""
        assert self.survey
        word, known = self.word.word, self._checked
        if word == self.work.project.activation_word:
            return list(self.survey.word) or ([] if word else check_word("", tokenizer_of(self.base), ()))
        captions = self.survey.captions
        if known is None or known[0] != word or known[1] is not captions:
            texts = [file.training_text for file in captions]
            known = self._checked = (word, captions, check_word(word, tokenizer_of(self.base), texts))
        return known[2]

    def _say_word(self) -> None:
        self.word.say(self._word_problems(), tokenizer_of(self.base).count(self.word.word))

    def say(self, words: str = "") -> None:
        """Unless something else is to be said, how far the reading is."""
        if not words and self.survey and not self.obstacle:
            words = _("{read} of {count} read, {troubled} with a problem").format(
                read=len(self._read), count=len(self._items), troubled=self._troubled
            )
            if self.finder.value:
                words = _("{shown} found").format(shown=len(self.rows.items)) + " · " + words
        super().say(words)

    def _tokens_of(self, index: int) -> int:
        if index not in self._tokens:
            assert self.survey
            caption = caption_of(self.survey.captions[index], self.work.project)
            self._tokens[index] = tokenizer_of(self.base).count(caption)
        return self._tokens[index]

    def _line(self, index: int, width: int) -> Content:
        """One caption: read or not, name, tokens, text."""
        survey = self.survey
        assert survey
        return line(
            survey.drawings[index].name,
            survey.captions[index],
            survey.texts[index],
            tokens=self._tokens_of(index),
            read=index in self._read,
            width=width,
        )

    def _show_details(self, typed: str | None = None) -> None:
        index, place, details = self.rows.item, self.work.place, self.query_one("#details", Text)
        if index is None or place is None or self.survey is None:
            self.picture.show(None)
            details.update("")
            return
        drawing, file = self.survey.drawings[index], self.survey.captions[index]
        if typed is not None:
            file = replace(file, text=typed)
        problems = self.survey.texts[index] if typed is None else ()
        words = whole(drawing.name, file, self.work.project, tokenizer_of(self.base), problems)
        # Its place is as large as it is: to lay the screen out anew would take longer than to draw it.
        details.update(words, layout=False)
        if typed is None:
            treatment = self.work.project.treatments.get(drawing.name)
            self.picture.show(
                Shown(place.dataset(self.work.project) / drawing.name, treatment.background if treatment else "#ffffff")
            )


SCREEN = Captions
