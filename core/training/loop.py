"""The training loop: what happens in which order; how each thing is done lives elsewhere."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch

from core.language import _
from core.lora import file as lora
from core.lora.metadata import metadata
from core.plan.schedule import Step
from core.runs.events import Checkpointed, Event, Finished, Noted, Paused, Phase, Resumed, Saved, Stopped
from core.runs.job import Requests, is_out_of_memory
from core.runs.run import Run
from core.training import checkpoint as checkpoints
from core.training.checkpoint import Checkpoint
from core.training.device import free
from core.training.evaluate import evaluate
from core.training.meter import Meter
from core.training.preview import preview
from core.training.studio import Studio

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class OutOfMemoryError(Exception):
    """A step found too little memory; what was done before it is kept."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


def train(studio: Studio, run: Run, requests: Requests, done: int, deadline: float) -> Iterator[Event]:
    """Make every step after the first `done`, saving on the way; ends with Finished or Stopped.

    `deadline` is in the seconds of `time.monotonic`; what was reached by then is kept.
    """
    plan, meter = studio.frozen.plan, Meter(studio, done)
    begun, kept = done, time.monotonic()
    yield Phase(name="train", done=done, total=studio.total)
    yield evaluate(studio, done)
    studio.gear.begin(studio, done)
    meter.pause()
    for step in studio.schedule.from_step(done):
        if requests.take("pause"):
            yield from _paused(requests, done)
            meter.pause()
        if studio.ranks.agree(requests.stop or time.monotonic() >= deadline):
            if done > begun:
                yield from _kept(studio, run, meter, done)
                yield _save(studio, done, step.epoch, f"-step{done:08d}")
            yield Stopped(step=done, reason="asked" if requests.stop else "budget")
            return
        try:
            told = learn(studio, step)
        except (RuntimeError, MemoryError) as error:
            # Several would have to take the same measures at the same step: they end here, and keep what they have.
            if not (is_out_of_memory(error) and studio.ranks.alone):
                raise
            # Up to its gradients a step leaves the weights as they were after the one before.
            if done > begun and not studio.optimizer.moving:
                yield from _kept(studio, run, meter, done)
            raise OutOfMemoryError(done) from error
        meter.add(step, told)
        done = step.index + 1
        if meter.due or step.ends_epoch:
            yield from _told(studio, run, meter)
        # The checkpoint comes last: a run that is killed before it makes the step, and all that follows, again.
        if step.ends_epoch:
            yield from _end_of_epoch(studio, step)
        if _due(plan.save_every_steps, done) and done < studio.total:
            yield _save(studio, done, step.epoch, f"-step{done:08d}")
            yield from _only_last(studio, done, plan.save_every_steps, "-step{:08d}")
        if requests.take("preview") or (step.ends_epoch and _due(plan.preview_every, step.epoch, plan.epochs)):
            yield from _told(studio, run, meter)
            yield Phase(name="preview")
            yield _previewed(studio, run, done)
            yield Phase(name="train", done=done, total=studio.total)
            meter.pause()
        asked = requests.take("save")
        if asked:
            yield _save(studio, done, step.epoch, f"-step{done:08d}")
        if step.ends_epoch or asked or time.monotonic() - kept >= plan.checkpoint_seconds:
            yield from _kept(studio, run, meter, done)
            kept = time.monotonic()
            meter.pause()
    yield Phase(name="save")
    final = _save(studio, done, plan.epochs, "", final=True)
    yield final
    yield Finished(step=done, path=final.path)


def assist(studio: Studio, done: int) -> None:
    """Make the same steps in a process that is not the first, which decides, saves and speaks."""
    studio.gear.begin(studio, done)
    for step in studio.schedule.from_step(done):
        if studio.ranks.agree(False):
            return
        learn(studio, step)


def learn(studio: Studio, step: Step) -> torch.Tensor:
    """Make one step. Returns its loss, still on the device."""
    told = studio.gear.step(studio, step)
    if studio.average:
        studio.average.take(step.index, studio.optimizer.broken)
    return told


def _told(studio: Studio, run: Run, meter: Meter) -> Iterator[Event]:
    """What the steps say. Several whose loss was no number end the training, with what it was before them kept."""
    yield from studio.gear.events()
    yield from meter.events()
    if meter.lost is None:
        return
    good = meter.good
    if good and checkpoints.last(run.checkpoints) < good:
        # Steps that were left out have changed nothing: the weights are still those of the last good one.
        yield _checkpoint(studio, run, meter, good)
        yield _save(studio, good, studio.schedule.steps[good - 1].epoch, f"-step{good:08d}")
    raise meter.came_apart(meter.lost)


def _end_of_epoch(studio: Studio, step: Step) -> Iterator[Event]:
    plan = studio.frozen.plan
    if _due(plan.save_every, step.epoch) and step.epoch < plan.epochs:
        yield _save(studio, step.index + 1, step.epoch, f"-{step.epoch:06d}")
        yield from _only_last(studio, step.epoch, plan.save_every, "-{:06d}")
    yield evaluate(studio, step.index + 1)


def _kept(studio: Studio, run: Run, meter: Meter, done: int) -> Iterator[Event]:
    # First what the losses say: a checkpoint of numbers that came apart would replace a good one.
    yield from _told(studio, run, meter)
    yield _checkpoint(studio, run, meter, done)


def _checkpoint(studio: Studio, run: Run, meter: Meter, done: int) -> Checkpointed:
    weights = studio.network.state() | (studio.average.state() if studio.average else {})
    checkpoint = Checkpoint(done, weights, studio.optimizer.state(), torch.get_num_threads())
    if not checkpoint.is_sound():
        raise meter.came_apart(done)
    checkpoints.save(run.checkpoints, checkpoint)
    return Checkpointed(step=done)


def _save(studio: Studio, done: int, epoch: int, suffix: str, final: bool = False) -> Saved:
    plan = studio.frozen.plan
    path = Path(f"{studio.frozen.output}{suffix}.safetensors")
    words = metadata(
        studio.frozen,
        step=done,
        epoch=epoch,
        total=studio.total,
        chunks=studio.chunks,
        precision=studio.device.precision,
    )
    with studio.averaged():
        lora.save(path, studio.network.tensors(), words, _PRECISIONS[plan.save_precision])
    return Saved(step=done, epoch=epoch, path=str(path), final=final)


def _only_last(studio: Studio, number: int, every: int, suffix: str) -> Iterator[Noted]:
    """Remove the files before the last ones that the plan keeps; they lie `every` so many epochs or steps."""
    keep = studio.frozen.plan.keep_last
    for old in range(number - keep * every, 0, -every) if keep else ():
        path = Path(f"{studio.frozen.output}{suffix.format(old)}.safetensors")
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            yield Noted(message=_("“{path}” could not be removed: {error}.").format(path=path, error=error.strerror))


def _previewed(studio: Studio, run: Run, done: int) -> Event:
    try:
        return preview(studio, run, done)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # No training should end by its pictures.
    free(forget=False)
    return Noted(message=_("The previews of step {step} were left out: the memory is not enough.").format(step=done))


def _paused(requests: Requests, done: int) -> Iterator[Event]:
    requests.take("resume")  # one that was asked before the pause is not meant for it
    yield Paused(step=done)
    while not (requests.take("resume") or requests.stop):
        time.sleep(0.1)
    yield Resumed(step=done)


def _due(every: int, number: int, last: int = 0) -> bool:
    return bool(every) and (number % every == 0 or number == last)
