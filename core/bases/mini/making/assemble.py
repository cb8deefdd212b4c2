"""Putting the parts of a base together and saving it in diffusers' layout."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline
from transformers import CLIPTokenizer

from core.bases.mini.making import words
from core.bases.mini.making.drawer import BETA_END, BETA_START, TIMESTEPS, Drawer


def pipeline(
    vae: AutoencoderKL, drawer: Drawer, tokenizers: tuple[CLIPTokenizer, CLIPTokenizer]
) -> StableDiffusionXLPipeline:
    """The whole base, as the program that draws with it."""
    scheduler = EulerDiscreteScheduler(
        num_train_timesteps=TIMESTEPS,
        beta_start=BETA_START,
        beta_end=BETA_END,
        beta_schedule="scaled_linear",
        timestep_spacing="leading",
        steps_offset=1,
    )
    return StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=drawer.first,
        text_encoder_2=drawer.second,
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        unet=drawer.unet,
        scheduler=scheduler,
        force_zeros_for_empty_prompt=False,  # captions that were left out were encoded as '', see `words.caption`
        add_watermarker=False,
    )


def save(base: StableDiffusionXLPipeline, folder: Path) -> int:
    """Write `base` to `folder` in half precision, as published SDXL checkpoints are; give the bytes it takes."""
    base.to(torch.float16)
    base.save_pretrained(folder)
    words.save(base.tokenizer, folder / "tokenizer")
    words.save(base.tokenizer_2, folder / "tokenizer_2")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
