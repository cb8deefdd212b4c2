"""Captions from elsewhere: taggers write them, what they saw is compared, and other tools' files are taken in."""

import asyncio
from pathlib import Path

from textual import on, work
from textual.message import Message

from core.captions import edits, imports, review
from core.errors import Problem
from core.language import _, ngettext
from core.taggers import compose, find, results
from core.taggers.order import Order
from core.taggers.tagger import Scored, Tagged
from tui import captioning
from tui.captioning import MODES, Changes
from tui.captions.batches import Batches
from tui.dialogs.captioning import Captioning
from tui.dialogs.pick import Entry, Pick
from tui.dialogs.write import Fetch, Present, Write, WriteChoice
from tui.words import plain, shortened

Looks = list[dict[str, Tagged]]


class Doubts(Message):
    """How sure the taggers were of each caption."""

    def __init__(self, scores: dict[int, float]) -> None:
        super().__init__()
        self.scores = scores


class Writing(Batches):
    """Taggers are jobs; what they saw is kept, and becomes captions here."""

    _choice: WriteChoice | None = None
    """What the taggers were asked last."""

    def ready(self) -> None:
        """What was seen in an earlier sitting counts still."""
        super().ready()
        self.read_scores()

    @work(thread=True, exclusive=True, exit_on_error=False, group="scores")
    def read_scores(self) -> None:
        """How sure the taggers were, for the queue and the filter."""
        looks = self._looks(self._all_scores())
        if looks:
            scores = {
                index: score
                for index in self.ledger.items
                if (score := compose.lowest(self.ledger.file(index).training_text, self._seen(looks, index)))
                is not None
            }
            self.post_message(Doubts(scores))

    @on(Doubts)
    def know_doubts(self, message: Doubts) -> None:
        """Known from here on."""
        self.ledger.scores = message.scores
        self.ledger.forget(message.scores)
        self.say_again()

    # Taggers.

    @work
    async def action_write(self) -> None:
        """Let taggers write the captions; what they would change is shown first."""
        place = self.work.place
        if not self.may_change() or place is None:
            return
        while True:
            project = self.work.project
            found = await asyncio.to_thread(find.find)
            answer = await self.app.push_screen_wait(
                Write(found, project.kind, self._present(), self._choice, project.never_tags)
            )
            if isinstance(answer, Fetch):
                run = await asyncio.to_thread(captioning.fetched, place.captioning, answer.entry)
                await self.app.push_screen_wait(Captioning(run, _("{name} is fetched").format(name=answer.entry.name)))
                continue
            if answer is not None:
                self._choice = answer
                await self._write(answer)
            return

    async def _write(self, choice: WriteChoice) -> None:
        place = self.work.place
        assert place
        drawings = [self.ledger.survey.drawings[index] for index in self.ledger.items]
        subjects = captioning.subjects(place, self.work.project, drawings)
        order = Order(taggers=choice.taggers, folder=place.scores, drawings=subjects)
        run = await asyncio.to_thread(captioning.begun, place.captioning, order)
        ended = await self.app.push_screen_wait(Captioning(run))
        if ended is None:
            if run.is_alive():
                self.say(_("The taggers go on. T shows them again, and what they have seen."))
            return
        word = self.work.project.activation_word
        found = await asyncio.to_thread(captioning.composed, order, self._by_name(), choice.rules, choice.mode, word)
        names = ", ".join(tagger.name for tagger in choice.taggers)
        made = await self._take_in_captions(_("captions by {tagger}").format(tagger=names), found)
        if made:
            known, done = review.load(place.written), {drawing: found[drawing] for drawing in made}
            review.save(place.written, {**known, **captioning.marks_of(done, choice.mode, word, known)})
        self.read_scores()

    @work
    async def action_compare(self) -> None:
        """A caption beside what the taggers saw."""
        from tui.dialogs.seen import Seen

        index = self.rows.item
        if index is None or not self.may_change():
            return
        seen = self._seen(await asyncio.to_thread(self._looks, self._all_scores()), index)
        tags: list[Scored] = [scored for look in seen for scored in look.tags]
        if not tags:
            self.say(_("No tagger has looked at this drawing. T lets one look at all."))
            return
        rules = (
            self._choice.rules
            if self._choice
            else compose.Rules.of(self.work.project.kind, self.work.project.never_tags)
        )
        name, caption = self.ledger.name(index), self.ledger.file(index).training_text
        answer = await self.app.push_screen_wait(Seen(name, caption, tags, rules.general))
        if answer and any(answer):
            add, remove = answer
            text = edits.add(add)(edits.remove(remove)(self.ledger.file(index).text))
            self.change(_("the caption of {name}").format(name=name), {index: text})

    # Other tools' files.

    @work
    async def action_import(self) -> None:
        """Take in captions that other tools left."""
        place = self.work.place
        if not self.may_change() or place is None:
            return
        sources = await asyncio.to_thread(imports.sources, place.dataset(self.work.project))
        if not sources:
            self.say(_("No other captions are here: no .caption files, no metadata.jsonl, no JSON of sd-scripts."))
            return
        entries = [Entry(str(number), shortened(_shown(one), 40), one.count) for number, one in enumerate(sources)]
        chosen = await self.app.push_screen_wait(Pick(_("Take captions from"), entries, "0"))
        if chosen is None:
            return
        words = {
            "keep": _("Fill only empty captions"),
            "append": _("Add what is new"),
            "replace": _("Replace the captions there are"),
        }
        mode = await self.app.push_screen_wait(
            Pick(_("Captions there are"), [Entry(one, words[one]) for one in MODES], "keep")
        )
        if mode is None:
            return
        given, problems = await asyncio.to_thread(_read, sources[int(chosen)])
        word = self.work.project.activation_word
        found = captioning.merged(self._by_name(), given, next(one for one in MODES if one == mode), word)
        note = ""
        if problems:
            note = ngettext(
                "{n} entry was not taken: {first}", "{n} entries were not taken: {first}", len(problems)
            ).format(n=len(problems), first=plain(problems[0].message))
        await self._take_in_captions(_("captions from {file}").format(file=_shown(sources[int(chosen)])), found, note)

    # How it becomes so.

    async def _take_in_captions(self, name: str, found: Changes, note: str = "") -> list[str]:
        """Show what captions would become, and make them so. Returns the drawings whose captions are others now."""
        if not found:
            self.say(note or _("Nothing to change: {what}.").format(what=plain(name)))
            return []
        index = {self.ledger.name(one): one for one in self.ledger.items}
        made = await self.make_when_seen(name, {index[drawing]: pair for drawing, pair in found.items()}, note)
        return [self.ledger.name(one) for one in made]

    def _by_name(self) -> dict[str, str]:
        return {self.ledger.name(index): text for index, text in self.ledger.texts(self.ledger.items).items()}

    def _present(self) -> Present:
        place, word = self.work.place, self.work.project.activation_word
        written = review.load(place.written) if place else {}
        texts = self.ledger.texts(self.ledger.items)
        full = [index for index, text in texts.items() if not captioning.is_empty(text, word)]
        by_hand = [
            index
            for index in full
            if index in self.ledger.read or not review.is_reviewed(written, self.ledger.name(index), texts[index])
        ]
        return Present(len(self.ledger.items), len(full), len(by_hand))

    def _all_scores(self) -> list[Path]:
        place = self.work.place
        return sorted(place.scores.glob("*.jsonl")) if place else []

    def _looks(self, paths: list[Path]) -> Looks:
        place = self.work.place
        if place is None or not paths:
            return []
        subjects = captioning.subjects(place, self.work.project, self.ledger.survey.drawings)
        return [results.current(path, subjects) for path in paths]

    def _seen(self, looks: Looks, index: int) -> list[Tagged]:
        name = self.ledger.name(index)
        return [look[name] for look in looks if name in look]


def _shown(source: imports.Source) -> str:
    return _("the .caption files") if source.kind == "caption" else source.path.name


def _read(source: imports.Source) -> tuple[dict[str, str], list[Problem]]:
    given: dict[str, str] = {}
    problems: list[Problem] = []
    for one in imports.read(source):
        if isinstance(one, Problem):
            problems.append(one)
        else:
            given[one[0]] = one[1]
    return given, problems
