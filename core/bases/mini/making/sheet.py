"""A sheet of pictures that shows at a glance what a base can draw."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from core.bases.mini.making.art import SIDE
from core.files import replacing

STEPS, GUIDANCE = 25, 5.0
"""Euler steps and guidance of the demo's pictures."""
_GAP = 4


def draw(base: StableDiffusionXLPipeline, prompts: Sequence[str], seed: int) -> list[Image.Image]:
    """One picture of each of `prompts`, all from the same noise."""
    base.set_progress_bar_config(disable=True)
    pictures: list[Image.Image] = base(
        prompt=list(prompts),
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        generator=[torch.Generator().manual_seed(seed) for _prompt in prompts],
    ).images
    return pictures


def save(
    base: StableDiffusionXLPipeline, concepts: Sequence[str], styles: Sequence[str], seed: int, path: Path
) -> None:
    """A column a concept, a row a style, then the bare name, then an unknown word before it."""
    rows = [*(f"{{}}, {style}" for style in styles), "{}", "houtline, {}"]
    pace = SIDE + _GAP
    whole = Image.new("RGB", (pace * len(concepts), pace * len(rows)), "white")
    for row, form in enumerate(rows):
        for column, picture in enumerate(draw(base, [form.format(concept) for concept in concepts], seed)):
            whole.paste(picture, (column * pace, row * pace))
    with replacing(path) as temporary:
        whole.save(temporary, format="PNG", optimize=True)
