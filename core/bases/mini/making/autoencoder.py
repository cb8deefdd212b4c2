"""The autoencoder of the small base: 64 × 64 pictures to 16 × 16 × 4 latents and back."""

import math
from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from core.bases.mini.making.art import SIDE, Art
from core.bases.mini.making.pace import Average, Pace
from core.language import _

SCALING = 0.13025
"""SDXL's `scaling_factor`; `folded` makes it right for these latents, so nothing that knows SDXL need know more."""


def new(seed: int) -> AutoencoderKL:
    """An untrained autoencoder of 0.65 M parameters.

    The posterior starts narrow and its means wide: two trainings that were compiled and began without both
    never left the mean picture. For the same reason nothing here is compiled.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(16, 32, 64),
            layers_per_block=1,
            norm_num_groups=8,
            sample_size=SIDE,
            scaling_factor=SCALING,
            force_upcast=False,
            mid_block_add_attention=False,
        )
    with torch.no_grad():
        vae.quant_conv.bias[4:] = -6.0
        vae.quant_conv.weight[:4] *= 9.0
    return vae


def held_out(concept: str) -> bool:
    """Whether the autoencoder never learns from this concept, in any style: one in twenty, by its name."""
    return crc32(concept.encode()) % 20 == 0


def train(
    vae: AutoencoderKL, pictures: NDArray[np.uint8], pace: Pace, *, seed: int, device: torch.device, batch: int
) -> list[float]:
    """Teach `vae` the `pictures`, (n, 64, 64, 3); give the loss of every step."""
    vae.to(device).train()
    generator = torch.Generator().manual_seed(seed)
    data = torch.from_numpy(pictures).to(device)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=1.5e-3, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    average, losses = Average(vae, 0.998), list[float]()
    for _step, rate in pace.walk(_("Autoencoder"), losses):
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * rate
        chosen = torch.randint(len(data), (batch,), generator=generator)
        flipped = torch.rand(batch, 1, 1, 1, generator=generator) < 0.5
        noise = torch.randn(batch, 4, SIDE // 4, SIDE // 4, generator=generator)
        target = signed(data[chosen.to(device)])
        target = torch.where(flipped.to(device), target.flip(-1), target)
        with torch.autocast(device.type, torch.bfloat16):
            posterior = vae.encode(target).latent_dist
            drawn = vae.decode(posterior.mean + posterior.std * noise.to(device)).sample
        loss = _distance(drawn.float(), target) + 1e-4 * _surprise(posterior.mean.float(), posterior.logvar.float())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        average.add()
        losses.append(loss.item())
    average.settle()
    vae.eval()
    return losses


def signed(pictures: torch.Tensor) -> torch.Tensor:
    """Bytes (n, h, w, 3) as the autoencoder sees them: (n, 3, h, w) from -1 to 1."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def _distance(drawn: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 + 2 MSE, and half the L1 of the gradients, without which thin outlines come out grey."""
    off = drawn - target
    edges = off.diff(dim=-1).abs().mean() + off.diff(dim=-2).abs().mean()
    return off.abs().mean() + 2 * off.square().mean() + 0.5 * edges


def _surprise(mean: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """KL divergence from the unit normal, per latent number."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()


@torch.no_grad()
def latents(vae: AutoencoderKL, pictures: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """The latents' means (n, 4, 16, 16), before `scaling_factor`."""
    vae.to(device)
    data = torch.from_numpy(pictures)
    return torch.cat(
        [vae.encode(signed(part.to(device))).latent_dist.mean for part in torch.chunk(data, math.ceil(len(data) / 64))]
    )


@torch.no_grad()
def folded(vae: AutoencoderKL, encoded: torch.Tensor) -> AutoencoderKL:
    """Fold the statistics of the `encoded` pictures into the two 1 × 1 convolutions around the latents.

    Afterwards latents × `scaling_factor` have mean 0 and deviation 1 in every channel, as a diffusion model wants
    them, and the pictures are the same as before.
    """
    mean = encoded.mean((0, 2, 3))
    scale = encoded.std((0, 2, 3)) * SCALING
    before, after = vae.quant_conv, vae.post_quant_conv
    before.weight[:4] /= scale.view(4, 1, 1, 1)
    before.bias[:4] = (before.bias[:4] - mean) / scale
    before.bias[4:] -= 2 * scale.log()
    after.bias += after.weight[:, :, 0, 0] @ mean
    after.weight *= scale.view(1, 4, 1, 1)
    return vae


@torch.no_grad()
def fidelity(
    vae: AutoencoderKL, art: Sequence[Art], pictures: NDArray[np.uint8], device: torch.device
) -> Mapping[str, float]:
    """Mean PSNR in dB of the pictures after encoding and decoding, by style."""
    by_style: dict[str, list[float]] = {}
    for one, picture in zip(art, pictures, strict=True):
        target = signed(torch.from_numpy(picture[None]).to(device))
        drawn = vae.decode(vae.encode(target).latent_dist.mean).sample.clamp(-1, 1)
        off = ((drawn - target) / 2).square().mean().item()
        by_style.setdefault(one.style, []).append(-10 * math.log10(max(off, 1e-10)))
    return {style: round(sum(all_) / len(all_), 1) for style, all_ in sorted(by_style.items())}
