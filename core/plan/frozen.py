"""The frozen plan: everything a run needs to know, settled before it starts."""

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from core import toml
from core.bases import find
from core.bases.base import Base, fingerprint
from core.errors import BocetoError, Problem
from core.images.buckets import Buckets, Placement, place
from core.images.treatment import Treatment
from core.language import _
from core.plan.beginning import beginning
from core.plan.contradictions import refuse_contradictions
from core.plan.folders import dealt, folder_repeats
from core.plan.regularisation import look
from core.plan.settle import Reason, settle
from core.plan.survey import Survey, caption_of, survey
from core.project import Kind, Place, Project
from core.settings import Settled


class FrozenDrawing(Struct, frozen=True):
    """One drawing as this run sees it, whatever happens to the file later."""

    name: str
    digest: str
    caption: str
    """With the activation word in front."""
    treatment: Treatment
    placement: Placement
    held_out: bool = False
    repeats: int | None = None
    """How often an epoch shows it, where the name of its folder says so and not the plan."""


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
    fingerprint: str
    """Of the base's files."""
    plan: Settled
    reasons: tuple[Reason, ...] = ()
    left_out: tuple[Problem, ...] = ()
    """Files of the dataset that are not in the training, and why."""
    init_digest: str = ""
    """sha256 of the LoRA file it begins from, if it does."""
    drawings: tuple[FrozenDrawing, ...] = ()
    regularisation: tuple[FrozenDrawing, ...] = ()
    """Drawings that are shown beside the others, in the folder that the plan names."""

    @property
    def trained(self) -> tuple[FrozenDrawing, ...]:
        """The drawings that are learned from."""
        return tuple(drawing for drawing in self.drawings if not drawing.held_out)

    @property
    def per_bucket(self) -> tuple[list[int], list[int]]:
        """What the calculator asks: drawings whose repeats are the plan's, and how often an epoch shows the others."""
        trained = self.trained
        return dealt([one.placement.bucket for one in trained], [one.repeats for one in trained])


def freeze(where: Place, project: Project, seen: Survey | None = None) -> FrozenPlan:
    """Settle everything the artist left open. Raises BocetoError when nothing could be trained."""
    base = find.resolve(project.base)
    seen = seen or survey(where, project, base)
    usable = seen.usable(project)
    if not usable:
        raise BocetoError(
            _("There is no drawing to train on in “{folder}”.").format(folder=where.dataset(project)),
            seen.problems[0].message if seen.problems else "",
            _("Put drawings there (PNG, JPEG, WebP …), or see with `boceto check` what is wrong with each."),
        )
    names = [seen.drawings[index].name for index in usable]
    buckets = [seen.placements[index].bucket for index in usable]
    plan, reasons, held_out = settle(project, base, buckets, names)
    refuse_contradictions(plan)
    plan, init_digest = beginning(plan)
    drawings = tuple(
        FrozenDrawing(
            name=seen.drawings[index].name,
            digest=seen.drawings[index].digest,
            caption=caption_of(seen.captions[index], project),
            treatment=project.treatments.get(seen.drawings[index].name, Treatment()),
            placement=seen.placements[index],
            held_out=place in held_out,
            repeats=folder_repeats(project.plan, seen.drawings[index].name),
        )
        for place, index in enumerate(usable)
    )
    plan, beside, unreadable = _beside(plan, base, project.activation_word, {one.digest for one in drawings})
    return FrozenPlan(
        project=project.name,
        kind=project.kind,
        activation_word=project.activation_word,
        dataset=str(where.dataset(project)),
        output=str(_free_stem(where, project.name)),
        base=base,
        fingerprint=fingerprint(base),
        plan=plan,
        reasons=tuple(reasons),
        left_out=(*seen.left_out(project), *unreadable),
        init_digest=init_digest,
        drawings=drawings,
        regularisation=beside,
    )


def _beside(
    plan: Settled, base: Base, word: str, digests: set[str]
) -> tuple[Settled, tuple[FrozenDrawing, ...], tuple[Problem, ...]]:
    """The plan with the whole path of its regularisation folder, and what is in it."""
    if not plan.regularisation:
        return plan, (), ()
    found = look(Path(plan.regularisation), word, digests)
    buckets = Buckets.of(plan.resolution, base.multiple)
    drawings = tuple(
        FrozenDrawing(
            name=drawing.name,
            digest=drawing.digest,
            caption=caption,
            treatment=Treatment(),
            placement=place(drawing.width, drawing.height, buckets),
        )
        for drawing, caption in zip(found.drawings, found.captions, strict=True)
    )
    return replace(plan, regularisation=str(found.folder)), drawings, found.unreadable


def _free_stem(where: Place, name: str) -> Path:
    """A stem that no LoRA file has and no run will write, now or when it goes on, so that nothing is overwritten."""
    taken = {path.stem for path in where.output.glob("*.safetensors")}
    taken |= {Path(str(toml.head(plan).get("output", ""))).name for plan in where.runs.glob("*/plan.toml")}
    stem, number = name, 1
    while any(other == stem or other.startswith((f"{stem}-0", f"{stem}-step")) for other in taken):
        number += 1
        stem = f"{name}-{number}"
    return where.output / stem
