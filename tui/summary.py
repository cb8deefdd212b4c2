"""Everything about a training on one page, before it starts."""

from pathlib import Path

from msgspec.structs import asdict

from core import paths
from core.bases.catalog import place_of
from core.language import _, ngettext
from core.plan.frozen import FrozenPlan
from core.plan.steps import steps_per_epoch
from core.plan.survey import Survey
from core.project import Project
from core.settings import Plan
from tui.choices import written
from tui.forecast import forecast
from tui.words import duration


def facts(
    frozen: FrozenPlan, project: Project, survey: Survey, drawings_per_second: float | None, free: int | None
) -> tuple[list[tuple[str, str]], int]:
    """What is trained, on what and for how long, as names and values; and the real number of steps.

    `free` is what the GPU has free, in bytes; None where there is none.
    """
    plan, used = frozen.plan, len(frozen.drawings)
    per_bucket, numbered = frozen.per_bucket
    steps = steps_per_epoch(per_bucket, plan.repeats, plan.whole_batch, numbered) * plan.epochs
    drawings = ngettext("{n} drawing", "{n} drawings", used).format(n=used)
    if held_out := used - len(frozen.trained):
        drawings += ", " + _("{n} of them held out").format(n=held_out)
    captioned = sum(bool(survey.captions[index].training_text) for index in survey.usable(project))
    reckoned = _("{n} (repeats {repeats}, epochs {epochs}, batch size {batch_size})").format(
        n=steps, repeats=plan.repeats, epochs=plan.epochs, batch_size=plan.batch_size
    )
    rows = [
        (_("Project"), f"{project.name}, {paths.shown(Path(frozen.output))}.safetensors"),
        (_("Drawings"), f"{drawings}, {paths.shown(Path(frozen.dataset))}"),
        (_("Teaches"), _("a character") if project.kind == "character" else _("a style")),
        (_("Activation word"), project.activation_word or _("none")),
        (_("Captions"), f"{captioned}/{used}"),
        (_("Base"), f"{frozen.base.name}, {place_of(frozen.base)}"),
        (_("Steps"), reckoned),
    ]
    if drawings_per_second:
        time = duration(steps * plan.batch_size / drawings_per_second)
        rows.append((_("Time"), _("about {time} here, as the last run went").format(time=time)))
    buckets = [drawing.placement.bucket for drawing in frozen.drawings]
    expected = forecast(frozen.base, plan, buckets, used, free)
    if expected:
        rows.append((_("Memory"), expected.words))
    return rows, steps


def chosen_by_person(project: Project) -> list[tuple[str, str]]:
    """Every choice of the plan that is not the default: field and value."""
    defaults = asdict(Plan())
    return [(name, written(value)) for name, value in asdict(project.plan).items() if value != defaults[name]]
