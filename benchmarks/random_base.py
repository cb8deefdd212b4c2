"""SDXL with random weights: its own architecture and sizes, so that nothing need be downloaded to train on it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from core.bases.single_file import LIKE

CONFIGS = LIKE["sdxl"]
_COPIED = ("model_index.json", "scheduler", "tokenizer", "tokenizer_2")
_TEXT_ENCODERS = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
_VOCABULARY = ("vocab.json", "merges.txt")


def unet(place: torch.device, dtype: torch.dtype, changes: Mapping[str, object] | None = None) -> Any:
    """SDXL's UNet, perhaps with `changes` to its config, with random weights of a sensible size, frozen."""
    with torch.device("meta"):
        made = UNet2DConditionModel.from_config(_config("unet") | dict(changes or {}))
    # Not diffusers' own `to`, which warns of casts that from_pretrained would have made.
    nn.Module.to(made, dtype).to_empty(device=place).eval().requires_grad_(False)
    assert not list(made.buffers())
    for name, weight in made.named_parameters():
        if weight.dim() > 1:
            weight.normal_(std=weight[0].numel() ** -0.5)
        else:  # of a norm, or a bias
            weight.fill_(1.0 if name.endswith("weight") else 0.0)
    return made


def lay_down(folder: Path, place: torch.device, dtype: torch.dtype) -> Path:
    """A whole base in the layout of diffusers, 7 GB in half precision, its weights made on `place`."""
    folder.mkdir(parents=True)
    for name in _COPIED:
        source = CONFIGS / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    for name in _VOCABULARY:  # both tokenizers have one
        shutil.copy(CONFIGS / "tokenizer" / name, folder / "tokenizer_2" / name)
    unet(place, dtype).save_pretrained(folder / "unet")
    with torch.device(place):
        AutoencoderKL.from_config(_config("vae")).to(dtype).save_pretrained(folder / "vae")
        for part, kind in _TEXT_ENCODERS.items():
            kind(CLIPTextConfig(**_config(part))).to(dtype).save_pretrained(folder / part)
            _name_as_published(folder / part / "model.safetensors")
    return folder


def _name_as_published(path: Path) -> None:
    """Name the weights as published bases do: transformers 5 leaves a prefix out that older ones ask for."""
    tensors = {name if name.startswith("text_") else f"text_model.{name}": one for name, one in load_file(path).items()}
    save_file(tensors, path, {"format": "pt"})


def _config(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CONFIGS / part / "config.json").read_text("utf-8"))
    return found
