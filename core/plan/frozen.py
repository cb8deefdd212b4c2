"""The frozen plan: everything a run needs to know, settled before it starts."""

from pathlib import Path
from threading import Event

from msgspec import Struct
from msgspec.structs import replace

from core.bases import find
from core.bases.base import Base
from core.captions import caption as captions
from core.captions import store
from core.errors import BocetoError, Problem, Severity
from core.images.buckets import Buckets, Placement, place
from core.images.checks import check, check_folder
from core.images.drawing import Drawing, Treatment
from core.images.duplicates import duplicates
from core.images.scan import scan
from core.language import _
from core.plan.optimizers import with_preset
from core.project import Kind, Place, Project
from core.randomness import source
from core.settings import Plan


class Reason(Struct, frozen=True):
    """An automatic choice and why it was made."""

    field: str
    value: str
    reason: str


class FrozenDrawing(Struct, frozen=True):
    """One drawing as this run sees it, whatever happens to the file later."""

    name: str
    digest: str
    caption: str
    """With the activation word in front."""
    treatment: Treatment
    placement: Placement
    held_out: bool = False


class FrozenPlan(Struct, frozen=True, kw_only=True):
    """What is trained, on what, and why so."""

    version: int = 1
    project: str
    kind: Kind
    activation_word: str
    dataset: str
    output: str
    """Folder and stem of the LoRA files."""
    base: Base
    plan: Plan
    reasons: tuple[Reason, ...] = ()
    drawings: tuple[FrozenDrawing, ...] = ()

    @property
    def trained(self) -> tuple[FrozenDrawing, ...]:
        """The drawings that are learned from."""
        return tuple(drawing for drawing in self.drawings if not drawing.held_out)


class Survey(Struct, frozen=True):
    """What a dataset's folder holds: drawings in their buckets, and everything that is wrong."""

    drawings: tuple[Drawing, ...]
    placements: tuple[Placement, ...]
    captions: tuple[store.CaptionFile, ...]
    problems: tuple[Problem, ...]

    def usable(self, project: Project) -> list[int]:
        """Indices of the drawings that can be trained: not excluded, not blocked unless the artist said otherwise."""
        blocked = {problem.drawing for problem in self.problems if problem.severity is Severity.BLOCK}
        allowed = {name for name, treatment in project.treatments.items() if treatment.excluded is False}
        excluded = {name for name, treatment in project.treatments.items() if treatment.excluded}
        return [
            index
            for index, drawing in enumerate(self.drawings)
            if drawing.name not in excluded and (drawing.name not in blocked or drawing.name in allowed)
        ]


def survey(where: Place, project: Project, base: Base, cancelled: Event | None = None) -> Survey:
    """Look at every drawing and caption of a project."""
    folder = where.dataset(project)
    found: list[Drawing] = []
    problems: list[Problem] = []
    for batch in scan(folder, cancelled or Event(), nested=project.nested):
        for item in batch:
            (found if isinstance(item, Drawing) else problems).append(item)  # type: ignore[arg-type]
    native = project.plan.resolution or base.native
    buckets = Buckets.of(native, base.multiple)
    placements = []
    for drawing in found:
        fit = project.treatments.get(drawing.name, Treatment()).fit
        placements.append(place(drawing.width, drawing.height, buckets, fit))
        problems.extend(check(drawing, placements[-1], native))
    problems.extend(check_folder(found))
    problems.extend(duplicates(found, mirrored=project.plan.flip))
    files = [store.read(folder / drawing.name) for drawing in found]
    problems.extend(store.check(files, folder))
    return Survey(tuple(found), tuple(placements), tuple(files), tuple(problems))


def freeze(where: Place, project: Project, seen: Survey | None = None) -> FrozenPlan:
    """Settle everything the artist left open. Raises BocetoError when nothing could be trained."""
    base = find.resolve(project.base)
    seen = seen or survey(where, project, base)
    usable = seen.usable(project)
    if not usable:
        raise BocetoError(
            _("There is no drawing to train on in “{folder}”.").format(folder=where.dataset(project)),
            _("{count} files were looked at, and each has a problem.").format(count=len(seen.problems))
            if seen.problems
            else "",
            _("Put drawings there (PNG, JPEG, WebP …), or see with `boceto check` what is wrong with each."),
        )
    plan, reasons = settle(project.plan, project.kind, base, len(usable))
    held_out = set(source(plan.seed, 0, "held out").sample(usable, min(plan.held_out or 0, len(usable) - 1)))
    drawings = tuple(
        FrozenDrawing(
            name=seen.drawings[index].name,
            digest=seen.drawings[index].digest,
            caption=captions.with_word(seen.captions[index].training_text, project.activation_word),
            treatment=project.treatments.get(seen.drawings[index].name, Treatment()),
            placement=seen.placements[index],
            held_out=index in held_out,
        )
        for index in usable
    )
    return FrozenPlan(
        project=project.name,
        kind=project.kind,
        activation_word=project.activation_word,
        dataset=str(where.dataset(project)),
        output=str(_free_stem(where.output, project.name)),
        base=base,
        plan=plan,
        reasons=tuple(reasons),
        drawings=drawings,
    )


def settle(plan: Plan, kind: Kind, base: Base, drawings: int) -> tuple[Plan, list[Reason]]:
    """Fill in what depends on the dataset and the base, each with its reason."""
    reasons = []
    if plan.prior_pictures is None:
        style = kind == "style"
        plan = replace(plan, prior_pictures=max(1, plan.batch_size // 3) if style else 0)
        why = (
            _("a style should come with the activation word only, so the base's own pictures are learned beside it")
            if style
            else _("a character is not in the base's own pictures, so they would only take time")
        )
        reasons.append(Reason("prior_pictures", str(plan.prior_pictures), why))
    if plan.held_out is None:
        # One in ten, eight at most: enough for a curve, few enough that the style loses nothing.
        plan = replace(plan, held_out=min(8, drawings // 10) if drawings >= 20 else 0)
        why = (
            _("with {drawings} drawings, a few can be kept out to tell learning from memorising")
            if drawings >= 20
            else _("with {drawings} drawings, each is needed for learning")
        )
        reasons.append(Reason("held_out", str(plan.held_out), why.format(drawings=drawings)))
    if plan.resolution is None:
        plan = replace(plan, resolution=base.native)
        reasons.append(Reason("resolution", str(base.native), _("the size {base} was made for").format(base=base.name)))
    before = plan
    plan = with_preset(plan)
    for name in plan.__struct_fields__:
        if getattr(before, name) != getattr(plan, name):
            reason = _("goes with the optimizer {optimizer}").format(optimizer=plan.optimizer)
            reasons.append(Reason(name, str(getattr(plan, name)), reason))
    return plan, reasons


def _free_stem(folder: Path, name: str) -> Path:
    """A stem no LoRA file of an earlier run has, so that nothing is overwritten."""
    taken = [path.name for path in folder.glob("*.safetensors")] if folder.is_dir() else []
    stem, number = name, 1
    while any(other == f"{stem}.safetensors" or other.startswith(f"{stem}-0") for other in taken):
        number += 1
        stem = f"{name}-{number}"
    return folder / stem
