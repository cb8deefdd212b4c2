"""Which layers of a base a plan trains, and at which rank and alpha."""

from typing import Any

from core.lora import keys
from core.settings import Settled

BLOCKS = {"down": "down_blocks.", "mid": "mid_block.", "up": "up_blocks."}
"""The parts of a UNet, and how the paths of their layers begin."""


def block_ranks(plan: Settled) -> dict[str, int]:
    """The rank in each part of the UNet; 0 where it is left as it is."""
    own = {"down": plan.down_rank, "mid": plan.mid_rank, "up": plan.up_rank}
    return {part: plan.rank if rank is None else rank for part, rank in own.items()}


def text_encoder_rank(plan: Settled) -> tuple[int, float]:
    """Rank and alpha of the text encoders' layers."""
    return plan.text_encoder_rank or plan.rank, plan.text_encoder_alpha or plan.alpha


def unet_layers(plan: Settled, unet: Any) -> dict[str, tuple[int, float]]:
    """Path, rank and alpha of every layer of the UNet that is trained.

    As in sd-scripts, `conv_rank` is for kernels larger than 1×1; LoCon's Linear and 1×1 layers have the plain rank.
    All ranks have one alpha, as without `block_alphas` there: diffusers reads no other in the attention of a UNet.
    """
    ranks, found = block_ranks(plan), {}
    transformers = set(keys.unet_targets(unet, convolutions=False))
    for path in keys.unet_targets(unet, convolutions=plan.conv_rank > 0):
        rank = next(rank for part, rank in ranks.items() if path.startswith(BLOCKS[part]))
        if not rank or (path in transformers and plan.layers == "attn-only" and not _is_attention(path)):
            continue
        if path not in transformers and max(getattr(unet.get_submodule(path), "kernel_size", (1,))) > 1:
            found[path] = (plan.conv_rank, plan.conv_alpha or plan.conv_rank)
        else:
            found[path] = (rank, plan.alpha)
    return found


def text_encoder_layers(plan: Settled, encoder: Any) -> dict[str, tuple[int, float]]:
    """Path, rank and alpha of every layer of a text encoder that is trained."""
    paths = keys.text_encoder_targets(encoder)
    if plan.layers == "attn-only":
        paths = [path for path in paths if ".self_attn." in path]
    return dict.fromkeys(paths, text_encoder_rank(plan))


def _is_attention(path: str) -> bool:
    return ".attn1." in path or ".attn2." in path
