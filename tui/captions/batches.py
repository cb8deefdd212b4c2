"""Changing many captions at once: each change is shown, before and after, before it is made."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual import work

from core.captions import edits
from core.captions.edits import Edit
from core.captions.habits import FUSED, NEARLY_FUSED, dataset_problems, documents_of, fusions
from core.captions.mends import MENDS, mend_words
from core.captions.prune import Proposal, proposals
from core.errors import BocetoError, Problem
from core.images.treatment import Treatment
from core.language import _, ngettext
from core.plan.survey import tokenizer_of
from tui.captions.list import quoted
from tui.captions.tagging import Tagging
from tui.dialogs.journal import Journal
from tui.dialogs.replace import Replace, Replacement
from tui.dialogs.scopes import Scopes
from tui.dialogs.sweep import Sweep, Swept
from tui.dialogs.tag_table import TagAction, TagTable
from tui.widgets.picture import Shown
from tui.words import plain

if TYPE_CHECKING:
    from core.captions.store import CaptionFile


class Batches(Tagging):
    """The dialogs ask and show; what they answer is done here."""

    _replaced: Replacement | None = None
    """What was replaced last, to be changed a little."""

    def scopes(self) -> Scopes:
        """What a change can be meant for."""
        return self.ledger.scopes(self.rows.item, self.rows.items)

    @work
    async def action_replace(self) -> None:
        """Find and replace."""
        if not self.may_change():
            return
        scopes = self.scopes()
        captions, names = self.ledger.texts(scopes.every), self._names(scopes.every)
        answer = await self.app.push_screen_wait(Replace(captions, names, scopes, self._replaced))
        if answer is None:
            return
        self._replaced = answer
        name = _("“{tag}” becomes “{new}”").format(tag=answer.find, new=answer.by)
        self.apply(name, answer.edit, scopes.items(answer.scope), shown=True)

    @work
    async def action_table(self) -> None:
        """All tags by the number of captions they are in."""
        if self._ledger is None:
            return
        scopes, over = self.scopes(), False
        while not over:  # a preview that one turns away from leads back to the table
            captions = self.ledger.texts(scopes.every)
            action = await self.app.push_screen_wait(TagTable(self.ledger.vocabulary, captions, scopes))
            over = action is None or await self._do(action, scopes)

    @work
    async def action_sweep(self) -> None:
        """One tag, yes or no, drawing by drawing."""
        if (tag := self.present_tag()) and self.may_change():
            await self._sweep(tag)

    @work
    async def action_prune(self) -> None:
        """What a style or a character does better without, each with its reason."""
        from tui.dialogs.prune import Prune

        if not self.may_change():
            return
        vocabulary, project = self.ledger.vocabulary, self.work.project
        counts = {vocabulary.spelled(key): count for key, count in vocabulary.counts.items()}
        found = proposals(counts, len(self.ledger.items), project.kind, project.activation_word)
        if not found:
            self.say(_("No tag of these captions is better left out."))
            return
        over = False
        while not over:
            tags = await self.app.push_screen_wait(Prune(found, project.kind))
            over = not tags or await self._remove_everywhere(tags)
            if tags and over:  # a tagger is not to bring them back
                never = tuple(dict.fromkeys((*self.work.project.never_tags, *tags)))
                self.work = self.work.with_project(replace(self.work.project, never_tags=never))

    @work
    async def action_mend(self) -> None:
        """Mend what a key can mend of the caption under the cursor, or the marked ones."""
        wanted, codes = self.scope(), list[str]()
        for index in wanted:
            codes += [one.code for one in self.ledger.survey.texts[index] if one.code in MENDS]
        if not codes:
            self.say(_("Nothing here can be mended without asking: Enter edits."))
            return
        await self.apply_when_seen(mend_words(codes[0]), self._mend(codes[0]), wanted)

    @work
    async def action_problems(self) -> None:
        """Everything that is wrong with the captions, by kind."""
        from tui.dialogs.problems import OF_TAGS, Problems

        if self._ledger is None:
            return
        over = False
        while not over:
            texts = {index: self.ledger.survey.texts[index] for index in self.ledger.items}
            whole = self._of_all()
            if not any(texts.values()) and not whole:
                self.say(_("No caption has a problem."))
                return
            found = [*whole, *(one for several in texts.values() for one in several)]
            answer = await self.app.push_screen_wait(Problems(found))
            if answer is None:
                return
            if not answer.mend:
                self.show_only(f"problem:{answer.code}")
                return
            if not self.may_change():
                return
            if answer.code in OF_TAGS:
                over = await self._remove_some(answer.code, whole)
            else:
                wanted = [index for index, several in texts.items() if any(one.code == answer.code for one in several)]
                over = await self.apply_when_seen(mend_words(answer.code), self._mend(answer.code), wanted)

    @work
    async def action_journal(self) -> None:
        """Everything that was done, to go back to any point of it."""
        if not self.may_change():
            return
        assert self.desk
        if not self.desk.steps:
            self.say(_("Nothing was changed yet."))
            return
        position = await self.app.push_screen_wait(Journal(self.desk.steps, self.desk.position))
        if position is not None and self.desk and position != self.desk.position:
            changed = self.desk.go_to(position)
            self.take_over(changed)
            self.show_done(changed)

    def action_exclude(self) -> None:
        """Leave the drawing out of the training, or the marked ones; the next one takes its place."""
        if not self.may_change():
            return
        names = [self.ledger.name(index) for index in self.scope()]
        if not names:
            return
        treatments = self.work.project.treatments
        after = {name: replace(treatments.get(name, Treatment()), excluded=True) for name in names}
        what = names[0] if len(names) == 1 else ngettext("{n} drawing", "{n} drawings", len(names)).format(n=len(names))
        self.treat(_("leave out {name}").format(name=what), after)
        self.say(_("Left out: {name}. z takes it in again.").format(name=plain(what)))

    def action_pin(self) -> None:
        """Make a quick tag of the tag that is meant, or take it from them."""
        tag, project = self.present_tag(), self.work.project
        if not tag:
            return
        quick = project.quick_tags
        quick = tuple(one for one in quick if one != tag) if tag in quick else (*quick, tag)[-9:]
        self.work = self.work.with_project(replace(project, quick_tags=quick))
        shown = "  ".join(f"{number} {plain(one)}" for number, one in enumerate(self.quick_tags(), 1))
        self.say(_("Quick tags: {tags}").format(tags=shown))

    def show_tags(self, tags: Sequence[str], negated: bool) -> None:
        """Only captions with all of the tags, or without each of them."""
        sign = "-" if negated else ""
        self.show_only(" ".join(f"{sign}tag:{quoted(tag)}" for tag in tags))

    async def _sweep(self, tag: str) -> None:
        rows = []
        for index in self.rows.items or self.ledger.items:
            tags = self.ledger.captioned(index).tags
            has = tag.casefold() in (one.casefold() for one in tags)
            file: CaptionFile = self.ledger.file(index)
            if not file.trouble:
                rows.append(Swept(index, self._shown(index), self.ledger.name(index), file.training_text, has))
        answers = await self.app.push_screen_wait(Sweep(self.app.terminal, tag, rows))
        if not answers:
            return
        texts = self.ledger.texts(answers)
        add, remove = edits.add([tag]), edits.remove([tag])
        after = {index: (add if answers[index] else remove)(text) for index, text in texts.items()}
        changed = {index: text for index, text in after.items() if text != texts[index]}
        if changed:
            self.change(_("sweep of “{tag}”").format(tag=tag), changed)
        else:
            self.say(_("Nothing to change: {what}.").format(what=plain(tag)))

    async def _do(self, action: TagAction, scopes: Scopes) -> bool:
        """What the table of tags asks for; whether that was the end of it."""
        if action.kind in ("filter", "without"):
            self.show_tags(action.tags, action.kind == "without")
            return True
        if not self.may_change():
            return True
        if action.kind == "sweep":
            await self._sweep(action.tags[0])
            return True
        name, edit = _edit_of(action)
        return await self.apply_when_seen(name, edit, scopes.items(action.scope))

    async def _remove_some(self, code: str, problems: Sequence[Problem]) -> bool:
        """Tags that stand nearly everywhere: which of them go, only the person knows."""
        from tui.dialogs.prune import Prune

        project = self.work.project
        reason = next(problem.remedy for problem in problems if problem.code == code)
        found = [
            Proposal(self.ledger.vocabulary.spelled(one.tag), "always", True, reason, one.count)
            for one in fusions(documents_of(self._captions(), project.activation_word), NEARLY_FUSED)
            if (one.share >= FUSED) == (code == "fused")
        ]
        tags = await self.app.push_screen_wait(Prune(found, project.kind))
        return bool(tags) and await self._remove_everywhere(tags or ())

    async def _remove_everywhere(self, tags: Sequence[str]) -> bool:
        name = ngettext("remove {n} tag everywhere", "remove {n} tags everywhere", len(tags)).format(n=len(tags))
        return await self.apply_when_seen(name, edits.remove(tags), self.ledger.items)

    def _captions(self) -> dict[str, str]:
        return {self.ledger.name(index): self.ledger.file(index).training_text for index in self.ledger.items}

    def _of_all(self) -> list[Problem]:
        project = self.work.project
        return dataset_problems(self._captions(), project.activation_word, project.kind)

    def _mend(self, code: str) -> Edit:
        project = self.work.project
        return MENDS[code](project.activation_word, tokenizer_of(self.base).count, project.plan.caption_chunks)

    def _names(self, indices: Sequence[int]) -> dict[int, str]:
        return {index: self.ledger.name(index) for index in indices}

    def _shown(self, index: int) -> Shown:
        treatment = self.work.project.treatments.get(self.ledger.name(index))
        return Shown(self.ledger.file(index).drawing, treatment.background if treatment else "#ffffff")


def _edit_of(action: TagAction) -> tuple[str, Edit]:
    """What the table of tags asks for, with its name."""
    tags = ", ".join(action.tags)
    match action.kind:
        case "rename":
            steps = [edits.rename(tag, action.new) for tag in action.tags]

            def renamed(text: str) -> str:
                for step in steps:
                    text = step(text)
                return text

            return _("“{tag}” becomes “{new}”").format(tag=tags, new=action.new), renamed
        case "remove":
            return _("remove “{tag}”").format(tag=tags), edits.remove(action.tags)
        case "add":
            return _("add “{tag}”").format(tag=tags), edits.add(action.tags)
        case "front":
            return _("“{tag}” to the front").format(tag=tags), edits.move_to_front(action.tags)
        case _:
            raise BocetoError(action.kind)
