"""`boceto train`: from a folder to a running training, every answer a flag."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from core import paths
from core.errors import BocetoError
from core.images.drawing import EXTENSIONS
from core.language import _
from core.plan.frozen import FrozenPlan, freeze
from core.project import Place, Project, place_of, valid_name
from core.runs.launch import launch
from core.runs.run import Run
from core.settings import Plan, choices
from tui.cli import plan_of
from tui.headless.progress import status_of, watch
from tui.headless.words import plain


def train(options: Namespace) -> int:
    """Save the answers, freeze the plan, start the job, and watch it."""
    place, project = project_of(options)
    frozen = freeze(place, project)
    if options.dry_run:
        show(frozen)
        return 0
    place.save(project)
    run = Run.create(place.runs, frozen)
    launch(run)
    if options.detach:
        words = _("The training runs in {run}. Watch it with `boceto attach {run}`.").format(run=run.folder)
        print(plain(words))
        return 0
    return status_of(watch(run, options.json))


def project_of(options: Namespace) -> tuple[Place, Project]:
    """The project a person means, with the answers given as flags; a folder of drawings begins a new one."""
    place = place_of(options.target)
    if place.file.is_file():
        project = place.load()
    else:
        place, project = _new(place.folder, options)
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
    return place, replace(project, plan=with_flags(project.plan, plan_of(options)), **answers)


def with_flags(plan: Plan, flags: dict[str, Any]) -> Plan:
    """`plan` with some choices changed. Raises BocetoError when one is outside its limits."""
    try:
        return msgspec.convert({**msgspec.structs.asdict(plan), **flags}, Plan)
    except msgspec.ValidationError as error:
        field = str(error).rpartition("`$.")[2].rstrip("`").partition("[")[0]
        raise BocetoError(
            _("A choice of the plan is not possible: --{flag}.").format(flag=field.replace("_", "-")),
            _limits(field, flags.get(field)) or str(error),
            _("`boceto train --help` shows every choice."),
        ) from error


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
    for name, value in msgspec.structs.asdict(frozen.plan).items():
        if value is not None:
            because = f"   ({reasons[name]})" if name in reasons else ""
            console.print(Text(plain(f"  {name} = {value}{because}")))


def _new(folder: Path, options: Namespace) -> tuple[Place, Project]:
    if not folder.is_dir():
        raise BocetoError(
            _("There is no folder and no project called “{target}”.").format(target=options.target),
            hint=_("Give the folder your drawings are in. `boceto ls` shows the projects there are."),
        )
    own = folder / "dataset"
    holds = own if own.is_dir() and not _has_drawings(folder) else folder
    # Not `place_of`: a folder of that name, as the drawings' own, may lie where the person stands.
    place = Place(paths.projects() / valid_name(options.name or folder.name))
    if own.is_dir() and holds is own and not options.name:
        place = Place(folder)
    if place.file.is_file():
        known = place.load()
        if place.dataset(known).resolve() != holds.resolve():
            raise BocetoError(
                _("There is a project “{name}” already, with other drawings.").format(name=known.name),
                _("Its drawings are in {folder}.").format(folder=place.dataset(known)),
                _("Give the new project another name with --name."),
            )
        return place, known
    dataset = "dataset" if holds.parent == place.folder else str(holds)
    return place, Project(name=valid_name(options.name or folder.name), dataset=dataset)


def _limits(field: str, value: object) -> str:
    choice = next((choice for choice in choices(Plan) if choice.name == field), None)
    if choice is None or choice.least is None:
        return ""
    if choice.most is None or value == choice.least:
        return _("It is {value}, and must be more than {least}.").format(value=value, least=choice.least)
    return _("It is {value}, and must be from {least} to {most}.").format(
        value=value, least=choice.least, most=choice.most
    )


def _has_drawings(folder: Path) -> bool:
    return any(path.suffix.lower() in EXTENSIONS for path in folder.iterdir())
