"""The training loop: what happens in which order; how each thing is done lives elsewhere."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch

from core.lora import file as lora
from core.lora.metadata import metadata
from core.plan.schedule import Step
from core.runs.events import Checkpointed, Event, Finished, Paused, Phase, Resumed, Saved, Stopped
from core.runs.job import Requests
from core.runs.run import Run
from core.training import checkpoint as checkpoints
from core.training.checkpoint import Checkpoint
from core.training.evaluate import evaluate
from core.training.meter import Meter, came_apart
from core.training.preview import preview
from core.training.step import loss
from core.training.studio import Studio

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def train(studio: Studio, run: Run, requests: Requests, done: int, deadline: float) -> Iterator[Event]:
    """Make every step after the first `done`, saving on the way; ends with Finished or Stopped.

    `deadline` is in the seconds of `time.monotonic`; what was reached by then is kept.
    """
    plan, meter = studio.frozen.plan, Meter(studio)
    begun, kept = done, time.monotonic()
    yield Phase(name="train", done=done, total=studio.total)
    yield evaluate(studio, done)
    meter.pause()
    for step in studio.schedule.from_step(done):
        if requests.take("pause"):
            yield from _paused(requests, done)
            meter.pause()
        if requests.stop or time.monotonic() >= deadline:
            if done > begun:
                yield from _kept(studio, run, meter, done)
                yield _save(studio, done, step.epoch, f"-step{done:08d}")
            yield Stopped(step=done, reason="asked" if requests.stop else "budget")
            return
        meter.add(step, learn(studio, step))
        done = step.index + 1
        if meter.due or step.ends_epoch:
            yield from meter.events()
        # The checkpoint comes last: a run that is killed before it makes the step, and all that follows, again.
        if step.ends_epoch:
            yield from _end_of_epoch(studio, step)
        if requests.take("preview") or (step.ends_epoch and _due(plan.preview_every, step.epoch, plan.epochs)):
            yield from meter.events()
            yield Phase(name="preview")
            yield preview(studio, run, done)
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


def learn(studio: Studio, step: Step) -> torch.Tensor:
    """Make one step. Returns its loss, still on the device."""
    with studio.mixed():
        found = loss(
            studio.unet,
            studio.data.batch(step),
            studio.noising,
            studio.frozen.plan.min_snr_gamma,
            studio.device.dtype,
        )
    studio.optimizer.learn(found, step.index)
    return found


def _end_of_epoch(studio: Studio, step: Step) -> Iterator[Event]:
    plan = studio.frozen.plan
    if step.epoch % plan.save_every == 0 and step.epoch < plan.epochs:
        yield _save(studio, step.index + 1, step.epoch, f"-{step.epoch:06d}")
    yield evaluate(studio, step.index + 1)


def _kept(studio: Studio, run: Run, meter: Meter, done: int) -> Iterator[Event]:
    # First what the losses say: a checkpoint of numbers that came apart would replace a good one.
    yield from meter.events()
    checkpoint = Checkpoint(done, studio.network.state(), studio.optimizer.state(), torch.get_num_threads())
    if not checkpoint.is_sound():
        raise came_apart(done, studio.optimizer.rate)
    checkpoints.save(run.checkpoints, checkpoint)
    yield Checkpointed(step=done)


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
    lora.save(path, studio.network.tensors(), words, _PRECISIONS[plan.save_precision])
    return Saved(step=done, epoch=epoch, path=str(path), final=final)


def _paused(requests: Requests, done: int) -> Iterator[Event]:
    requests.take("resume")  # one that was asked before the pause is not meant for it
    yield Paused(step=done)
    while not (requests.take("resume") or requests.stop):
        time.sleep(0.1)
    yield Resumed(step=done)


def _due(every: int, epoch: int, last: int) -> bool:
    return bool(every) and (epoch % every == 0 or epoch == last)
