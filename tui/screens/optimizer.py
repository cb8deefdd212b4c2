"""Optimizer: what moves the weights, with the arguments that belong to it; the rest of the plan folded away."""

from typing import Any, ClassVar

from msgspec.structs import asdict, replace
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Collapsible, OptionList
from textual.widgets.option_list import Option

from core.checkup import lacking
from core.errors import BocetoError
from core.language import _
from core.plan.optimizers import ARGUMENTS, Recommendation, recommend, with_preset
from core.plan.settle import settle
from core.settings import OptimizerName, Plan, choices
from tui.choices import limits, with_choices
from tui.keys import bind
from tui.labels import OPTIMIZERS, label, optimizer_name
from tui.screens.surveyed import SurveyedScreen
from tui.widgets.plan_form import Field, PlanForm
from tui.widgets.text import Text
from tui.words import plain
from tui.work import Work

ELSEWHERE = ("repeats", "epochs", "batch_size", "optimizer")
ADVANCED = tuple(choice.name for choice in choices(Plan) if choice.name not in (*ARGUMENTS, *ELSEWHERE))


class Optimizer(SurveyedScreen):
    """Three optimizers, their arguments, and everything else for those who know."""

    AT = "optimizer"
    CSS_PATH = "optimizer.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bind("optimizer.advanced", "optimizer.reset")
    AUTO_FOCUS = "#optimizers"

    optimizers = getters.query_one("#optimizers", OptionList)

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._recommended: Recommendation | None = None
        self._wrong: dict[str, str] = {}

    @property
    def guide(self) -> str:
        """The guide's choice."""
        return _("The guide: AdamW8bit for many drawings, Prodigy for few. Their arguments belong together.")

    @property
    def explained(self) -> str:
        """Every choice, explained."""
        words = _(
            "Enter takes an optimizer, and its arguments change with it. A field that is left empty takes what stands "
            "beside its arrow; most people leave them all empty. v opens the advanced choices, r empties every field "
            "here."
        )
        shown = (choice for choice in choices(Plan) if choice.name not in ELSEWHERE)
        return "\n".join([words, "", *(f"{label(choice.name)}: {_(choice.help)}" for choice in shown)])

    @property
    def obstacle(self) -> str:
        """A number that cannot be, or a package that is not there."""
        if self._wrong:
            return next(iter(self._wrong.values()))
        if self.survey is None:
            return self.looking
        missing = lacking(self._optimizer)
        return f"{missing.words} → {missing.remedy}" if missing else ""

    @property
    def _optimizer(self) -> OptimizerName:
        return self.work.project.plan.optimizer or (self._recommended.optimizer if self._recommended else "adamw")

    def content(self) -> ComposeResult:
        """The three, the arguments, the rest."""
        plan = self.work.project.plan
        yield OptionList(id="optimizers", markup=False)
        with VerticalScroll(id="forms", can_focus=False):
            yield Text(_("Its arguments"), classes="heading")
            yield PlanForm(ARGUMENTS, plan, id="arguments")
            with Collapsible(title=_("Advanced: rank, text encoders, noise, previews, files …"), collapsed=True):
                yield PlanForm(ADVANCED, plan, id="advanced")

    def ready(self) -> None:
        """With the drawings counted, one can be recommended."""
        assert self.survey
        self._recommended = recommend(len(self.survey.usable(self.work.project)))
        self._show()

    @on(OptionList.OptionSelected, "#optimizers")
    def choose(self, chosen: OptionList.OptionSelected) -> None:
        """Take one; arguments that were typed for another go with it."""
        plan = replace(self.work.project.plan, optimizer=OPTIMIZERS[chosen.option_index], **dict.fromkeys(ARGUMENTS))
        self._take(plan)

    @on(Field.Changed)
    def changed(self, message: Field.Changed) -> None:
        """Keep what was typed, if it can be."""
        choice = message.field.choice
        try:
            plan = with_choices(self.work.project.plan, {choice.name: message.field.value})
            self.work = self.work.with_project(replace(self.work.project, plan=plan))
            self._wrong.pop(choice.name, None)
        except BocetoError as error:
            self._wrong[choice.name] = f"{error.title} {error.detail}".strip()
        self._note()
        self.say()

    @on(Field.Entered)
    def explain(self, message: Field.Entered) -> None:
        """The help of the field one is in."""
        if not self._wrong:
            bounds = limits(message.choice)
            self.say(_(message.choice.help) + (f" ({bounds})" if bounds else ""))

    def action_advanced(self) -> None:
        """Open or close the rest."""
        folded = self.query_one(Collapsible)
        folded.collapsed = not folded.collapsed
        if not folded.collapsed:
            self.call_after_refresh(lambda: self.query_one("#advanced Number").focus())

    def action_reset(self) -> None:
        """Leave everything here open: it is chosen as recommended."""
        defaults: dict[str, Any] = {
            choice.name: choice.default for choice in choices(Plan) if choice.name not in ELSEWHERE
        }
        self._take(replace(self.work.project.plan, optimizer=None, **defaults))

    def answered(self) -> Work:
        """The plan, if every number can be."""
        if self._wrong:
            raise BocetoError(self.obstacle)
        return self.work

    def _take(self, plan: Plan) -> None:
        self.work = self.work.with_project(replace(self.work.project, plan=plan))
        self._wrong = {}
        for form in self.query(PlanForm):
            form.put(plan)
        self._show()
        self.say()

    def _show(self) -> None:
        marked = self.optimizers.highlighted
        self.optimizers.clear_options()
        self.optimizers.add_options(Option(self._line(name)) for name in OPTIMIZERS)
        self.optimizers.highlighted = OPTIMIZERS.index(self._optimizer) if marked is None else marked
        self._note()

    def _note(self) -> None:
        """Beside every field what is taken when it is left open."""
        survey, project = self.survey, self.work.project
        if survey is None or self._wrong:
            return
        usable = survey.usable(project)
        if usable:
            settled = asdict(
                settle(
                    project,
                    self.base,
                    [survey.placements[index].bucket for index in usable],
                    [survey.drawings[index].name for index in usable],
                )[0]
            )
        else:
            settled = asdict(with_preset(replace(project.plan, optimizer=self._optimizer)))
        for form in self.query(PlanForm):
            form.note(settled)
        for name in ("d_coef", "d0"):
            self.query_one(f"#field-{name}").display = self._optimizer == "prodigy"

    def _line(self, name: OptimizerName) -> Content:
        chosen = ("● ", "$text-primary") if name == self._optimizer else ("○ ", "$foreground-muted")
        recommended = self._recommended if self._recommended and self._recommended.optimizer == name else None
        words = recommended.reason if recommended else _SUITS[name]()
        star = (_("recommended: "), "$text-success") if recommended else ""
        return Content.assemble(
            chosen, (f"{optimizer_name(name):<10}", "bold"), " ", star, (plain(words), "$foreground-muted")
        )


_SUITS = {
    "adamw8bit": lambda: _("for many drawings; takes the least memory"),
    "prodigy": lambda: _("for few drawings; finds the learning rate by itself"),
    "adamw": lambda: _("runs everywhere; takes more memory than AdamW8bit"),
}

SCREEN = Optimizer
