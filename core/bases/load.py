"""Loading the parts of a base, each only when its phase needs it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
from safetensors import SafetensorError, safe_open
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from core.bases import single_file
from core.bases.base import Base
from core.bases.weights import weights
from core.captions.tokens import Tokenizer
from core.errors import BocetoError
from core.language import _

_SINGLE = {
    "text_encoder": single_file.TEXT_ENCODERS[0],
    "text_encoder_2": single_file.TEXT_ENCODERS[1],
    "vae": single_file.VAE,
    "unet": single_file.UNET,
}
"""How the names of each part's tensors begin in a single file."""
_ATTENTION = "eager"
"""The text encoders': the backward of SDPA takes a third of the whole step on CPUs, and 77 tokens gain nothing."""


def tokenizers(base: Base) -> tuple[Tokenizer, Tokenizer]:
    """Both of SDXL's tokenizers: one vocabulary, padded differently."""
    first, second = base.configs / "tokenizer", base.configs / "tokenizer_2"
    if not base.like:
        return Tokenizer.open(first), Tokenizer.open(second)
    with TemporaryDirectory(prefix="boceto-") as both:
        # The vocabulary lies beside us once; the second tokenizer is the first with other special tokens.
        for folder in (first, second):
            shutil.copytree(folder, both, dirs_exist_ok=True)
        return Tokenizer.open(first), Tokenizer.open(Path(both))


def text_encoders(base: Base, place: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """CLIP-L and OpenCLIP-bigG, frozen, in evaluation mode."""
    encoders = (
        _load(kind, base, part, dtype)
        for kind, part in ((CLIPTextModel, "text_encoder"), (CLIPTextModelWithProjection, "text_encoder_2"))
    )
    return tuple(encoder.to(place).eval().requires_grad_(False) for encoder in encoders)


def vae(base: Base, place: torch.device, dtype: torch.dtype) -> Any:
    """The autoencoder; in fp32 where the base says that half precision overflows (SDXL's own does)."""
    loaded = _load(AutoencoderKL, base, "vae", torch.float32)
    return loaded.to(place, torch.float32 if loaded.config.force_upcast else dtype).eval().requires_grad_(False)


def unet(base: Base, place: torch.device, dtype: torch.dtype) -> Any:
    """The network that draws, frozen."""
    return _load(UNet2DConditionModel, base, "unet", dtype).to(place).eval().requires_grad_(False)


def scheduler(base: Base, **changes: Any) -> Any:
    """The sampler's scheduler, which also holds the noise schedule the base was made with."""
    if base.like:
        changes = {
            "prediction_type": base.prediction,
            "rescale_betas_zero_snr": base.zero_terminal_snr,
            **changes,
        }
    with _told(base, "scheduler"):
        return EulerDiscreteScheduler.from_pretrained(str(base.configs / "scheduler"), local_files_only=True, **changes)


def _load(kind: Any, base: Base, part: str, dtype: torch.dtype) -> Any:
    """One part, from its own folder or out of the single file, on the CPU."""
    reads = part.startswith("text_encoder")
    with _told(base, part):
        if base.like:
            loaded = _converted(kind, base, part, dtype)
        else:
            folder = base.path / part
            options: dict[str, Any] = {"dtype" if reads else "torch_dtype": dtype}
            options |= {"attn_implementation": _ATTENTION} if reads else {}
            options |= {"variant": weights(folder).variant, "local_files_only": True}
            loaded = kind.from_pretrained(str(folder), **options)
        return loaded


def _converted(kind: Any, base: Base, part: str, dtype: torch.dtype) -> Any:
    """One part of a single file, its names turned into those of diffusers by diffusers itself."""
    with safe_open(base.path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if name.startswith(_SINGLE[part])}  # noqa: SIM118
    options = {"config": str(base.configs), "subfolder": part, "local_files_only": True}
    if part.startswith("text_encoder"):
        loaded = create_diffusers_clip_model_from_ldm(kind, checkpoint=tensors, **options)
        loaded.set_attn_implementation(_ATTENTION)
    else:
        try:
            loaded = kind.from_single_file(tensors, **options)
        except NotImplementedError as error:  # what the file lacks has no values, and cannot be put anywhere
            raise ValueError(_("Some of its layers are not in the file.")) from error
    if any(value.is_meta for value in loaded.parameters()):
        raise ValueError(_("Some of its layers are not in the file."))
    return loaded.to(dtype)


@contextmanager
def _told(base: Base, part: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise BocetoError(
            _("The part “{part}” of the base {base} could not be loaded.").format(part=part, base=base.name),
            str(error).splitlines()[0] if str(error) else type(error).__name__,
            _("Its files may be incomplete. Compare them with their source, or download the base again."),
        ) from error
