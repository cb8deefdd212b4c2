"""Changing captions: through the desk, for the marked ones or the one under the cursor, and once more."""

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct
from textual import work

from core.captions import edits
from core.captions.booru import Booru
from core.captions.caption import is_sentence, tags_of
from core.captions.edits import Edit
from core.captions.vocabulary import Completion
from core.language import _, ngettext
from core.paths import config
from tui.captions.moving import Moving
from tui.dialogs.changes import Changes, Row
from tui.words import plain
from tui.work import Work


class Repeated(Struct, frozen=True):
    """A change that can be made to another caption."""

    name: str
    edit: Edit


class Changing(Moving):
    """One caption is changed at once, several are shown before they are."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.last: Repeated | None = None
        """What was done last."""
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
        for problem in self.booru.problems:
            self.notify(f"{plain(problem.message)} {plain(problem.remedy)}", severity="warning", markup=False)

    def complete(self, typed: str, present: Collection[str]) -> Sequence[Completion]:
        """What a tag could become."""
        return self.ledger.vocabulary.completions(typed, present, self.booru)

    def action_repeat(self) -> None:
        """The last change once more, here."""
        if self.last is None:
            self.say(_("There is no change to repeat yet."))
        else:
            self.apply(self.last.name, self.last.edit)

    def scope(self) -> list[int]:
        """The captions that a change is for: the marked ones, else the one under the cursor."""
        scopes = self.ledger.scopes(self.rows.item, self.rows.items)
        return list(scopes.marked or scopes.present)

    def scope_words(self) -> str:
        """The same in words; empty for the one under the cursor."""
        marked = len(self.ledger.marked)
        return ngettext("{n} marked", "{n} marked", marked).format(n=marked) if marked else ""

    def apply(self, name: str, edit: Edit, indices: Sequence[int] | None = None, shown: bool = False) -> None:
        """Make a change to captions and remember it, to be repeated; one of several is shown before it is made."""
        if not self.may_change():
            return
        self.last = Repeated(name, edit)
        wanted = self.scope() if indices is None else indices
        found = edits.changes(self.ledger.texts(wanted), edit)
        if not found:
            self.say(_("Nothing to change: {what}.").format(what=plain(name)))
        elif len(found) > 1 and not shown:
            self.show_first(name, found)
        else:
            self.change(name, {index: after for index, (_before, after) in found.items()})

    async def apply_when_seen(self, name: str, edit: Edit, indices: Sequence[int]) -> bool:
        """The same for a dialog that asked for it: shown in any case; whether that was the end of it."""
        self.last = Repeated(name, edit)
        found = edits.changes(self.ledger.texts(indices), edit)
        if not found:
            self.say(_("Nothing to change: {what}.").format(what=plain(name)))
            return True
        return bool(await self.make_when_seen(name, found))

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


def repeated(before: str, after: str) -> Repeated | None:
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
