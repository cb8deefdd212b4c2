"""The tags of a caption, one by one: chosen, removed, renamed, moved, added, also by their numbers."""

from textual import on

from core.captions import edits
from core.captions.caption import is_sentence, tags_of
from core.errors import BocetoError
from core.language import _
from tui.captions.editing import Editing
from tui.widgets.caption_field import typeable
from tui.widgets.prompt import Prompt
from tui.words import shortened
from tui.work import Work


class Tagging(Editing):
    """Changes of a tag are for the marked captions, or the one under the cursor."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._asked: list[int] = []
        """The captions that the question at the prompt is about."""
        self._renamed = ""
        """The tag that it gives another name."""

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
            scope = self.scope_words()
            self.prompt.ask(_("add to {scope}").format(scope=scope) if scope else _("add to this one"), purpose="add")

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
            words = _("“{tag}” becomes, {scope}") if scope else _("“{tag}” becomes, here")
            self.prompt.ask(words.format(tag=shortened(tag, 24), scope=scope), typeable(tag), "rename")

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
