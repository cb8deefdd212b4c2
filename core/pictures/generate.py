"""Making pictures with a base: sampling latents and decoding them."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from core.bases import load
from core.bases.base import Base
from core.training.device import room
from core.training.step import noise, predict

AREA_AT_ONCE, AREA_TIGHT = 4 * 2**20, 2**20
"""Pixels of pictures that are drawn together: four at 1024 × 1024, some 1.6 GiB beside the weights; one where memory
is tight."""
MOST_AT_ONCE = 12
_TILES = ((4 * 2**30, 0), (2**30, 512), (0, 256))
"""With so many bytes of GPU memory left, the decoder works in tiles of so many pixels; 0 is the whole picture.

In fp32 SDXL's takes 3.0 GiB for 1024 × 1024, 0.76 GiB for a tile of 512 and 0.21 GiB for one of 256.
"""
GUIDANCE = 5.0
"""How strongly a picture follows its prompt: within SDXL's usual 5 to 7, and what suits small bases too."""


def at_once(width: int, height: int, tight: bool = False) -> int:
    """How many pictures of this size are drawn together; fewer where memory is `tight`."""
    return max(1, min(MOST_AT_ONCE, (AREA_TIGHT if tight else AREA_AT_ONCE) // (width * height)))


@torch.inference_mode()
def sample(
    unet: Any,
    base: Base,
    context: Tensor,
    pooled: Tensor,
    size: tuple[int, int],
    seeds: Sequence[int],
    steps: int = 25,
    guidance: float = GUIDANCE,
    dtype: torch.dtype = torch.float32,
) -> Iterator[Tensor | None]:
    """Latents of pictures of `size` (width, height), one a seed; yields None after each step, then the latents.

    `context` and `pooled` hold the empty prompt first, then one prompt a seed. Euler, classifier-free guidance.
    """
    place = context.device
    # A base that ends in pure noise has to be asked to begin there.
    scheduler = load.scheduler(base, **({"timestep_spacing": "trailing"} if base.zero_terminal_snr else {}))
    scheduler.set_timesteps(steps, device=place)
    width, height = size
    shape = (1, base.latent_channels, height // base.vae_factor, width // base.vae_factor)
    latents = torch.cat([noise(seed, "picture", shape) for seed in seeds]).to(place) * scheduler.init_noise_sigma
    time_ids = torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32, device=place)
    contexts = torch.cat([context[:1].expand(len(seeds), -1, -1), context[1:]]).to(dtype)
    pools = torch.cat([pooled[:1].expand(len(seeds), -1), pooled[1:]]).to(dtype)
    for timestep in scheduler.timesteps:
        doubled = scheduler.scale_model_input(torch.cat([latents, latents]), timestep).to(dtype)
        times = timestep.expand(2 * len(seeds)).to(place)
        answer = predict(unet, doubled, times, contexts, pools, time_ids.expand(2 * len(seeds), -1)).float()
        without, with_prompt = answer.chunk(2)
        latents = scheduler.step(without + guidance * (with_prompt - without), timestep, latents).prev_sample
        yield None
    yield latents


def sampled(*args: Any, **options: Any) -> Tensor:
    """The latents of `sample`, without its pauses."""
    *_pauses, latents = sample(*args, **options)
    assert latents is not None
    # Out of inference mode, so that a training may use them.
    return latents.clone()


@torch.inference_mode()
def decode(vae: Any, latents: Tensor) -> list[Image.Image]:
    """Pictures of latents, one at a time: a decoder takes far more memory than the UNet."""
    left = room(vae.device)
    tile = 0 if left is None else next(side for bytes_, side in _TILES if left >= bytes_)
    if tile:
        vae.enable_tiling()
        # diffusers takes the size that the VAE was made for, 1024, with which nothing is cut.
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        vae.tile_sample_min_size, vae.tile_latent_min_size = tile, tile // factor
    pictures = []
    for latent in latents:
        scaled = (latent[None] / vae.config.scaling_factor).to(vae.dtype)
        pixels = (vae.decode(scaled, return_dict=False)[0].float() / 2 + 0.5).clamp(0, 1)
        array = (pixels[0].permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy()
        pictures.append(Image.fromarray(array))
    return pictures
