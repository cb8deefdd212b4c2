"""Preview pictures in the middle of a training: the same prompts and seeds each time."""

import torch

from core.bases import load
from core.files import write_bytes
from core.pictures.generate import at_once, decode, sampled
from core.pictures.sheet import png
from core.runs.events import Previewed
from core.runs.run import Run
from core.training.cache import groups_of
from core.training.device import free
from core.training.studio import Studio


def preview(studio: Studio, run: Run, step: int) -> Previewed:
    """Draw every preview prompt and keep the pictures in the run's folder."""
    plan, base, device = studio.frozen.plan, studio.frozen.base, studio.device
    size, pictures = (plan.resolution, plan.resolution), []
    for group in groups_of(studio.previews, at_once(*size)):
        seeds = [seed for _prompt, _number, seed in group]
        with studio.averaged():
            with torch.no_grad(), studio.mixed():
                context, pooled = studio.data.texts([0, *(number for _prompt, number, _seed in group)])
            options = {"steps": plan.preview_steps, "dtype": device.dtype}
            latents = sampled(studio.unet, base, context, pooled, size, seeds, **options)
        free()
        # The VAE is there for the blink it is needed: in fp32, beside the UNet and the optimizer's state.
        pictures += decode(load.vae(base, device.place, device.dtype), latents)
    paths = []
    for index, picture in enumerate(pictures, start=1):
        path = run.previews / f"step{step:06d}-{index}.png"
        write_bytes(path, png(picture))
        paths.append(str(path))
    return Previewed(step=step, paths=tuple(paths), prompts=tuple(prompt for prompt, _n, _s in studio.previews))
