"""One training step: what SDXL is asked, and how far off its answer is."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.randomness import key
from core.settings import Settled


@dataclass(frozen=True)
class Noising:
    """The noise schedule of a base: how much picture and how much noise there is at each of its timesteps."""

    signal: Tensor
    """√ᾱ, one a timestep."""
    noise: Tensor
    """√(1 − ᾱ), one a timestep."""
    prediction: str
    """What the base predicts: `epsilon` or `v_prediction`."""

    @classmethod
    def of(cls, scheduler: Any, prediction: str, place: torch.device) -> "Noising":
        """Of a diffusers scheduler (SDXL: scaled linear from 0.00085 to 0.012 in 1000 steps)."""
        alphas: Tensor = scheduler.alphas_cumprod.to(torch.float32).clone()
        if getattr(scheduler.config, "rescale_betas_zero_snr", False):
            alphas[-1] = 0.0  # diffusers leaves 2⁻²⁴ there, so that its own sampler can divide by it
        return cls(alphas.sqrt().to(place), (1 - alphas).sqrt().to(place), prediction)

    def mix(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The latents as they look at these timesteps."""
        signal, share = self._at(timesteps)
        return signal * latents + share * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the base should answer: the noise, or v = √ᾱ·noise − √(1 − ᾱ)·latents."""
        if self.prediction == "epsilon":
            return noise
        signal, share = self._at(timesteps)
        return signal * noise - share * latents

    def weights(self, timesteps: Tensor, gamma: float, debiased: bool = False) -> Tensor:
        """How much each timestep counts; all one when γ is 0 and it is not debiased, which takes min-SNR's place.

        Min-SNR (arXiv 2303.09556): min(snr, γ) ÷ snr for ε, ÷ (snr + 1) for v. Debiased estimation
        (arXiv 2310.08442): 1 ÷ √min(snr, 1000) for ε, 1 ÷ (snr + 1) for v.
        """
        if not gamma and not debiased:
            return torch.ones(len(timesteps), device=timesteps.device)
        signal, share = self.signal[timesteps], self.noise[timesteps]
        # With zero terminal SNR the last timestep has no signal, and 0 ÷ 0 would spoil the whole batch.
        snr = ((signal / share) ** 2).clamp(min=1e-8)
        if debiased:
            # No less than a fifth of SDXL's own smallest, 0.0047: pure noise would outweigh all else 10,000 times.
            return snr.clamp(1e-3, 1e3).rsqrt() if self.prediction == "epsilon" else 1 / (snr + 1)
        return snr.clamp(max=gamma) / (snr if self.prediction == "epsilon" else snr + 1)

    def _at(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        return self.signal[timesteps].view(-1, 1, 1, 1), self.noise[timesteps].view(-1, 1, 1, 1)


@dataclass(frozen=True)
class Batch:
    """Everything one step looks at, on the device."""

    latents: Tensor
    """(batch, channels, height, width), scaled as the UNet wants them."""
    context: Tensor
    """(batch, tokens, width)."""
    pooled: Tensor
    """(batch, width)."""
    time_ids: Tensor
    """(batch, 6): original height, width, crop top, left, target height, width, in pixels."""
    noise: Tensor
    """What is in the answer, for a base that predicts it."""
    timesteps: Tensor
    weights: Tensor
    """(batch,): how much each picture counts."""
    added: Tensor | None = None
    """The noise that is mixed into the latents, where it is more than `noise` (input perturbation)."""
    mask: Tensor | None = None
    """(batch, 1, height, width): how much each place counts, 0 to 1, where not all of them count alike."""
    whole: int = 0
    """How many pictures the step has, where this is a part of them."""

    def parts(self, pieces: int) -> list["Batch"]:
        """The same in pieces of nearly one size, none of them empty."""
        pieces = min(pieces, len(self.weights))
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        cut = {name: torch.tensor_split(value, pieces) for name, value in tensors.items()}
        whole = self.whole or len(self.weights)
        return [
            replace(self, whole=whole, **{name: values[piece] for name, values in cut.items()})
            for piece in range(pieces)
        ]


def predict(unet: Any, noisy: Tensor, timesteps: Tensor, context: Tensor, pooled: Tensor, time_ids: Tensor) -> Tensor:
    """SDXL's answer."""
    conditions = {"text_embeds": pooled, "time_ids": time_ids}
    answer: Tensor = unet(noisy, timesteps, context, added_cond_kwargs=conditions, return_dict=False)[0]
    return answer


def losses(unet: Any, batch: Batch, noising: Noising, dtype: torch.dtype) -> Tensor:
    """The squared error of each picture, unweighted: shape (batch,), fp32.

    With a mask it is still the mean over all places (sd-scripts, `apply_masked_loss`): a small figure counts little.
    """
    added = batch.noise if batch.added is None else batch.added
    noisy = noising.mix(batch.latents, added, batch.timesteps).to(dtype)
    # Sizes stay in fp32: bf16 would make 1352 pixels of 1350, and their sines would be of another drawing.
    answer = predict(unet, noisy, batch.timesteps, batch.context.to(dtype), batch.pooled.to(dtype), batch.time_ids)
    target = noising.target(batch.latents, batch.noise, batch.timesteps)
    squared = functional.mse_loss(answer.float(), target.float(), reduction="none")
    if batch.mask is not None:
        squared = squared * batch.mask
    return squared.mean(dim=(1, 2, 3))


def loss(unet: Any, batch: Batch, noising: Noising, gamma: float, dtype: torch.dtype, debiased: bool = False) -> Tensor:
    """What the step makes smaller: the weighted mean over the batch, or this part's share in that of the whole step."""
    each = losses(unet, batch, noising, dtype)
    return (each * noising.weights(batch.timesteps, gamma, debiased) * batch.weights).sum() / (batch.whole or len(each))


def timesteps(seed: int, step: int, count: int, of: int) -> Tensor:
    """`count` timesteps, each uniform in [0, of), spread over the range so that no batch sees only one end of it."""
    generator = torch.Generator().manual_seed(key(seed, step, "timesteps"))
    strata = torch.randperm(count, generator=generator)
    return ((strata + torch.rand(count, generator=generator)) / count * of).long().clamp(max=of - 1)


def noise(seed: int, step: int | str, shape: tuple[int, ...], plan: Settled | None = None) -> Tensor:
    """Gaussian noise; with a plan also its offset, a shift of each channel, and its coarser noises."""
    generator = torch.Generator().manual_seed(key(seed, step, "noise"))
    drawn = torch.randn(shape, generator=generator)
    if plan and plan.noise_offset:
        drawn += plan.noise_offset * torch.randn(*shape[:2], 1, 1, generator=generator)
    if plan and plan.multires_iterations:
        drawn = _with_coarser(drawn, plan, torch.Generator().manual_seed(key(seed, step, "coarser noise")))
    return drawn


def perturbed(noise: Tensor, seed: int, step: int, gamma: float) -> Tensor:
    """The noise with γ of another on top (input perturbation, arXiv 2301.11706)."""
    generator = torch.Generator().manual_seed(key(seed, step, "input perturbation"))
    return noise + gamma * torch.randn(noise.shape, generator=generator)


def _with_coarser(noise: Tensor, plan: Settled, generator: torch.Generator) -> Tensor:
    """Noise with others of ever fewer, larger spots on top, at the strength of one (sd-scripts, `pyramid_noise_like`).

    The first is as fine as the noise itself, and each is up to four times coarser than the one before.
    """
    *shape, height, width = noise.shape
    for iteration in range(plan.multires_iterations):
        ratio = (2 + 2 * float(torch.rand((), generator=generator))) ** iteration
        size = max(1, int(height / ratio)), max(1, int(width / ratio))
        spots = torch.randn(*shape, *size, generator=generator)
        noise = noise + functional.interpolate(spots, (height, width), mode="bilinear") * (
            plan.multires_discount**iteration
        )
        if 1 in size:
            break
    return noise / noise.std()
