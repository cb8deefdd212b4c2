"""The measures of a run that make it fit: found once, kept in its folder, and more of them when they must be."""

from collections.abc import Generator
from math import ceil

from core.errors import BocetoError
from core.language import _
from core.plan import memory
from core.plan.frozen import FrozenPlan
from core.plan.memory import Measures
from core.plan.schedule import Schedule
from core.runs.events import Event, Noted
from core.runs.run import Run
from core.settings import Settled
from core.training.loop import OutOfMemoryError
from core.training.probe import Opening, probed
from core.training.studio import Studio


def fitted(
    opening: Opening, run: Run, frozen: FrozenPlan, schedule: Schedule, limit: int | None
) -> Generator[Event, None, Studio]:
    """A training that is ready to begin and fits into `limit` bytes of GPU memory, where there is a limit.

    A run that goes on does so with the measures it had. Raises BocetoError when none are enough.
    """
    plan, measures, size = frozen.plan, run.measures, size_of(frozen, schedule)
    if measures is None and limit is not None and memory.known(frozen.base):
        studio = yield from probed(opening, plan, size, limit)
        run.keep_measures(studio.measures)
        return studio
    return (yield from opening(measures or as_wished(plan)))


def as_wished(plan: Settled) -> Measures:
    """What the plan itself asks for, where nothing limits it."""
    return Measures(twice=memory.ALL if plan.checkpointing else 0, nf4=plan.nf4)


def smaller(run: Run, frozen: FrozenPlan, schedule: Schedule, measures: Measures, error: OutOfMemoryError) -> Noted:
    """Take the next measure after memory ran out in mid-run, and say so. Raises what happened when there is none."""
    images, _pixels, _texts = size_of(frozen, schedule)
    wanted = memory.smaller(images, measures)
    if wanted is None:
        raise error.__cause__ or error
    run.keep_measures(wanted)
    how = wanted.twice_said() if wanted.twice > measures.twice else wanted.pieces_said(images)
    words = _("The memory was not enough for step {step}. The training goes on from there with less at once: {how}.")
    return Noted(message=words.format(step=error.step + 1, how=how))


def together(step: int) -> BocetoError:
    """The end of a training of several processes that have to take the next measure all at once."""
    return BocetoError(
        _("The memory was not enough for step {step}.").format(step=step + 1),
        _("The processes of a training go on with less at once only together."),
        _("`boceto resume` goes on from the last checkpoint, with less at once."),
    )


def size_of(frozen: FrozenPlan, schedule: Schedule) -> tuple[int, int, int]:
    """What one GPU has to hold: pictures of the largest step, latent pixels of each, and captions that are encoded."""
    return (
        ceil(max(len(step.sights) for step in schedule.steps) / frozen.plan.gpus),
        max(step.bucket.width * step.bucket.height for step in schedule.steps) // frozen.base.vae_factor**2,
        len(schedule.captions),
    )
