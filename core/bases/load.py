"""Loading the parts of a base, each only when its phase needs it."""

from typing import Any

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from core.bases.base import Base
from core.bases.weights import weights
from core.captions.tokens import Tokenizer
from core.errors import BocetoError
from core.language import _


def tokenizers(base: Base) -> tuple[Tokenizer, Tokenizer]:
    """Both of SDXL's tokenizers: one vocabulary, padded differently."""
    return Tokenizer.open(base.path / "tokenizer"), Tokenizer.open(base.path / "tokenizer_2")


def text_encoders(base: Base, place: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """CLIP-L and OpenCLIP-bigG, frozen, in evaluation mode."""
    # Eager attention: the backward of SDPA takes a third of the whole step on CPUs, and 77 tokens gain nothing from it.
    options = {"dtype": dtype, "attn_implementation": "eager", "local_files_only": True}
    first = _load(CLIPTextModel, base, "text_encoder", **options)
    second = _load(CLIPTextModelWithProjection, base, "text_encoder_2", **options)
    return tuple(encoder.to(place).eval().requires_grad_(False) for encoder in (first, second))


def vae(base: Base, place: torch.device, dtype: torch.dtype) -> Any:
    """The autoencoder; in fp32 where the base says that half precision overflows (SDXL's own does)."""
    loaded = _load(AutoencoderKL, base, "vae", torch_dtype=torch.float32, local_files_only=True)
    return loaded.to(place, torch.float32 if loaded.config.force_upcast else dtype).eval().requires_grad_(False)


def unet(base: Base, place: torch.device, dtype: torch.dtype) -> Any:
    """The network that draws, frozen."""
    loaded = _load(UNet2DConditionModel, base, "unet", torch_dtype=dtype, local_files_only=True)
    return loaded.to(place).eval().requires_grad_(False)


def scheduler(base: Base, **changes: Any) -> Any:
    """The sampler's scheduler, which also holds the noise schedule the base was made with."""
    return _load(EulerDiscreteScheduler, base, "scheduler", local_files_only=True, **changes)


def _load(kind: Any, base: Base, part: str, **options: Any) -> Any:
    folder = base.path / part
    if part != "scheduler":
        options["variant"] = weights(folder).variant
    try:
        return kind.from_pretrained(str(folder), **options)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BocetoError(
            _("The part “{part}” of the base {base} could not be loaded.").format(part=part, base=base.name),
            str(error).splitlines()[0],
            _("Its files may be incomplete. Compare them with their source, or download the base again."),
        ) from error
