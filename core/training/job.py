"""The job that carries out a training: `python -m core.training.job RUN`."""

import os
import socket
import sys
import time
from collections.abc import Generator, Iterator
from functools import partial
from math import inf
from pathlib import Path
from typing import TypeVar

from core.bases.base import fingerprint
from core.errors import BocetoError
from core.language import _
from core.plan.frozen import FrozenPlan
from core.plan.schedule import schedule
from core.runs.events import Chosen, Event, Noted, Started, Stopped
from core.runs.job import Requests, carry_out
from core.runs.run import Run

T = TypeVar("T")


def work(run: Run, requests: Requests) -> Iterator[Event]:
    """Train what the run's frozen plan says, from its newest checkpoint when there is one."""
    begun = time.monotonic()
    # Here, not above: the job holds the run's lock before the seconds that torch takes to load.
    import torch

    from core.training import checkpoint, fit
    from core.training.device import choose, free
    from core.training.loop import OutOfMemoryError, train
    from core.training.studio import open_studio

    frozen = run.plan()
    _same_base(frozen)
    device = choose(frozen.plan.precision)
    steps = schedule(frozen)
    checkpoint.tidy(run.checkpoints)
    reached = checkpoint.newest(run.checkpoints)
    done = reached.step if reached else 0
    yield Started(pid=os.getpid(), host=socket.gethostname(), device=device.name, total=len(steps.steps), step=done)
    if not reached and any(run.checkpoints.glob("*.pt")):
        yield Noted(message=_("No checkpoint of this run can be read: it begins anew."))
    for problem in frozen.left_out:
        yield Noted(message=_("Left out: {name}. {why}").format(name=problem.drawing, why=problem.message))
    for reason in frozen.reasons:
        yield Chosen(field=reason.field, value=reason.value, reason=reason.reason)
    if reached and device.place.type == "cpu":
        torch.set_num_threads(reached.threads)
    budget = frozen.plan.time_budget
    deadline = begun + 60 * budget if budget else inf
    limit = device.limit(frozen.plan.memory)
    while True:
        opening = partial(open_studio, frozen, steps, device, not reached)
        studio = yield from _until_stopped(fit.fitted(opening, run, frozen, steps, limit), requests)
        if studio is None:
            yield Stopped(step=done, reason="asked")
            return
        if reached:
            studio.network.restore(reached.weights)
            studio.optimizer.restore(reached.optimizer)
            if studio.average:
                studio.average.restore(reached.weights)
            reached = None  # Prodigy's is twice as large as the LoRA, and now it is there twice
        try:
            yield from train(studio, run, requests, done, deadline)
            return
        except OutOfMemoryError as error:
            done = error.step
            yield fit.smaller(run, frozen, steps, studio.measures, error)
        # What the error held of the step goes with it; only then is there room for the next try.
        studio = None
        free()
        reached = checkpoint.newest(run.checkpoints) if done else None


def _until_stopped(phases: Generator[Event, None, T], requests: Requests) -> Generator[Event, None, T | None]:
    """The outcome of `phases`, or None when the job is asked to stop before."""
    while not requests.stop:
        try:
            yield next(phases)
        except StopIteration as end:
            outcome: T = end.value
            return outcome
    phases.close()
    return None


def _same_base(frozen: FrozenPlan) -> None:
    if fingerprint(frozen.base) != frozen.fingerprint:
        raise BocetoError(
            _("The base {base} is no longer the one this run was planned with.").format(base=frozen.base.name),
            _("Its files in {path} have changed since.").format(path=frozen.base.path),
            _("Put the old files back to go on, or start a new training."),
        )


if __name__ == "__main__":
    sys.exit(carry_out(Path(sys.argv[1]), work))
