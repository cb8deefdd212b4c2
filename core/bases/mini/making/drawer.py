"""What draws: SDXL's two text encoders and its UNet, made small and trained together."""

from collections.abc import Sequence
from random import Random

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from msgspec import Struct
from torch import nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from core.bases.mini.making.art import SIDE
from core.bases.mini.making.pace import Average, Pace
from core.bases.mini.making.words import LENGTH, caption, tokens
from core.language import _

WIDTH = 96
"""Of each text encoder; their hidden states side by side are what the UNet attends to."""
TIMESTEPS = 1000
BETA_START, BETA_END = 0.00085, 0.012
RATE = 1e-3


class Drawer(Struct, frozen=True):
    """The parts of a base that learn together."""

    first: CLIPTextModel
    second: CLIPTextModelWithProjection
    unet: UNet2DConditionModel

    @property
    def parts(self) -> nn.ModuleList:
        """All three, as one module."""
        return nn.ModuleList([self.first, self.second, self.unet])

    def conditions(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """SDXL's way to read a caption: both encoders' last hidden states but one, and the second's pooled output."""
        one = self.first(first, output_hidden_states=True)
        two = self.second(second, output_hidden_states=True)
        return torch.cat([one.hidden_states[-2], two.hidden_states[-2]], dim=-1), two.text_embeds

    def predict(
        self, noisy: torch.Tensor, timesteps: torch.Tensor, tokens: Sequence[torch.Tensor], times: torch.Tensor
    ) -> torch.Tensor:
        """The noise in `noisy`, as the UNet sees it."""
        hidden, pooled = self.conditions(*tokens)
        added = {"text_embeds": pooled, "time_ids": times}
        noise: torch.Tensor = self.unet(noisy, timesteps, hidden, added_cond_kwargs=added, return_dict=False)[0]
        return noise


def new(vocabulary: int, seed: int, device: torch.device) -> Drawer:
    """An untrained drawer that knows so many tokens: 0.39 M parameters in each text encoder, 7 M in the UNet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = CLIPTextModel(_reading("quick_gelu", vocabulary, padding=vocabulary - 1))
        second = CLIPTextModelWithProjection(_reading("gelu", vocabulary, padding=0))
        unet = UNet2DConditionModel(
            sample_size=SIDE // 4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(64, 128, 128),
            layers_per_block=1,
            transformer_layers_per_block=(1, 1, 1),
            attention_head_dim=(2, 4, 4),  # heads, as in SDXL's own config
            norm_num_groups=16,
            cross_attention_dim=2 * WIDTH,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=32,
            projection_class_embeddings_input_dim=WIDTH + 6 * 32,
        )
    if device.type == "cpu":
        # The backward pass of fused attention in bf16 takes a third of a step on a CPU; the classic form does not.
        unet.set_attn_processor(AttnProcessor())
    return Drawer(first.to(device), second.to(device), unet.to(device))


def _reading(activation: str, vocabulary: int, padding: int) -> CLIPTextConfig:
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=3,
        max_position_embeddings=LENGTH,
        hidden_act=activation,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=padding,
    )
    config._attn_implementation = "eager"
    return config


def kept_signal() -> torch.Tensor:
    """ᾱ of every timestep on SDXL's schedule (`scaled_linear`)."""
    betas = torch.linspace(BETA_START**0.5, BETA_END**0.5, TIMESTEPS, dtype=torch.float64).square()
    return torch.cumprod(1 - betas, 0).float()


def weights(kept: torch.Tensor) -> torch.Tensor:
    """How much each timestep's error counts: min(1/ᾱ, 40) · min(1, 5/snr).

    min-SNR alone hardly teaches the caption: what a picture shows is decided where nearly all is noise, and there
    the error in the noise is smallest. 1/ᾱ gives those timesteps the weight they have when v is predicted.
    """
    snr = kept / (1 - kept)
    return (1 / kept).clamp(max=40) * (5 / snr).clamp(max=1)


def times(random: Random, count: int) -> torch.Tensor:
    """SDXL's time ids (original size, crop, target size); two in five name another original size, to be ignored."""
    sizes = [
        (random.randint(64, 1024), random.randint(64, 1024)) if random.random() < 0.4 else (SIDE, SIDE)
        for _index in range(count)
    ]
    return torch.tensor([[*size, 0, 0, SIDE, SIDE] for size in sizes], dtype=torch.float32)


def stratified(count: int, generator: torch.Generator) -> torch.Tensor:
    """One timestep from each of `count` equal parts of the schedule: the loss of a step swings less."""
    places = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return (places * TIMESTEPS).long().clamp(max=TIMESTEPS - 1)


def train(
    drawer: Drawer,
    tokenizers: tuple[CLIPTokenizer, CLIPTokenizer],
    latents: torch.Tensor,
    named: Sequence[tuple[str, str]],
    pace: Pace,
    *,
    seed: int,
    batch: int,
) -> list[float]:
    """Teach `drawer` the scaled `latents`, (n, 4, 16, 16), each `named` by concept and style; give every step's loss.

    `latents` stay where they are, and that is the device of the training.
    """
    device, parts = latents.device, drawer.parts.train()
    random, generator = Random(seed), torch.Generator().manual_seed(seed)
    kept = kept_signal().to(device)
    weight = weights(kept)
    optimizer = torch.optim.AdamW(parts.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    average, losses = Average(parts, 0.999), list[float]()
    for _step, rate in pace.walk(_("Drawer"), losses):
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate
        chosen = torch.randint(len(latents), (batch,), generator=generator)
        captions = [caption(random, *named[index]) for index in chosen.tolist()]
        read = [tokens(tokenizer, captions).to(device) for tokenizer in tokenizers]
        timesteps = stratified(batch, generator).to(device)
        noise = torch.randn(batch, *latents.shape[1:], generator=generator).to(device)
        signal = kept[timesteps].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * latents[chosen.to(device)] + (1 - signal).sqrt() * noise
        with torch.autocast(device.type, torch.bfloat16):
            predicted = drawer.predict(noisy, timesteps, read, times(random, batch).to(device))
        errors = functional.mse_loss(predicted.float(), noise, reduction="none").mean((1, 2, 3))
        loss = (weight[timesteps] * errors).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        average.add()
        losses.append(loss.item())
    average.settle()
    parts.eval()
    return losses
