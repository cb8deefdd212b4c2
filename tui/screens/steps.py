"""Steps: the live calculator."""

from typing import Any, ClassVar

from msgspec.structs import replace
from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from core.errors import BocetoError
from core.images.buckets import Bucket
from core.language import _, ngettext
from core.plan import pace
from core.plan.folders import dealt, folder_repeats
from core.plan.settle import settle
from core.plan.steps import TARGET, Count, Suggestion, count, obstacle, suggestions
from core.settings import Plan, Settled, choices
from tui.choices import limits, with_choices
from tui.forecast import forecast, free_here
from tui.keys import bind
from tui.labels import label
from tui.screens.surveyed import SurveyedScreen
from tui.widgets.gauge import StepGauge
from tui.widgets.plan_form import Field, PlanForm
from tui.widgets.text import Text
from tui.words import duration
from tui.work import Work

_FIELDS = ("repeats", "epochs", "batch_size")


class Paced(Message):
    """How fast this machine trains, if it has, and how much GPU memory it has free."""

    def __init__(self, drawings_per_second: float | None, free: int | None) -> None:
        super().__init__()
        self.drawings_per_second, self.free = drawings_per_second, free


class Steps(SurveyedScreen):
    """Three numbers, and everything that follows from them while they are typed."""

    AT = "steps"
    CSS_PATH = "steps.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind("steps.take_1", "steps.take_2", "steps.take_3", "steps.recommend")
    AUTO_FOCUS = "Number"

    form = getters.query_one(PlanForm)
    offers = getters.query_one("#offers", OptionList)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._settled: Settled | None = None
        self._per_bucket: list[int] = []
        self._numbered: list[int] = []
        self._held_out = 0
        self._offered: list[Suggestion] = []
        self._wrong = ""
        self._pace: float | None = None
        self._free: int | None = None
        self._buckets: list[Bucket] = []
        self._paced = False

    @property
    def guide(self) -> str:
        """The guide's aim."""
        return _("The guide aims for 300 to 500 steps: images × repeats ÷ batch size × epochs.")

    @property
    def explained(self) -> str:
        """The words of the calculator."""
        helps = [f"{label(choice.name)}: {_(choice.help)}" for choice in choices(Plan) if choice.name in _FIELDS]
        words = _(
            "The real number is not always the formula's: every bucket ends in a batch of its own, full or not. What "
            "is left empty is chosen so that the steps land in the band; r empties all. The suggestions below do too: "
            "Enter takes the one under the cursor, a, b and c take one from anywhere."
        )
        return "\n\n".join([*helps, words])

    @property
    def obstacle(self) -> str:
        """A number that cannot be."""
        return self._wrong or ("" if self.survey else self.looking)

    def content(self) -> ComposeResult:
        """Fields, formula, gauge, suggestions, and what follows."""
        yield PlanForm(_FIELDS, self.work.project.plan)
        yield Text(id="formula")
        yield StepGauge(TARGET, id="gauge")
        yield Text(id="why")
        yield Text(id="facts")
        yield Text(_("Suggestions (a, b, c take one)"), classes="heading")
        yield OptionList(id="offers", markup=False)

    def on_mount(self) -> None:
        """Ask how fast this machine is."""
        self.look_for_pace()

    @work(thread=True, exclusive=True, exit_on_error=False, group="pace")
    def look_for_pace(self) -> None:
        """Runs that were made here tell."""
        from core.bases import find

        self.post_message(Paced(pace.drawings_per_second(find.resolve(self.work.project.base)), free_here()))

    @on(Paced)
    def keep_pace(self, message: Paced) -> None:
        """Show the time."""
        self._pace, self._free, self._paced = message.drawings_per_second, message.free, True
        self._reckon()

    def ready(self) -> None:
        """Reckon with what the drawings are."""
        self._reckon()

    @on(Field.Changed)
    def changed(self) -> None:
        """Every keystroke counts."""
        try:
            plan = with_choices(self.work.project.plan, self.form.values())
            self.work = self.work.with_project(replace(self.work.project, plan=plan))
            self._wrong = ""
        except BocetoError as error:
            self._wrong = f"{error.title} {error.detail}".strip()
        self._reckon()
        self.say()

    @on(Field.Entered)
    def explain(self, message: Field.Entered) -> None:
        """The help of the field one is in."""
        if not self.obstacle:
            self.say(f"{_(message.choice.help)} ({limits(message.choice)})")

    @on(OptionList.OptionSelected, "#offers")
    def chosen(self, selected: OptionList.OptionSelected) -> None:
        """Take the suggestion under the cursor."""
        self.action_take(selected.option_index)

    def action_take(self, number: int) -> None:
        """Take a suggestion."""
        if number < len(self._offered):
            offer = self._offered[number]
            self._put(repeats=offer.repeats, epochs=offer.epochs, batch_size=offer.batch_size)

    def action_recommend(self) -> None:
        """Leave everything open again: it is chosen to land in the band."""
        default = next(choice.default for choice in choices(Plan) if choice.name == "batch_size")
        self._put(repeats=None, epochs=None, batch_size=default)

    def _put(self, **chosen: Any) -> None:
        plan = replace(self.work.project.plan, **chosen)
        self.work = self.work.with_project(replace(self.work.project, plan=plan))
        self.form.put(plan)
        self._wrong = ""
        self._reckon()
        self.say()

    def _reckon(self) -> None:
        survey = self.survey
        if survey is None or not self.is_mounted:
            return
        usable = survey.usable(self.work.project)
        if not usable:
            self._wrong = _("No drawing is left to train on.")
            return
        if not self._wrong:
            buckets = [survey.placements[index].bucket for index in usable]
            names = [survey.drawings[index].name for index in usable]
            wanted = self.work.project.plan
            self._settled, _reasons, held_out = settle(self.work.project, self.base, buckets, names)
            self._held_out = len(held_out)
            trained = [place for place in range(len(usable)) if place not in held_out]
            self._buckets = buckets
            self._per_bucket, self._numbered = dealt(
                [buckets[place] for place in trained], [folder_repeats(wanted, names[place]) for place in trained]
            )
        plan = self._settled
        if plan is None:
            return
        self.form.note({"repeats": plan.repeats, "epochs": plan.epochs})
        found = count(self._per_bucket, plan.repeats, plan.batch_size, plan.epochs, self._numbered, plan.gpus)
        self._show(found, plan)

    def _show(self, found: Count, plan: Settled) -> None:
        guide = _("{drawings} drawings × {repeats} repeats ÷ {batch_size} batch × {epochs} epochs = {guide}").format(
            drawings=found.drawings,
            repeats=plan.repeats,
            batch_size=found.batch,
            epochs=plan.epochs,
            guide=f"{found.guide:.1f}",
        )
        real = _("{n} real steps").format(n=found.real)
        colour = "$text-success" if found.in_target else "$text-warning"
        formula = Content.assemble(guide, "   ", (real, f"bold {colour}"))
        self.query_one("#formula", Text).update(formula)
        self.query_one(StepGauge).steps = found.real
        why = found.why if found.in_target else self._advice(found) + " " + found.why
        self.query_one("#why", Text).update(why)
        facts = [
            _("{n} steps an epoch").format(n=found.per_epoch),
            ngettext("each drawing is seen once", "each drawing is seen {n} times", found.seen).format(n=found.seen),
        ]
        if self._held_out:
            facts.append(
                ngettext("{n} drawing held out", "{n} drawings held out", self._held_out).format(n=self._held_out)
            )
        if self._pace:
            seconds = found.real * plan.batch_size / self._pace
            facts.append(_("about {time} here, as the last run went").format(time=duration(seconds)))
        elif self._paced:
            facts.append(_("time unknown: nothing was trained on this base here yet"))
        expected = forecast(self.base, plan, self._buckets, found.drawings, self._free) if self._paced else None
        if expected:
            facts.append(expected.words)
        self.query_one("#facts", Text).update(" · ".join(facts))
        current = (plan.repeats, plan.epochs)
        self._offered = suggestions(self._per_bucket, plan.batch_size, current, self._numbered, plan.gpus)
        marked = self.offers.highlighted
        self.offers.clear_options()
        self.offers.add_options(Option(self._offer(number, offer)) for number, offer in enumerate(self._offered))
        self.offers.highlighted = marked if marked is not None and marked < len(self._offered) else 0

    def _advice(self, found: Count) -> str:
        no_way = obstacle(self._per_bucket, found.batch_size * found.gpus, self._numbered)
        if no_way:
            return no_way
        if found.real < TARGET.start:
            return _("Fewer than 300 steps: the LoRA may learn too little.")
        return _("More than 500 steps: the LoRA may learn the drawings by heart.")

    def _offer(self, number: int, offer: Suggestion) -> Content:
        inside = offer.real in TARGET
        return Content.assemble(
            (f"{'abc'[number]}  ", "bold $text-accent"),
            _("{repeats} repeats × {epochs} epochs, batch {batch_size}").format(
                repeats=offer.repeats, epochs=offer.epochs, batch_size=offer.batch_size
            ),
            "  →  ",
            (_("{n} steps").format(n=offer.real), "$text-success" if inside else "$text-warning"),
            (_(", each seen {n} times").format(n=offer.seen), "$foreground-muted"),
        )


SCREEN = Steps
