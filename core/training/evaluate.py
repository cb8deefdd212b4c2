"""The loss on fixed (drawing, noise, timestep) triples: a curve without the noise of training."""

import torch
from torch import Tensor

from core.plan.schedule import FixedSample
from core.runs.events import Evaluated
from core.training.cache import groups_of
from core.training.step import losses
from core.training.studio import Studio


@torch.no_grad()
def evaluate(studio: Studio, step: int) -> Evaluated:
    """The mean squared error on drawings that are learned from and on those held out."""
    with studio.averaged():
        return _evaluated(studio, step)


def _evaluated(studio: Studio, step: int) -> Evaluated:
    means: dict[bool, float | None] = {True: None, False: None}
    for held_out in means:
        samples = [sample for sample in studio.schedule.fixed if sample.held_out is held_out]
        if samples:
            means[held_out] = float(torch.cat(_losses(studio, samples)).mean())
    return Evaluated(step=step, trained=means[False] or 0.0, held_out=means[True])


def _losses(studio: Studio, samples: list[FixedSample]) -> list[Tensor]:
    found = []
    for shape in dict.fromkeys(studio.data.shape(sample) for sample in samples):
        alike = (sample for sample in samples if studio.data.shape(sample) == shape)
        # As many at once as a training batch, which is known to fit.
        found += [
            losses(studio.unet, studio.data.fixed(group), studio.noising, studio.device.dtype)
            for group in groups_of(alike, studio.at_once)
        ]
    return found
