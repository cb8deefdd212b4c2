"""Files of models as other programs write them, with the tensors' names and shapes and nothing in them."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from core.bases.single_file import LIKE
from tests.core.bases import ldm

Shapes = dict[str, tuple[int, ...]]


def header(
    file: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str = "F16", metadata: dict[str, str] | None = None
) -> Path:
    """A safetensors file of nothing but its header."""
    entries = {name: {"dtype": dtype, "shape": list(shape), "data_offsets": [0, 0]} for name, shape in shapes.items()}
    if metadata:
        entries["__metadata__"] = metadata  # type: ignore[assignment]
    text = json.dumps(entries).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    return file


def sdxl() -> Shapes:
    """SDXL's own tensors: those of its UNet by diffusers' model of it, and what else tells a whole checkpoint."""
    from diffusers import UNet2DConditionModel

    config = json.loads((LIKE["sdxl"] / "unet" / "config.json").read_text())
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in ldm.ldm_unet(unet.state_dict(), config).items()}
    return shapes | {
        "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
        "conditioner.embedders.1.model.token_embedding.weight": (49408, 1280),
        "first_stage_model.encoder.conv_out.weight": (8, 512, 3, 3),
        "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    }
