"""The training loop: what happens in which order; how each thing is done lives elsewhere."""

import time
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain

import torch

from core.language import _
from core.plan.schedule import Step
from core.runs.events import Event, Finished, Noted, Paused, Phase, Resumed, Saved, Stopped
from core.runs.job import Requests, is_out_of_memory
from core.runs.run import Run
from core.training.device import attempted
from core.training.evaluate import evaluate
from core.training.keeper import AT_EPOCH, AT_STEP, Keeper
from core.training.meter import Meter
from core.training.studio import Studio


class OutOfMemoryError(Exception):
    """A step found too little memory; what was done before it is kept."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


def train(studio: Studio, run: Run, requests: Requests, done: int, deadline: float) -> Iterator[Event]:
    """Make every step after the first `done`, saving on the way; ends with Finished or Stopped.

    `deadline` is in the seconds of `time.monotonic`; what was reached by then is kept.
    """
    meter = Meter(studio, done)
    keeper = Keeper(studio, run, meter)
    try:
        yield from _trained(studio, requests, done, deadline, meter, keeper)
    except Exception:
        # What there was to keep is there, and told, whatever ended the training.
        yield from keeper.finish()
        raise


def _trained(
    studio: Studio, requests: Requests, done: int, deadline: float, meter: Meter, keeper: Keeper
) -> Iterator[Event]:
    plan = studio.frozen.plan
    begun, kept = done, time.monotonic()
    yield Phase(name="train", done=done, total=studio.total)
    yield _evaluated(studio, done)
    studio.gear.begin(studio, done)
    meter.pause()
    for step in studio.schedule.from_step(done):
        yield from keeper.events()
        if requests.take("pause"):
            yield from keeper.finish()
            yield from _paused(requests, done)
            meter.pause()
        if studio.ranks.agree(requests.stop or time.monotonic() >= deadline):
            if done > begun:
                yield from _kept(studio, meter, keeper, done)
                yield from keeper.lora(done, step.epoch, AT_STEP.format(done))
            yield from keeper.finish()
            yield Stopped(step=done, reason="asked" if requests.stop else "budget")
            return
        try:
            told = learn(studio, step)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # Up to its gradients a step leaves the weights as they were after the one before.
            if done > begun and not studio.optimizer.moving:
                yield from _kept(studio, meter, keeper, done)
            raise OutOfMemoryError(done) from error
        meter.add(step, told)
        done = step.index + 1
        if meter.due or step.ends_epoch:
            yield from _told(studio, meter, keeper)
        # The checkpoint comes last: a run that is killed before it makes the step, and all that follows, again.
        if step.ends_epoch:
            yield from _end_of_epoch(studio, keeper, step)
        if _due(plan.save_every_steps, done) and done < studio.total:
            yield from keeper.lora(done, step.epoch, AT_STEP.format(done))
            yield from keeper.only_last(AT_STEP, done, plan.save_every_steps)
        if requests.take("preview") or (step.ends_epoch and _due(plan.preview_every, step.epoch, plan.epochs)):
            yield from _told(studio, meter, keeper)
            yield Phase(name="preview")
            yield from keeper.previews(done)
            yield Phase(name="train", done=done, total=studio.total)
            meter.pause()
        asked = requests.take("save")
        if asked:
            yield from keeper.lora(done, step.epoch, AT_STEP.format(done))
        if step.ends_epoch or asked or time.monotonic() - kept >= plan.checkpoint_seconds:
            yield from _kept(studio, meter, keeper, done)
            kept = time.monotonic()
            meter.pause()
    yield Phase(name="save")
    yield from _finished(chain(keeper.lora(done, plan.epochs), keeper.finish()), done)


def assist(studio: Studio, done: int) -> None:
    """Make the same steps in a process that is not the first, which decides, saves and speaks.

    Raises OutOfMemoryError as `train` does.
    """
    studio.gear.begin(studio, done)
    for step in studio.schedule.from_step(done):
        if studio.ranks.agree(False):
            return
        try:
            learn(studio, step)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise OutOfMemoryError(step.index) from error
            raise


def learn(studio: Studio, step: Step) -> torch.Tensor:
    """Make one step. Returns its loss, still on the device."""
    told = studio.gear.step(studio, step)
    if studio.average:
        studio.average.take(step.index, studio.optimizer.broken)
    return told


def _told(studio: Studio, meter: Meter, keeper: Keeper) -> Iterator[Event]:
    """What the steps say. Several whose loss was no number end the training, with what it was before them kept."""
    yield from studio.gear.events()
    yield from meter.events()
    if meter.lost is None:
        return
    good = meter.good
    yield from keeper.finish()
    if good and keeper.kept < good:
        # Steps that were left out have changed nothing: the weights are still those of the last good one.
        yield from keeper.checkpoint(good)
        yield from keeper.lora(good, studio.schedule.steps[good - 1].epoch, AT_STEP.format(good))
    raise meter.came_apart(meter.lost)


def _end_of_epoch(studio: Studio, keeper: Keeper, step: Step) -> Iterator[Event]:
    plan = studio.frozen.plan
    if _due(plan.save_every, step.epoch) and step.epoch < plan.epochs:
        yield from keeper.lora(step.index + 1, step.epoch, AT_EPOCH.format(step.epoch))
        yield from keeper.only_last(AT_EPOCH, step.epoch, plan.save_every)
    yield _evaluated(studio, step.index + 1)


def _evaluated(studio: Studio, done: int) -> Event:
    words = _("The loss on fixed noise was left out after step {step}: the memory is not enough.")
    return attempted(partial(evaluate, studio, done)) or Noted(message=words.format(step=done))


def _kept(studio: Studio, meter: Meter, keeper: Keeper, done: int) -> Iterator[Event]:
    # First what the losses say: a checkpoint of numbers that came apart would replace a good one.
    yield from _told(studio, meter, keeper)
    yield from keeper.checkpoint(done)


def _finished(written: Iterable[Event], done: int) -> Iterator[Event]:
    for event in written:
        yield event
        if isinstance(event, Saved) and event.final:
            yield Finished(step=done, path=event.path)


def _paused(requests: Requests, done: int) -> Iterator[Event]:
    requests.take("resume")  # one that was asked before the pause is not meant for it
    yield Paused(step=done)
    while not (requests.take("resume") or requests.stop):
        time.sleep(0.1)
    yield Resumed(step=done)


def _due(every: int, number: int, last: int = 0) -> bool:
    return bool(every) and (number % every == 0 or number == last)
