"""A base written as one file, with the names that the original code of Stable Diffusion gave its tensors."""

import json
import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.lora.keys import Layout

Tensors = dict[str, Tensor]

_UNET = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_SAMPLERS = {"downsamplers": ".op", "upsamplers": ".conv"}
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"}
_OPEN_CLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}


def write(model: Path, file: Path, **more: Tensor) -> Path:
    """The base in the folder `model` as one file, with some tensors more."""
    tensors: Tensors = {}
    for part, names in {
        "unet": ldm_unet,
        "vae": ldm_vae,
        "text_encoder": ldm_text_encoder,
        "text_encoder_2": ldm_text_encoder_2,
    }.items():
        weights = load_file(next((model / part).glob("*.safetensors")))
        config = json.loads((model / part / "config.json").read_text())
        tensors |= names(weights, config)
    save_file({name: tensor.contiguous() for name, tensor in (tensors | more).items()}, file)
    return file


def ldm_unet(weights: Tensors, config: dict) -> Tensors:
    sites = {
        site: re.sub(r"_(?=\d)", ".", name)  # input_blocks_4_1 → input_blocks.4.1
        for site, name in Layout.of(config).sites.items()
    }
    made = {}
    for name, tensor in weights.items():
        stem, leaf = name.rsplit(".", 1)
        if stem in _UNET:
            new = f"{_UNET[stem]}.{leaf}"
        else:
            site = next(site for site in sites if name.startswith(f"{site}."))
            kind, rest = site.split(".")[-2], name.removeprefix(f"{site}.")
            if kind == "resnets":
                first, last = rest.split(".", 1)
                rest = f".{_RESNET[first]}.{last}"
            elif kind in _SAMPLERS:
                rest = _SAMPLERS[kind] + "." + rest.split(".", 1)[1]
            else:
                rest = f".{rest}"
            new = sites[site] + rest
        made[f"model.diffusion_model.{new}"] = tensor
    return made


def ldm_vae(weights: Tensors, config: dict) -> Tensors:
    last = len(config["block_out_channels"]) - 1
    made = {}
    for name, tensor in weights.items():
        new = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
        new = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", new)
        new = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda at: f"up.{last - int(at[1])}.block.{at[2]}", new)
        new = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda at: f"up.{last - int(at[1])}.upsample", new)
        new = re.sub(r"mid_block\.resnets\.(\d)", lambda at: f"mid.block_{int(at[1]) + 1}", new)
        new = re.sub(r"mid_block\.attentions\.0\.(\w+)", lambda at: f"mid.attn_1.{_ATTENTION[at[1]]}", new)
        new = new.replace("proj_out.0", "proj_out")
        new = new.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        made[f"first_stage_model.{new}"] = tensor
    return made


def ldm_text_encoder(weights: Tensors, config: dict) -> Tensors:
    return {
        f"conditioner.embedders.0.transformer.text_model.{name.removeprefix('text_model.')}": tensor
        for name, tensor in weights.items()
    }


def ldm_text_encoder_2(weights: Tensors, config: dict) -> Tensors:
    """As OpenCLIP: query, key and value in one tensor, and the projection the other way round."""
    prefix = "conditioner.embedders.1.model."
    plain = {name.removeprefix("text_model."): tensor for name, tensor in weights.items()}
    made = {prefix + new: plain[old] for old, new in _OPEN_CLIP.items()}
    made[f"{prefix}text_projection"] = plain["text_projection.weight"].T
    for layer in range(config["num_hidden_layers"]):
        old, new = f"encoder.layers.{layer}.", f"{prefix}transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            joined = torch.cat([plain[f"{old}self_attn.{one}_proj.{kind}"] for one in "qkv"])
            made[f"{new}attn.in_proj_{kind}"] = joined
            made[f"{new}attn.out_proj.{kind}"] = plain[f"{old}self_attn.out_proj.{kind}"]
            for number in (1, 2):
                made[f"{new}ln_{number}.{kind}"] = plain[f"{old}layer_norm{number}.{kind}"]
            made[f"{new}mlp.c_fc.{kind}"] = plain[f"{old}mlp.fc1.{kind}"]
            made[f"{new}mlp.c_proj.{kind}"] = plain[f"{old}mlp.fc2.{kind}"]
    return made
