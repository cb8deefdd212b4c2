"""Captions: the activation word, and every caption read and edited in its row."""

from typing import ClassVar

from msgspec.structs import replace
from textual import getters, on, work
from textual.binding import BindingType

from core.captions import edits
from core.captions.activation import begun_with, check_word
from core.captions.desk import Changed
from core.captions.invention import suggestions
from core.captions.query import help_text
from core.errors import BocetoError, Problem, Severity
from core.language import _
from core.plan.survey import tokenizer_of
from tui.captions.writing import Writing
from tui.dialogs.pick import Entry, Pick
from tui.keys import bind
from tui.widgets.text import Text
from tui.widgets.word_line import WordLine
from tui.work import Work


class Captions(Writing):
    """A list of captions; Enter edits the one under the cursor where it stands."""

    AT = "captions"
    CSS_PATH = "captions.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind(
        "captions.edit", "captions.accept", "captions.accept_back", "captions.unreviewed", "captions.problem",
        "captions.previous_problem", "captions.queue", "captions.tag_before", "captions.tag_after", "captions.add",
        "captions.delete", "captions.rename", "captions.rename_all", "captions.tag_earlier", "captions.tag_later",
        "captions.repeat", *(f"captions.quick_{number}" for number in range(1, 10)), "captions.pin",
        "captions.filter", "captions.with_tag", "captions.without_tag",
        "captions.mark", "captions.mark_to", "captions.mark_all", "captions.invert",
        "captions.replace", "captions.table", "captions.sweep", "captions.write", "captions.compare", "captions.import",
        "captions.prune", "captions.mend",
        "captions.problems", "captions.exclude", "captions.journal", "captions.path", "captions.word",
        "captions.suggest", "undo", "redo", "pictures", "captions.palette",
    )  # fmt: skip

    word = getters.query_one(WordLine)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._checked: tuple[str, object, list[Problem]] | None = None

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
        words = _(
            "The activation word calls the LoRA: it is put in front of every caption when it is trained, so it "
            "need not stand in the files. Invent one: 5 to 10 small letters, or let F3 suggest some.\n\n"
            "Enter edits the caption in its row; Enter again keeps it and goes to the next, Escape takes it "
            "back, Tab completes a tag. Space says that a caption is right and goes on. ← and → choose a tag of "
            "the caption: d removes it, r renames it, a adds others, . does the last change once more. m marks "
            "captions: then changes are for all marked ones.\n\n"
            "T lets a tagger write the captions; c shows what it saw in a drawing. Many at once: t shows all "
            "tags, s replaces, w asks tag by tag, p proposes what to leave out. Every such change is shown "
            "before it is made. z takes anything back, also after the window was closed; U shows everything "
            "that was done.\n\n"
            "/ shows some, by what stands in the list below. q shows only what needs a person.\n\n"
            "The number is the caption's tokens with the word. The text encoders read 75 at a time: what comes "
            "after the line │ is read as a piece of its own, and other trainers cut it off."
        )
        filters = "\n".join(f"{example}\n    {what}" for example, what in help_text())
        return "\n\n".join([words, _("What can be asked after /:"), filters])

    @property
    def obstacle(self) -> str:
        """A word that cannot be."""
        if self.survey is None:
            return self.looking
        found = self._word_problems()
        return next((one.message for one in found if one.severity is Severity.ERROR and one.code != "word-empty"), "")

    def ready(self) -> None:
        """Show the captions; without a word, ask for it first."""
        super().ready()
        if self.desk and self.desk.recovered.word is not None:
            self.word.put(self.work.project.activation_word)
        self._say_word()
        if not self.work.project.activation_word:
            self.word.focus_word()

    def show_changed(self, changed: Changed) -> None:
        """The word may be another again."""
        if changed.word is not None:
            self.word.put(changed.word)
            self._say_word()
        super().show_changed(changed)

    @on(WordLine.Typed)
    def typed_word(self) -> None:
        """Check the word while it is typed."""
        if self.survey is not None:
            self._say_word()
            self.say()

    @on(WordLine.Kept)
    def kept_word(self, message: WordLine.Kept) -> None:
        """Take it; Enter leads to the captions."""
        try:
            self._take_word()
        except BocetoError as error:
            self.app.show_error(error)
            return
        if message.entered:
            self.rows.focus()

    @on(WordLine.KindChosen)
    def keep_kind(self, message: WordLine.KindChosen) -> None:
        """Style or character: the advice changes with it."""
        self.work = self.work.with_project(replace(self.work.project, kind=message.kind))
        self.query_one("#guide", Text).update(self.guide)

    def action_word(self) -> None:
        """To the activation word."""
        self.word.focus_word()

    @work
    async def action_suggest(self) -> None:
        """Words that nothing speaks against, made from the project's name."""
        if self.survey is None:
            return
        texts = [file.training_text for file in self.survey.captions]
        found = suggestions(self.work.project.name, tokenizer_of(self.base), texts, 8, self.booru)
        entries = [Entry(word, word) for word in found]
        word = await self.app.push_screen_wait(Pick(_("An activation word"), entries, self.word.word))
        if word:
            self.word.put(word)
            self._take_word()
            self._say_word()
            self.rows.focus()

    def kept(self, at: str, strict: bool = True) -> Work:
        """The word counts as it stands, before its captions reach the files."""
        self._take_word()
        return super().kept(at, strict)

    def resting(self) -> str:
        """In the field of the word, how one comes to the captions: letters are letters there."""
        if self.word.has_focus_within:
            return _("Enter leads to the captions, where ? shows every key; F3 suggests words.")
        return super().resting()

    def on_descendant_focus(self) -> None:
        """The line at the bottom is for where one is."""
        self.say_again()

    def answered(self) -> Work:
        """Everything was taken already, but for a word that cannot be."""
        if self.obstacle:
            raise BocetoError(self.obstacle)
        return self.work

    def _take_word(self) -> None:
        """The word as it is typed; captions that hold the one before get the new one in its place."""
        old, new = self.work.project.activation_word, self.word.word
        if new == old or (self.survey and self.obstacle):
            return
        if self.survey is None or self.desk is None:
            self.work = self.work.with_project(replace(self.work.project, activation_word=new))
            if self.survey:
                self.work = self.work.with_survey(self.survey.with_word(self.work.project, self.base))
                self.ledger.know(self.work)
                self.fill()
            return
        renamed: dict[int, str] = {}
        if old and new:
            # Also those of drawings that are left out: they may be taken in again.
            found = edits.changes(self.ledger.texts(range(len(self.survey.captions))), edits.rename(old, new))
            renamed = {index: after for index, (_before, after) in found.items()}
        self.change(_("the activation word “{word}”").format(word=new), renamed, word=(old, new))

    def _word_problems(self) -> list[Problem]:
        """What speaks against the word as it is typed; the word that is kept was checked with the survey."""
        assert self.survey
        word, known = self.word.word, self._checked
        if word and word == self.work.project.activation_word:
            return list(self.survey.word)
        captions = self.survey.captions
        if known is None or known[0] != word or known[1] is not captions:
            texts = [file.training_text for file in captions]
            found = check_word(word, tokenizer_of(self.base), texts, self.booru)
            known = self._checked = (word, captions, found)
        return known[2]

    def _say_word(self) -> None:
        assert self.survey
        word, problems = self.word.word, self._word_problems()
        # Asked of every caption only where it is said.
        begun = 0 if problems else begun_with(word, (file.training_text for file in self.survey.captions))
        self.word.say(problems, tokenizer_of(self.base).count(word), begun)


SCREEN = Captions
