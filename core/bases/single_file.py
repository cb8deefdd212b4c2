"""A base in one file, as ComfyUI, A1111 and Civitai have them: what it is, told by its header alone."""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from core.bases.header import read
from core.bases.refusal import not_sdxl
from core.header import Header
from core.language import _
from core.lora.keys import Layout

Prediction = Literal["epsilon", "v_prediction"]
Shapes = dict[str, tuple[int, ...]]

UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT_ENCODERS = ("conditioner.embedders.0.", "conditioner.embedders.1.")

_HERE = Path(__file__).parent
LIKE = {"sdxl": _HERE / "sdxl", "mini": _HERE / "mini" / "model"}
"""The folders with the configs and tokenizers that a file lacks."""

_LORA = re.compile(r"(?:^|[._])lora_(?:down|up|mid|A|B|linear|unet|te|te1|te2)[._]|\.(?:hada_w|lokr_w|oft_|dora_scale)")
_CONTROL = ("control_model.", "controlnet_", "lllite_", "input_hint_block.", "adapter.body.", "image_proj.")
_ROUNDED = (".absmax", ".quant_map", ".qweight", ".SCB", ".weight_scale", ".scale_weight")
_SITE = re.compile(r"(input_blocks|middle_block|output_blocks)_(.+)")
_CONTEXT = re.compile(r"(?:^|\.)attn2\.to_k\.weight$")
_PLAIN = frozenset(("F64", "F32", "F16", "BF16"))
_WIDTHS = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2"}
"""Numbers a token has for the UNets of older families."""
_REFINER, _SDXL = 1280, 2048


class SingleFile(Struct, frozen=True):
    """What the header of an SDXL base says."""

    like: str
    """Whose configs and tokenizers it was made with: a key of `LIKE`."""
    prediction: Prediction | None
    """None where the file does not say: such files predict the noise, but for a few."""
    zero_terminal_snr: bool


def look(path: Path) -> SingleFile:
    """What the file at `path` is. Raises BocetoError that says what it is instead of an SDXL base."""
    header = read(path)
    like = _like(header.shapes)
    if like is None or (trouble := _rounded(header)):
        raise not_sdxl(path, _instead(header) if like is None else trouble)
    if trouble := _lacking(header.shapes, like):
        raise not_sdxl(path, trouble, _("Choose the whole checkpoint, with UNet, text encoders and VAE in one file."))
    if "edm_mean" in header.shapes or "edm_vpred.sigma_max" in header.shapes:
        raise not_sdxl(path, _("It was trained by another noise schedule (EDM), like Playground 2.5 or CosXL."))
    said = header.metadata.get("modelspec.prediction_type", "").lower()
    velocity = "v_pred" in header.shapes or said in ("v", "v_prediction")
    zero = "ztsnr" in header.shapes or header.metadata.get("ss_zero_terminal_snr") == "True"
    return SingleFile(like, "v_prediction" if velocity else "epsilon" if said == "epsilon" else None, zero)


@lru_cache
def landmarks(like: str) -> Shapes:
    """Shapes of a UNet by which it is told from all others: its width, its context, how deep each transformer is."""
    config = json.loads((LIKE[like] / "unet" / "config.json").read_bytes())
    widths, context = config["block_out_channels"], config["cross_attention_dim"]
    depths = config["transformer_layers_per_block"]
    found: Shapes = {
        f"{UNET}input_blocks.0.0.weight": (widths[0], config["in_channels"], 3, 3),
        f"{UNET}label_emb.0.0.weight": (4 * widths[0], config["projection_class_embeddings_input_dim"]),
        f"{UNET}out.2.weight": (config["out_channels"], widths[0], 3, 3),
    }
    for site, name in Layout.of(config).sites.items():
        block, *rest = site.split(".")
        if "attentions" not in rest:
            continue
        number = -1 if block == "mid_block" else int(rest[0])
        index = -1 - number if block == "up_blocks" else number
        last = f"{UNET}{_dotted(name)}.transformer_blocks.{depths[index] - 1}.attn2.to_k.weight"
        found[last] = (widths[index], context)
    return found


def _dotted(name: str) -> str:
    found = _SITE.fullmatch(name)
    return f"{found[1]}.{found[2].replace('_', '.')}" if found else name


def _like(shapes: Shapes) -> str | None:
    """Whose UNet it has."""
    for like in LIKE:
        marks = landmarks(like)
        if all(shapes.get(name) == shape for name, shape in marks.items()):
            deeper = (re.sub(r"blocks\.(\d+)\.attn2", lambda at: f"blocks.{int(at[1]) + 1}.attn2", m) for m in marks)
            if not any(name in shapes for name in deeper if name not in marks):
                return like
    return None


def _lacking(shapes: Shapes, like: str) -> str:
    """What else a base must have, and in which size; empty when all is there."""
    first, second, vae = (_config(like, part) for part in ("text_encoder", "text_encoder_2", "vae"))
    latent, pixel = vae["latent_channels"], vae["block_out_channels"][-1]
    words = f"{TEXT_ENCODERS[0]}transformer.text_model.embeddings.token_embedding.weight"
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {
        words: (_("its first text encoder"), (first["vocab_size"], first["hidden_size"])),
        f"{TEXT_ENCODERS[1]}model.token_embedding.weight": (
            _("its second text encoder"),
            (second["vocab_size"], second["hidden_size"]),
        ),
        f"{VAE}encoder.conv_out.weight": (_("the encoder of its VAE"), (2 * latent, pixel, 3, 3)),
        f"{VAE}decoder.conv_in.weight": (_("the decoder of its VAE"), (pixel, latent, 3, 3)),
    }
    missing = [part for name, (part, _shape) in wanted.items() if name not in shapes]
    if missing:
        return _("It has the UNet of SDXL and lacks {parts}.").format(parts=", ".join(missing))
    other = [part for name, (part, shape) in wanted.items() if shapes[name] != shape]
    return _("These parts have another size than SDXL's: {parts}.").format(parts=", ".join(other)) if other else ""


def _rounded(header: Header) -> str:
    """Weights too coarse to train on; empty when they are not."""
    unet = {header.dtypes[name] for name in header.dtypes if name.startswith(UNET)}
    if any(dtype.startswith("F8") for dtype in unet):
        return _("Its weights are rounded to 8 bits (fp8), which are good for drawing and not for training.")
    if not unet <= _PLAIN or any(name.endswith(_ROUNDED) for name in header.dtypes):
        return _("Its weights are rounded to a few bits, which are good for drawing and not for training.")
    return ""


def _config(like: str, part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((LIKE[like] / part / "config.json").read_bytes())
    return found


def _instead(header: Header) -> str:
    """What a file is that is no SDXL base."""
    shapes = header.shapes
    bare = {name.removeprefix("model.").removeprefix("diffusion_model.") for name in shapes}

    def has(*beginnings: str) -> bool:
        return any(name.startswith(beginnings) for name in bare)

    if not shapes:
        return _("It holds no weights.")
    if any(_LORA.search(name) for name in shapes):
        return _("It is a LoRA: a small change to a base, not a base.")
    if "clip_g" in shapes or "emb_params" in shapes:
        return _("It is an embedding (textual inversion): a few words for a base, not a base.")
    if has(*_CONTROL) or any("controlnet_cond_embedding" in name for name in bare):
        return _("It is a ControlNet or an adapter, which guides a base, not a base.")
    if has("joint_blocks.", "transformer.joint_blocks."):
        return _("It is Stable Diffusion 3, another family than SDXL.")
    if has("double_blocks.", "single_transformer_blocks."):
        return _("It is FLUX, another family than SDXL.")
    if any(".time_stack." in name or ".temporal_" in name or "motion_modules." in name for name in bare):
        return _("It is a model for video, another family than SDXL.")
    if has("input_blocks.", "down_blocks."):
        return _another_unet(shapes, has("down_blocks."))
    vae = {name.removeprefix(VAE).removeprefix("vae.") for name in bare}
    if "decoder.conv_in.weight" in vae or "encoder.conv_in.weight" in vae:
        return _("It is a VAE: the part of a base that turns latents into pictures, not a base.")
    if any(".text_model.encoder." in f".{name}" or ".resblocks." in f".{name}" for name in bare) or has(
        "encoder.block."
    ):
        return _("It is a text encoder: the part of a base that reads, not a base.")
    return _("Its tensors are of no model that we know; one is called “{name}”.").format(name=min(shapes)[:80])


def _another_unet(shapes: Shapes, diffusers: bool) -> str:
    """Which UNet a file has that is not SDXL's own."""
    context = next((shape[1] for name, shape in shapes.items() if _CONTEXT.search(name) and len(shape) == 2), 0)
    entry = next(
        (shape for name, shape in shapes.items() if name.endswith(("input_blocks.0.0.weight", "conv_in.weight"))), ()
    )
    channels = entry[1] if len(entry) == 4 else 0  # a convolution's weight has four dimensions
    if context in _WIDTHS:
        return _("It is {family}, another family than SDXL.").format(family=_WIDTHS[context])
    if context == _REFINER:
        return _("It is SDXL's refiner, which finishes pictures and cannot begin one.")
    if context != _SDXL:
        return _("It has a UNet of another family than SDXL.")
    if channels == 9:  # four of the picture, four of the other picture, one of the mask
        return _("Its UNet takes a picture and a mask as well: it is made for inpainting.")
    if channels != 4:
        return _("Its UNet takes {unet} channels where SDXL's takes 4: it is made for another purpose.").format(
            unet=channels
        )
    if diffusers or not any(name.startswith(UNET) for name in shapes):
        return _("It is only the UNet of SDXL, without text encoders and VAE.")
    return _("It is an SDXL that was cut down or changed, like SSD-1B: its UNet has other layers.")
