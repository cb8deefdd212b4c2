"""Settling a plan: what the artist left open is chosen, each choice with its reason."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from core.bases.base import Base
from core.images.buckets import Bucket
from core.language import _
from core.plan.folders import dealt, folder_repeats, numbered_folders
from core.plan.optimizers import recommend, with_preset
from core.plan.steps import TARGET, steps_per_epoch, suggestions
from core.project import Project
from core.randomness import source
from core.settings import Plan, Settled

ENOUGH_TO_HOLD_OUT = 20
"""With fewer drawings each one is worth more for learning than for measuring."""


class Reason(Struct, frozen=True):
    """An automatic choice and why it was made."""

    field: str
    value: str
    reason: str


class _Chooser:
    """A plan in the making, and why each field became what it is."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.reasons: list[Reason] = []

    def choose(self, field: str, value: object, reason: str) -> None:
        """Set `field` unless the artist has."""
        if getattr(self.plan, field) is None:
            self.plan = replace(self.plan, **{field: value})
            self.reasons.append(Reason(field, str(value), reason))


def settle(
    project: Project, base: Base, buckets: Sequence[Bucket], names: Sequence[str] = ()
) -> tuple[Settled, list[Reason], set[int]]:
    """Fill in what depends on the dataset and the base; `buckets` has the bucket of each drawing, `names` its name.

    Without `names` no folder says how often its drawings are seen. Returns the plan, the reasons, and which drawings
    (by their place in `buckets`) are held out.
    """
    chooser, drawings = _Chooser(project.plan), len(buckets)
    recommended = recommend(drawings)
    chooser.choose("optimizer", recommended.optimizer, recommended.reason)
    chooser.choose("prior_pictures", *_prior_pictures(project))
    chooser.choose("held_out", *_held_out(drawings))
    chooser.choose("resolution", base.native, _("the size {base} was made for").format(base=base.name))
    plan = chooser.plan
    # At least one drawing is left to learn from.
    count = min(plan.held_out or 0, drawings - 1)
    held_out = set(source(plan.seed, 0, "held out").sample(range(drawings), count))
    trained = [place for place in range(drawings) if place not in held_out]
    numbers = [folder_repeats(plan, names[place]) if names else None for place in trained]
    left, numbered = dealt([buckets[place] for place in trained], numbers)
    repeats, epochs = _repeats_and_epochs(plan, left, numbered)
    real = steps_per_epoch(left, repeats, plan.whole_batch, numbered) * epochs
    aim = _("makes {steps} steps; the guide aims for {least} to {most}").format(
        steps=real, least=TARGET.start, most=TARGET.stop - 1
    )
    chooser.choose("repeats", repeats, aim)
    chooser.choose("epochs", epochs, aim)
    if folders := numbered_folders(names, plan):
        said = ", ".join(f"{number} × “{folder}”" for folder, number in folders.items())
        why = _("the names of these folders say how often an epoch shows their drawings")
        chooser.reasons.append(Reason("folder_repeats", said, why))
    before = chooser.plan
    after = with_preset(before)
    for field in after.__struct_fields__:
        if getattr(before, field) != getattr(after, field):
            reason = _("goes with the optimizer {optimizer}").format(optimizer=after.optimizer)
            chooser.reasons.append(Reason(field, str(getattr(after, field)), reason))
    return msgspec.convert(msgspec.structs.asdict(after), Settled), chooser.reasons, held_out


def _repeats_and_epochs(plan: Plan, per_bucket: list[int], numbered: list[int]) -> tuple[int, int]:
    """What the artist chose, and beside it what brings the real count into the target, or nearest to it."""
    if plan.repeats and plan.epochs:
        return plan.repeats, plan.epochs
    if not plan.repeats and not plan.epochs:
        offers = suggestions(per_bucket, plan.batch_size, numbered=numbered, gpus=plan.gpus)
        best = next(iter(offers), None)
        if best and best.batch_size == plan.batch_size:
            return best.repeats, best.epochs
    middle = (TARGET.start + TARGET.stop) / 2

    def beside(choice: tuple[int, int]) -> float:
        repeats, epochs = choice
        return abs(steps_per_epoch(per_bucket, repeats, plan.whole_batch, numbered) * epochs - middle)

    repeats = [plan.repeats] if plan.repeats else range(1, 501 if sum(per_bucket) else 2)
    # Where nothing fits, as with thousands of drawings, one epoch of one repeat comes nearest.
    epochs = [plan.epochs] if plan.epochs else range(1, 21)
    return min(((r, e) for e in epochs for r in repeats), key=beside)


def _held_out(drawings: int) -> tuple[int, str]:
    if drawings < ENOUGH_TO_HOLD_OUT:
        return 0, _("with {drawings} drawings, each is needed for learning").format(drawings=drawings)
    # One in ten, eight at most: enough for a curve, few enough that the style loses nothing.
    return min(8, drawings // 10), _(
        "with {drawings} drawings, a few can be kept out to tell learning from memorising"
    ).format(drawings=drawings)


def _prior_pictures(project: Project) -> tuple[int, str]:
    if project.plan.regularisation:
        return max(1, project.plan.batch_size // 3), _("a folder of regularisation drawings is named")
    if not project.activation_word:
        return 0, _("without an activation word nothing could tell the drawings from the base's own pictures")
    if project.kind == "character":
        return 0, _("a character is not in the base's own pictures, so they would only take time")
    return max(1, project.plan.batch_size // 3), _(
        "a style should come with the activation word only, so the base's own pictures are learned beside it"
    )
