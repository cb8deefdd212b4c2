"""`boceto train`: from a folder to a running training, every answer a flag."""

from argparse import Namespace
from typing import Any

import msgspec
from msgspec.structs import replace

from core.language import _
from core.plan.frozen import FrozenPlan, freeze
from core.project import Place, Project, begin, place_of
from core.runs import processes
from core.runs.launch import launch
from core.runs.run import Run
from tui.choices import with_choices
from tui.cli import plan_of
from tui.forecast import forecast, free_here
from tui.headless.like import like
from tui.headless.progress import status_of, watch
from tui.words import plain


def train(options: Namespace) -> int:
    """Save the answers, freeze the plan, start the job, and watch it."""
    place, project = project_of(options)
    frozen = freeze(place, project)
    if options.dry_run:
        show(frozen)
        return 0
    if options.nodes > 1:
        return _split(place, project, frozen, options.nodes)
    processes.require(frozen.plan.gpus)
    place.save(project)
    run = Run.create(place.runs, frozen)
    launch(run)
    if options.detach:
        words = _("The training runs in {run}. Watch it with `boceto attach {run}`.").format(run=run.folder)
        print(plain(words))
        return 0
    return status_of(watch(run, options.json))


def _split(place: Place, project: Project, frozen: FrozenPlan, machines: int) -> int:
    """Lay the run down, and print what starts it on several machines."""
    processes.split(frozen.plan.gpus, machines)
    place.save(project)
    run = Run.create(place.runs, frozen)
    words = _(
        "Run this on each of the {machines} machines; HOST is the name of one of them. All must see {folder} and the "
        "drawings under the same path, and have the same Boceto. The same line goes on after a stop."
    )
    print(plain(words.format(machines=machines, folder=run.folder)))
    print(plain(processes.command_on_each(run, frozen.plan.gpus, machines)))
    return 0


def project_of(options: Namespace) -> tuple[Place, Project]:
    """The project a person means, with the answers given as flags; a folder of drawings begins a new one."""
    place = place_of(options.target)
    begun = not place.file.is_file()
    if begun:
        place, project = begin(place.folder, options.name or "")
    else:
        project = place.load()
    if getattr(options, "like", None):
        project = like(project, options.like, begun, options.base)
    answers: dict[str, Any] = {
        field: value
        for field, value in (
            ("activation_word", options.word),
            ("kind", options.kind),
            ("base", options.base),
            ("nested", options.nested),
        )
        if value is not None
    }
    return place, replace(
        project,
        plan=with_choices(project.plan, plan_of(options), _flag, _("`boceto train --help` shows every choice.")),
        **answers,
    )


def show(frozen: FrozenPlan) -> None:
    """Print the whole plan with every automatic choice and its reason."""
    from rich.console import Console
    from rich.text import Text

    from core.plan.schedule import schedule

    console = Console()
    steps = schedule(frozen)
    reasons = {reason.field: reason.reason for reason in frozen.reasons}
    console.print(
        Text(
            _("{drawings} drawings, {held_out} of them held out; {steps} steps on {base}.").format(
                drawings=len(frozen.drawings),
                held_out=len(frozen.drawings) - len(frozen.trained),
                steps=len(steps.steps),
                base=frozen.base.name,
            )
        )
    )
    buckets = [drawing.placement.bucket for drawing in frozen.drawings]
    expected = forecast(frozen.base, frozen.plan, buckets, len(frozen.drawings), free_here())
    if expected:
        console.print(Text(f"{_('Memory')}: {expected.words}"))
    for name, value in msgspec.structs.asdict(frozen.plan).items():
        if value is not None:
            because = f"   ({reasons[name]})" if name in reasons else ""
            console.print(Text(plain(f"  {name} = {value}{because}")))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
