"""How well a LoRA file answers on fixed (drawing, noise, timestep) triples, whoever made it: diffusers reads it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.utils import logging as diffusers_words
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers.utils import logging as transformers_words

TIMESTEPS = tuple(range(62, 1000, 125))
"""Eight, in the middle of eight equal parts of SDXL's thousand."""


@torch.no_grad()
def loss(base: Path, lora: Path | None, drawings: Sequence[Path], side: int) -> float:
    """The mean squared error over all drawings and timesteps; of the base alone where there is no LoRA.

    Drawings become squares of `side` pixels by bicubic weights, which is neither Boceto's way nor the script's.
    """
    for said in (diffusers_words, transformers_words):
        said.set_verbosity_error()
        said.disable_progress_bar()
    pipe = StableDiffusionXLPipeline.from_pretrained(str(base), local_files_only=True)
    for part in (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
        part.float()
    if lora:
        pipe.load_lora_weights(_alike(load_file(lora)))
        if (loaded := sum(hasattr(part, "lora_A") for part in pipe.unet.modules())) != layers(lora)[0]:
            raise RuntimeError(f"Of the {layers(lora)[0]} layers in {lora} diffusers has loaded {loaded}.")
    alphas = pipe.scheduler.alphas_cumprod.float()
    timesteps = torch.tensor(TIMESTEPS)
    signal, share = (part[timesteps].sqrt().view(-1, 1, 1, 1) for part in (alphas, 1 - alphas))
    errors = []
    for number, drawing in enumerate(drawings):
        latents, time_ids = _seen(pipe, drawing, side)
        context, pooled = _read(pipe, drawing.with_suffix(".txt").read_text("utf-8").strip())
        many = len(TIMESTEPS)
        noise = torch.randn((many, *latents.shape[1:]), generator=torch.Generator().manual_seed(number))
        answer = pipe.unet(
            signal * latents + share * noise,
            timesteps,
            context.expand(many, -1, -1),
            added_cond_kwargs={"text_embeds": pooled.expand(many, -1), "time_ids": time_ids.expand(many, -1)},
        ).sample
        errors.append((answer - noise).square().mean())
    return float(torch.stack(errors).mean())


def layers(lora: Path) -> tuple[int, int]:
    """How many layers of a LoRA file there are, and how many numbers in them."""
    with safe_open(lora, framework="pt") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    weights = [shape for name, shape in shapes.items() if not name.endswith("alpha")]
    return len(weights) // 2, sum(torch.Size(shape).numel() for shape in weights)


def _alike(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Under one way of naming. The script writes attention in diffusers' old way and other layers in peft's, and of a
    file that has both diffusers loads the latter only.
    """
    for old, new in ((".lora.down.", ".lora_A."), (".lora.up.", ".lora_B.")):
        tensors = {name.replace(old, new): tensor for name, tensor in tensors.items()}
    return tensors


def _seen(pipe: StableDiffusionXLPipeline, drawing: Path, side: int) -> tuple[Tensor, Tensor]:
    with Image.open(drawing) as image:
        width, height = image.size
        picture = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(1, side, side, 3)
    encoded = pipe.vae.encode(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).latent_dist.mode()
    return encoded * pipe.vae.config.scaling_factor, torch.tensor([[height, width, 0, 0, side, side]]).float()


def _read(pipe: StableDiffusionXLPipeline, caption: str) -> tuple[Tensor, Tensor]:
    context, _none, pooled, _none_either = pipe.encode_prompt(caption, do_classifier_free_guidance=False)
    return context, pooled
