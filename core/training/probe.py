"""The probe: two real steps and a picture, which tell what a training takes before it begins."""

from collections.abc import Callable, Generator
from typing import cast

from core.language import _
from core.plan import memory
from core.plan.fit import Search
from core.plan.memory import GIB, Measures
from core.runs.events import Chosen, Event, Noted, Phase
from core.settings import Settled
from core.training.device import attempted, free
from core.training.loop import learn
from core.training.preview import draw
from core.training.ranks import ALONE
from core.training.studio import Studio
from core.training.writer import Snapshot

_STEPS = 2
"""The first makes what the optimizer remembers; the second has it beside everything else."""

Opening = Callable[[Measures], Generator[Event, None, Studio]]
"""Makes a training with these measures ready to begin."""


def probed(opening: Opening, plan: Settled, size: tuple[int, int, int], limit: int) -> Generator[Event, None, Studio]:
    """A training that fits into `limit` bytes of GPU memory with the cheapest measures, its weights untouched.

    What was reckoned is replaced by what is measured, in both directions: no measure stays that is not needed.
    Raises BocetoError when none are enough.
    """
    search = Search(plan, size, limit)
    studio: Studio | None = yield from opening(search.measures)
    while studio:
        yield Phase(name="probe")
        peak = measured(studio)
        if peak is not None:
            words = _("Two steps and a picture took {peak:.1f} of {limit:.1f} GB of GPU memory.")
            yield Noted(message=words.format(peak=peak / GIB, limit=limit / GIB))
        done, before = search.told(peak), studio.measures
        if search.measures.nf4 != before.nf4:
            studio = None  # both would not fit at once
            free()
            studio = yield from opening(search.measures)
        else:
            studio = studio.anew(search.measures)
        if done:
            break
    free()  # and forget the peak of what was only tried
    for one in memory.reasons(plan, size[0], search.measures, limit):
        yield Chosen(field=one.field, value=one.value, reason=one.reason)
    return cast(Studio, studio)


def measured(studio: Studio) -> int | None:
    """The most bytes that the GPU held in a few of the largest steps and a preview; None when it had not enough."""
    steps, weights = studio.schedule.steps, Snapshot(studio.network.buffers)
    largest = max(steps, key=lambda step: len(step.sights) * step.bucket.width * step.bucket.height)
    free()

    def tried() -> int:
        # An optimizer of its own, which waits for no other process: each has a device of the same kind.
        trial = studio.anew(studio.measures, ALONE)
        for _step in range(_STEPS):
            learn(trial, largest)
        if studio.frozen.plan.preview_every:
            draw(trial, steps=1, most=1)
        studio.device.wait()
        return studio.device.memory_used()

    peak = attempted(tried)
    studio.network.restore(weights.take())
    studio.network.zero_grad()
    return peak
