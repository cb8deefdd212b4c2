"""Preview pictures in the middle of a training: the same prompts and seeds each time."""

from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from PIL import Image

from core.bases import load
from core.files import write_bytes
from core.pictures.generate import at_once, decode, sampled
from core.pictures.sheet import png
from core.runs.events import Previewed
from core.runs.run import Run
from core.training.cache import groups_of
from core.training.device import free
from core.training.studio import Studio


def keep(pictures: Sequence[Image.Image], prompts: Sequence[str], run: Run, step: int) -> Iterator[Previewed]:
    """Write the pictures of these prompts after `step` steps to the run's folder."""
    paths = []
    for index, picture in enumerate(pictures, start=1):
        path = run.previews / f"step{step:06d}-{index}.png"
        write_bytes(path, png(picture))
        paths.append(str(path))
    yield Previewed(step=step, paths=tuple(paths), prompts=tuple(prompts))


def draw(studio: Studio, steps: int, most: int | None = None) -> list[Image.Image]:
    """The pictures of the preview prompts, or of the first `most` groups that are drawn together."""
    plan, base, device = studio.frozen.plan, studio.frozen.base, studio.device
    size, pictures = (plan.resolution, plan.resolution), []
    for group in islice(groups_of(studio.previews, at_once(*size, studio.measures.tight)), most):
        seeds = [seed for _prompt, _number, seed in group]
        with studio.averaged():
            with torch.no_grad():
                context, pooled = studio.data.texts([0, *(number for _prompt, number, _seed in group)])
            options = {"steps": steps, "dtype": device.dtype}
            latents = sampled(studio.unet, base, context, pooled, size, seeds, **options)
        if studio.measures.tight:
            free(forget=False)  # which waits for the device; else it still draws while the VAE is read
        # The VAE is there for the blink it is needed: in fp32, beside the UNet and the optimizer's state.
        pictures += decode(load.vae(base, device.place, device.dtype), latents)
    return pictures
