"""The job that carries out a training: `python -m core.training.job RUN`, or torchrun with one for each GPU."""

import logging
import os
import socket
import sys
import time
from collections.abc import Generator, Iterator
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from core.bases.base import fingerprint
from core.errors import BocetoError
from core.language import _
from core.plan.frozen import FrozenPlan
from core.plan.schedule import schedule
from core.runs.events import Chosen, Event, Noted, Started, Stopped
from core.runs.job import Requests, carry_along, carry_out
from core.runs.run import Run
from core.training import ranks
from core.training.ranks import Ranks

if TYPE_CHECKING:
    from core.training.checkpoint import Checkpoint
    from core.training.device import Device
    from core.training.studio import Studio

T = TypeVar("T")


def work(run: Run, requests: Requests) -> Iterator[Event]:
    """Train what the run's frozen plan says, from its newest checkpoint when there is one."""
    begun, frozen = time.monotonic(), run.plan()
    _same_base(frozen)
    with ranks.joined(frozen.plan.gpus, run, lambda: requests.stop) as ours:
        yield from _trained(frozen, run, requests, ours, begun)


def assist(run: Run, requests: Requests) -> None:
    """The same in every process but the first: it finds everything prepared, and writes nothing but less memory."""
    frozen = run.plan()
    with ranks.joined(frozen.plan.gpus, run, lambda: requests.terminated) as ours:
        from core.training import checkpoint, fit, loop
        from core.training.device import choose
        from core.training.studio import open_studio

        device = choose(frozen.plan.precision)
        ours.least(device.limit(frozen.plan.memory))
        done = ours.tell(0)
        if done < 0:
            return
        reached = checkpoint.newest(run.checkpoints) if done else None
        if done != (reached.step if reached else 0):
            raise BocetoError(
                _("The processes of this training do not see the same checkpoint."),
                _("The first goes on after step {step}, and here it cannot be read.").format(step=done),
                _("The run's folder must be one and the same on all machines."),
            )
        _same_threads(device, reached)
        measures = run.measures or fit.as_wished(frozen.plan)
        steps = schedule(frozen)
        studio = _outcome(open_studio(frozen, steps, device, not reached, measures, ours))
        _restore(studio, reached)
        reached = None
        ours.meet()
        try:
            loop.assist(studio, done)
        except loop.OutOfMemoryError as error:
            fit.smaller(run, frozen, steps, measures, error)
            raise fit.together(error.step) from error


def _trained(frozen: FrozenPlan, run: Run, requests: Requests, ours: Ranks, begun: float) -> Iterator[Event]:
    # Here, not above: the job holds the run's lock before the seconds that torch takes to load.
    from core.training import checkpoint, fit
    from core.training.device import choose, free
    from core.training.loop import OutOfMemoryError, train
    from core.training.studio import open_studio

    device = choose(frozen.plan.precision)
    steps = schedule(frozen)
    checkpoint.tidy(run.checkpoints)
    reached = checkpoint.newest(run.checkpoints)
    done = reached.step if reached else 0
    yield Started(
        pid=os.getpid(),
        host=socket.gethostname(),
        device=device.name if ours.alone else f"{device.name} × {ours.world}",
        total=len(steps.steps),
        step=done,
    )
    if not reached and any(run.checkpoints.glob("*.pt")):
        yield Noted(message=_("No checkpoint of this run can be read: it begins anew."))
    for problem in frozen.left_out:
        yield Noted(message=_("Left out: {name}. {why}").format(name=problem.drawing, why=problem.message))
    for reason in frozen.reasons:
        yield Chosen(field=reason.field, value=reason.value, reason=reason.reason)
    _same_threads(device, reached)
    budget = frozen.plan.time_budget
    deadline = begun + 60 * budget if budget else inf
    limit = ours.least(device.limit(frozen.plan.memory))
    while True:
        opening = partial(open_studio, frozen, steps, device, not reached, ranks=ours)
        studio = yield from _until_stopped(fit.fitted(opening, run, frozen, steps, limit), requests)
        # Now the others open theirs, and find everything in the cache.
        ours.tell(-1 if studio is None else done)
        if studio is None:
            yield Stopped(step=done, reason="asked")
            return
        _restore(studio, reached)
        reached = None  # Prodigy's is twice as large as the LoRA, and now it is there twice
        ours.meet()
        try:
            yield from train(studio, run, requests, done, deadline)
            return
        except OutOfMemoryError as error:
            yield fit.smaller(run, frozen, steps, studio.measures, error)
            if not ours.alone:
                raise fit.together(error.step) from error
        # What the error held of the step goes with it; only then is there room for the next try.
        studio = None
        free()
        reached = checkpoint.newest(run.checkpoints)
        done = reached.step if reached else 0


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


def _outcome(phases: Generator[Event, None, T]) -> T:
    """What `phases` come to, whatever they say."""
    while True:
        try:
            next(phases)
        except StopIteration as end:
            outcome: T = end.value
            return outcome


def _same_threads(device: "Device", reached: "Checkpoint | None") -> None:
    import torch

    if reached and device.place.type == "cpu":
        torch.set_num_threads(reached.threads)


def _restore(studio: "Studio", reached: "Checkpoint | None") -> None:
    """Go on where a checkpoint was made."""
    if reached:
        studio.network.restore(reached.weights)
        studio.optimizer.restore(reached.optimizer)
        if studio.average:
            studio.average.restore(reached.weights)


def _same_base(frozen: FrozenPlan) -> None:
    if fingerprint(frozen.base) != frozen.fingerprint:
        raise BocetoError(
            _("The base {base} is no longer the one this run was planned with.").format(base=frozen.base.name),
            _("Its files in {path} have changed since.").format(path=frozen.base.path),
            _("Put the old files back to go on, or start a new training."),
        )


def main(folder: Path) -> NoReturn:
    """Carry out the run in `folder`, alone or as one of several, and leave."""
    status = carry_along(folder, assist) if ranks.number() else carry_out(folder, work)
    if ranks.several():
        # What one has begun on a device with others that are gone would hold the usual way out for ever.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
