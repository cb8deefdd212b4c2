"""The names of a LoRA's layers, as sd-scripts writes them and every other tool reads them.

Diffusers counts a UNet's layers block by block; sd-scripts counts them as the original code of Stable Diffusion did,
through all blocks. Which number belongs to which layer follows from the UNet's config alone.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Literal, Protocol

from msgspec import Struct

from core.errors import BocetoError
from core.language import _

UNET = "lora_unet_"
TEXT_ENCODERS = {1: "lora_te1_", 2: "lora_te2_"}

_RESNET_LEAVES = {
    "conv1": "in_layers_2",
    "time_emb_proj": "emb_layers_1",
    "conv2": "out_layers_3",
    "conv_shortcut": "skip_connection",
}
_LEAVES = {"resnets": _RESNET_LEAVES, "downsamplers": {"conv": "op"}, "upsamplers": {"conv": "conv"}}
_ATTENTION_LEAF = re.compile(
    r"(?P<projection>proj_in|proj_out)"
    r"|transformer_blocks_(?P<block>\d+)_(?:"
    r"(?P<attention>attn[12])_(?P<linear>to_[qkv]|to_out_0)|ff_net_(?P<feed>0_proj|2))"
)
_SITE = re.compile(r"(?P<site>(?:(?:down|up)_blocks\.\d+|mid_block)\.(?P<kind>[a-z]+)\.\d+)\.(?P<leaf>.+)")
_LDM_SITE = re.compile(r"(?P<site>(?:input_blocks|output_blocks)_\d+_\d+|middle_block_\d+)_(?P<leaf>.+)")
_TEXT_LEAF = re.compile(r"(?:text_model_)?encoder_layers_(\d+)_(self_attn|mlp)_((?:[qkv]|out)_proj|fc[12])")


class Modules(Protocol):
    """Any torch module; the names need no torch."""

    def named_modules(self) -> Iterator[tuple[str, Any]]:
        """Every module below this one with its path."""
        ...


class Layout(Struct, frozen=True):
    """Where the layers of one UNet stand in both ways of counting."""

    sites: dict[str, str]
    """`down_blocks.1.attentions.0` → `input_blocks_4_1`: resnets, attentions, down- and upsamplers."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Layout":
        """The layout of a UNet with this diffusers config."""
        down: list[str] = config["down_block_types"]
        up: list[str] = config["up_block_types"]
        layers = config.get("layers_per_block", 2)
        layers = [layers] * len(down) if isinstance(layers, int) else list(layers)
        middle = str(config.get("mid_block_type", "UNetMidBlock2DCrossAttn"))
        return cls(dict(chain(_down_sites(down, layers), _middle_sites(middle), _up_sites(up, layers[::-1]))))


def unet_name(path: str, layout: Layout) -> str:
    """sd-scripts' name of the UNet's module at the diffusers `path`."""
    found = _SITE.fullmatch(path)
    if found and found["site"] in layout.sites:
        leaf = found["leaf"].replace(".", "_")
        leaves = _LEAVES.get(found["kind"])
        if leaves is None and _ATTENTION_LEAF.fullmatch(leaf):
            return f"{UNET}{layout.sites[found['site']]}_{leaf}"
        if leaves is not None and leaf in leaves:
            return f"{UNET}{layout.sites[found['site']]}_{leaves[leaf]}"
    raise _unknown(path)


def unet_path(name: str, layout: Layout) -> str:
    """The diffusers path of the module that sd-scripts calls `name`."""
    found = _LDM_SITE.fullmatch(name.removeprefix(UNET))
    if name.startswith(UNET) and found:
        for site in (site for site, ldm in layout.sites.items() if ldm == found["site"]):
            leaf = _diffusers_leaf(site.split(".")[-2], found["leaf"])
            if leaf:
                return f"{site}.{leaf}"
    raise _unknown(name)


def text_encoder_name(path: str, which: Literal[1, 2]) -> str:
    """sd-scripts' name of the text encoder's module at `path`, with or without the `text_model.` level.

    transformers ≥ 5.6 dropped that level from CLIPTextModel and kept it in CLIPTextModelWithProjection.
    """
    leaf = path.removeprefix("text_model.").replace(".", "_")
    if not _TEXT_LEAF.fullmatch(leaf):
        raise _unknown(path)
    return f"{TEXT_ENCODERS[which]}text_model_{leaf}"


def text_encoder_path(name: str, flat: bool) -> str:
    """The path of the module that sd-scripts calls `name`; `flat` for an encoder without the `text_model.` level."""
    prefix = next((prefix for prefix in TEXT_ENCODERS.values() if name.startswith(prefix)), None)
    found = _TEXT_LEAF.fullmatch(name.removeprefix(prefix)) if prefix else None
    if not found:
        raise _unknown(name)
    layer, part, linear = found.groups()
    return f"{'' if flat else 'text_model.'}encoder.layers.{layer}.{part}.{linear}"


def unet_targets(unet: Modules, convolutions: bool) -> list[str]:
    """Paths of the modules that sd-scripts trains in a UNet.

    By default every Linear and 1×1 convolution of the transformers; with `convolutions` (its LoCon) also all of the
    resnets, down- and upsamplers.
    """
    kinds = {"Transformer2DModel"} | ({"ResnetBlock2D", "Downsample2D", "Upsample2D"} if convolutions else set())
    return [
        path
        for path, module in _below(unet, kinds)
        if _is(module, "Linear") or (_is(module, "Conv2d") and (convolutions or tuple(module.kernel_size) == (1, 1)))
    ]


def text_encoder_targets(encoder: Modules) -> list[str]:
    """Paths of the modules that sd-scripts trains in a text encoder: attention and MLP, no projection or embedding."""
    return [
        path
        for path, module in _below(encoder, {"CLIPAttention", "CLIPSdpaAttention", "CLIPMLP"})
        if _is(module, "Linear")
    ]


def _down_sites(blocks: list[str], layers: list[int]) -> Iterator[tuple[str, str]]:
    number = 1  # 0 is conv_in
    for block, kind in enumerate(blocks):
        for layer in range(layers[block]):
            yield f"down_blocks.{block}.resnets.{layer}", f"input_blocks_{number}_0"
            if "Attn" in kind:
                yield f"down_blocks.{block}.attentions.{layer}", f"input_blocks_{number}_1"
            number += 1
        if block < len(blocks) - 1:
            yield f"down_blocks.{block}.downsamplers.0", f"input_blocks_{number}_0"
            number += 1


def _middle_sites(kind: str) -> Iterator[tuple[str, str]]:
    yield "mid_block.resnets.0", "middle_block_0"
    if "Attn" in kind:
        yield "mid_block.attentions.0", "middle_block_1"
        yield "mid_block.resnets.1", "middle_block_2"


def _up_sites(blocks: list[str], layers: list[int]) -> Iterator[tuple[str, str]]:
    number = 0
    for block, kind in enumerate(blocks):
        attention = "Attn" in kind
        for layer in range(layers[block] + 1):  # one more than on the way down: it takes the downsampler's output
            yield f"up_blocks.{block}.resnets.{layer}", f"output_blocks_{number}_0"
            if attention:
                yield f"up_blocks.{block}.attentions.{layer}", f"output_blocks_{number}_1"
            number += 1
        if block < len(blocks) - 1:
            yield f"up_blocks.{block}.upsamplers.0", f"output_blocks_{number - 1}_{2 if attention else 1}"


def _diffusers_leaf(kind: str, leaf: str) -> str | None:
    if kind in _LEAVES:
        return next((ours for ours, theirs in _LEAVES[kind].items() if theirs == leaf), None)
    found = _ATTENTION_LEAF.fullmatch(leaf)
    if not found:
        return None
    if found["projection"]:
        return found["projection"]
    rest = f"ff.net.{found['feed']}".replace("_", ".") if found["feed"] else f"{found['attention']}.{found['linear']}"
    return f"transformer_blocks.{found['block']}.{rest.replace('to_out_0', 'to_out.0')}"


def _below(root: Modules, kinds: set[str]) -> Iterator[tuple[str, Any]]:
    """Modules below those of the given classes, each once, in the model's own order."""
    tops: list[str] = []
    for path, module in root.named_modules():
        if type(module).__name__ in kinds:
            tops.append(f"{path}.")
        elif path.startswith(tuple(tops)):
            yield path, module


def _is(module: object, kind: str) -> bool:
    return any(parent.__name__ == kind for parent in type(module).__mro__)


def _unknown(name: str) -> BocetoError:
    return BocetoError(
        _("The layer “{name}” has no place in an SDXL LoRA.").format(name=name),
        _("A LoRA for SDXL trains transformers, resnets and samplers of the UNet, and the text encoders' layers."),
        _("See whether the file or the base belongs to another kind of model."),
    )
