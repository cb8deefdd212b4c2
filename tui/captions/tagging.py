"""Changing captions: one in its row, its tags one by one, and the last change once more."""

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace
from textual import on, work
from textual.widgets import Input

from core.captions import edits
from core.captions.booru import Booru
from core.captions.caption import is_sentence, tags_of
from core.captions.edits import Edit
from core.captions.merge import merged
from core.captions.vocabulary import Completion
from core.errors import BocetoError
from core.language import _, ngettext
from core.paths import config
from tui.captions.lines import BEFORE_TEXT
from tui.captions.list import CaptionList
from tui.dialogs.changes import Changes, Row
from tui.dialogs.dialog import Ask, Option
from tui.widgets.caption_field import CaptionField, typeable
from tui.widgets.prompt import Prompt
from tui.words import plain, shortened
from tui.work import Work


class Repeated(Struct, frozen=True):
    """A change that can be made to another caption."""

    name: str
    edit: Edit


class Tagging(CaptionList):
    """Changes go through the desk; those of one tag are for the marked captions, or the one under the cursor."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._last: Repeated | None = None
        self._asked: list[int] = []
        """The captions that the question at the prompt is about."""
        self._renamed = ""
        """The tag that it gives another name."""
        self.booru = Booru()

    def ready(self) -> None:
        """Fetch the lists of tags that the person has put there."""
        super().ready()
        self.load_booru()

    @work(thread=True, exclusive=True, exit_on_error=False, group="booru")
    def load_booru(self) -> None:
        """A list of 200,000 tags takes a second."""
        from core.captions import booru

        self.booru = booru.load(config() / "tags")

    # In the row.

    def action_edit(self) -> None:
        """Edit the caption under the cursor in its row."""
        index = self.rows.item
        if index is None or not self.may_change():
            return
        file = self.ledger.file(index)
        if file.trouble:
            self.say(_("This caption cannot be edited: {reason}.").format(reason=file.trouble))
            return
        self.field.completer = self.complete
        width = self.rows.scrollable_content_region.width - BEFORE_TEXT
        self.field.edit(index, file.training_text, BEFORE_TEXT, self.rows.y_of_cursor(), width)

    @on(CaptionField.Kept)
    def kept_caption(self, message: CaptionField.Kept) -> None:
        """Write it, and go to the next."""
        if self.field.display and self._close_field(message.index, message.begun, message.text) and message.entered:
            self.accept(message.index)
            self.rows.focus()
            self.rows.action_cursor_down()

    @on(CaptionField.Left)
    def left_caption(self) -> None:
        """The row is as it was."""
        self.field.close()
        self.rows.focus()
        self.show_details()

    @on(Input.Changed, "CaptionField")
    def typing(self) -> None:
        """Count while it is typed."""
        if self.field.display:
            self.show_details(self.field.value)

    def leave(self, to: str, strict: bool = True) -> None:
        """Not while a caption that is edited cannot be written as it is typed."""
        if not self.field.display or self._close_field(*self.field.edited):
            super().leave(to, strict)

    def kept(self, at: str, strict: bool = True) -> Work:
        """A caption that is still edited is kept too, however one leaves."""
        if self.field.display and self.survey and self.desk:
            index, begun, mine = self.field.edited
            if not self._keep_caption(index, begun, mine):
                # Nobody can be asked any more: the file stays the other program's, and the journal has what was typed.
                name = self.ledger.name(index)
                done = self.desk.change(_("the caption of {name}").format(name=name), {name: mine})
                if done.files and not done.outside and not done.refused:
                    self.desk.undo()
            self.field.close()
        return super().kept(at, strict)

    def complete(self, typed: str, present: Collection[str]) -> Sequence[Completion]:
        """What a tag could become."""
        return self.ledger.vocabulary.completions(typed, present, self.booru)

    def _close_field(self, index: int, begun: str, mine: str) -> bool:
        """Write what was typed; whether that is done. What cannot be written stays in the field."""
        try:
            kept = self._keep_caption(index, begun, mine)
        except BocetoError as error:
            self.app.show_error(error)
            return False
        self.field.close()
        if not kept:
            self.ask_whose(index, mine)
        return kept

    def _keep_caption(self, index: int, begun: str, mine: str) -> bool:
        """Write a caption that was edited; False where another program has changed the same words.

        Raises BocetoError when it cannot be written.
        """
        if mine == begun.strip() or self.desk is None:
            return True
        name = self.ledger.name(index)
        self._last = _repeated(begun, mine) or self._last
        while True:  # once more, with what another program is found to have written
            file = self.ledger.file(index)
            now = typeable(file.training_text)
            text = mine if now == begun else merged(begun, mine, now)
            if text is None:
                return False
            done = self.desk.change(_("the caption of {name}").format(name=name), {name: text}, seen={name: file})
            self.take_over(replace(done, refused={}))
            if done.refused:
                raise next(iter(done.refused.values()))
            if not done.outside:
                return True

    @work
    async def ask_whose(self, index: int, mine: str) -> None:
        """Two have changed the same words: let the person choose."""
        theirs = self.ledger.file(index).training_text
        words = _("Yours: {mine}\n\nIn the file: {theirs}").format(mine=plain(mine), theirs=plain(theirs))
        options = (
            Option("mine", _("Keep mine"), "primary"),
            Option("theirs", _("Keep the file's")),
            Option("both", _("Both, one after the other")),
        )
        answer = await self.app.push_screen_wait(
            Ask(_("Another program has changed this caption while you did"), words, options)
        )
        name = _("the caption of {name}").format(name=self.ledger.name(index))
        match answer:
            case "mine":
                self.change(name, {index: mine})
            case "both":
                self.change(name, {index: f"{theirs}, {mine}"})
            case None:  # what was typed is not lost: it is in its field again
                self.show_row(index)
                self.action_edit()
                self.field.value = mine

    # Tag by tag.

    def action_tag(self, by: int) -> None:
        """To another tag of the caption."""
        tags = self.present_tags()
        if tags:
            self.tag = (min(self.tag, len(tags) - 1) + by) % len(tags)
            self.show_details()

    def action_move_tag(self, by: int) -> None:
        """Move the tag that is meant within its caption."""
        tag, index = self.present_tag(), self.rows.item
        if tag and index is not None:
            self.apply(_("move “{tag}”").format(tag=tag), edits.move(tag, by), [index])
            tags = self.present_tags()
            self.tag = tags.index(tag) if tag in tags else 0
            self.show_details()

    def action_add(self) -> None:
        """Ask for tags to add."""
        if self.rows.item is not None and self.may_change():
            self._asked = self.scope()
            self.prompt.field.completer = self.complete
            self.prompt.ask(_("add to {scope}").format(scope=self.scope_words()), purpose="add")

    def action_delete(self) -> None:
        """Remove the tag that is meant."""
        if self._is_prose():
            return
        if tag := self.present_tag():
            self.apply(_("remove “{tag}”").format(tag=tag), edits.remove([tag]))

    def action_rename(self, everywhere: bool) -> None:
        """Ask for another name of the tag that is meant."""
        if self._is_prose():
            return
        tag = self.present_tag()
        if tag and self.may_change():
            scope = _("everywhere") if everywhere else self.scope_words()
            self._asked, self._renamed = self.ledger.items if everywhere else self.scope(), tag
            self.prompt.field.completer = self.complete
            self.prompt.ask(
                _("“{tag}” becomes, {scope}").format(tag=shortened(tag, 24), scope=scope), typeable(tag), "rename"
            )

    @on(Prompt.Answered, "#ask")
    def answered_prompt(self, message: Prompt.Answered) -> None:
        """Make the change that was asked for."""
        self.prompt.close()
        self.rows.focus()
        text = ", ".join(tags_of(message.text))
        if not text:
            return
        if message.prompt.purpose == "add":
            name, edit = _("add “{tag}”").format(tag=text), edits.add(tags_of(text))
        else:
            name = _("“{tag}” becomes “{new}”").format(tag=self._renamed, new=text)
            edit = edits.rename(self._renamed, text)
        try:
            self.apply(name, edit, self._asked)
        except BocetoError as error:
            self.app.show_error(error)

    def _is_prose(self) -> bool:
        """Whether the caption under the cursor is a sentence, which has no tags; then it is said."""
        index = self.rows.item
        prose = index is not None and self._ledger is not None and is_sentence(self.ledger.file(index).training_text)
        if prose:
            self.say(_("This caption is a sentence, without tags: Enter edits it, s replaces words."))
        return prose

    def action_quick(self, number: int) -> None:
        """Add the quick tag of this number, or take it away where it is."""
        quick = self.quick_tags()
        if number > len(quick):
            self.say(_("There is no quick tag {n} yet: + makes one of the tag that is meant.").format(n=number))
            return
        tag = quick[number - 1]
        here = tag.casefold() in (one.casefold() for one in self.present_tags())
        if here:
            self.apply(_("remove “{tag}”").format(tag=tag), edits.remove([tag]))
        else:
            self.apply(_("add “{tag}”").format(tag=tag), edits.add([tag]))

    def quick_tags(self) -> list[str]:
        """Those that the person has chosen, then the most frequent ones that not nearly all captions have."""
        vocabulary = self.ledger.vocabulary
        usual = [
            vocabulary.spelled(key) for key, count in vocabulary.ranked if count < 0.85 * max(1, vocabulary.captions)
        ]
        return list(dict.fromkeys([*self.work.project.quick_tags, *usual]))[:9]

    def action_repeat(self) -> None:
        """The last change once more, here."""
        if self._last is None:
            self.say(_("There is no change to repeat yet."))
        else:
            self.apply(self._last.name, self._last.edit)

    # How it becomes so.

    def scope(self) -> list[int]:
        """The captions that a change is for: the marked ones, else the one under the cursor."""
        scopes = self.ledger.scopes(self.rows.item, self.rows.items)
        return list(scopes.marked or scopes.present)

    def scope_words(self) -> str:
        """The same in words."""
        marked = len(self.ledger.marked)
        return ngettext("{n} marked", "{n} marked", marked).format(n=marked) if marked else _("this one")

    def apply(self, name: str, edit: Edit, indices: Sequence[int] | None = None, shown: bool = False) -> None:
        """Make a change to captions and remember it, to be repeated; one of several is shown before it is made."""
        if not self.may_change():
            return
        self._last = Repeated(name, edit)
        wanted = self.scope() if indices is None else indices
        found = edits.changes(self.ledger.texts(wanted), edit)
        if not found:
            self.say(_("Nothing to change: {what}.").format(what=plain(name)))
        elif len(found) > 1 and not shown:
            self.show_first(name, found)
        else:
            self.change(name, {index: after for index, (_before, after) in found.items()})

    @work
    async def show_first(self, name: str, found: Mapping[int, tuple[str, str]]) -> None:
        """Show what a change of several captions would do, and make it when the person says so."""
        await self.make_when_seen(name, found)

    async def make_when_seen(self, name: str, found: Mapping[int, tuple[str, str]], note: str = "") -> list[int]:
        """Show what captions are and would be, and make them so when the person says so. Returns those that are."""
        rows = [Row(self.ledger.name(index), before, after) for index, (before, after) in found.items()]
        if not await self.app.push_screen_wait(Changes(name, rows, note)):
            return []
        # What another program has written while one looked was not shown, and stays.
        now = self.ledger.texts(found)
        texts = {index: after for index, (before, after) in found.items() if now.get(index) == before}
        self.change(name, texts)
        return list(texts)

    def change(self, name: str, texts: Mapping[int, str], word: tuple[str, str] | None = None) -> None:
        """Give captions other texts, through the desk."""
        if not self.may_change():
            return
        assert self.desk
        seen = {self.ledger.name(index): self.ledger.file(index) for index in texts}
        done = self.desk.change(
            name, {self.ledger.name(index): text for index, text in texts.items()}, word=word, seen=seen
        )
        self.take_over(done)
        if done.files and not done.outside and not done.refused:
            count = len(done.files)
            self.say(
                ngettext(
                    "{what}: {n} caption. z takes it back.", "{what}: {n} captions. z takes it back.", count
                ).format(what=plain(name), n=count)
            )


def _repeated(before: str, after: str) -> Repeated | None:
    """What was done to one caption, as a change that can be made to others; None for prose, which is no list."""
    if is_sentence(before) or is_sentence(after):
        return None
    old, new = tags_of(before), tags_of(after)
    gone, come = [tag for tag in old if tag not in new], [tag for tag in new if tag not in old]
    if not gone and not come:
        return None
    steps: list[Callable[[str], str]] = []
    if len(gone) == len(come) == 1:
        steps.append(edits.rename(gone[0], come[0]))
    else:
        steps += [edits.remove(gone)] if gone else []
        steps += [edits.add(come)] if come else []
    said = [*(f"−{tag}" for tag in gone), *(f"+{tag}" for tag in come)]

    def edit(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return Repeated(" ".join(said), edit)
