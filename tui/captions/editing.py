"""A caption edited in its row, and brought together with what another program made of it meanwhile."""

from msgspec.structs import replace
from textual import on, work
from textual.widgets import Input

from core.captions.merge import merged
from core.errors import BocetoError
from core.language import _
from tui.captions.changing import Changing, repeated
from tui.captions.lines import BEFORE_TEXT
from tui.dialogs.dialog import Ask, Option
from tui.widgets.caption_field import CaptionField, typeable
from tui.words import plain
from tui.work import Work


class Editing(Changing):
    """Enter keeps and goes on, Escape takes back; however one leaves, what was typed is not lost."""

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
        self.last = repeated(begun, mine) or self.last
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
