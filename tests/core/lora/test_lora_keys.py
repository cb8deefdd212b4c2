"""The LoRA's names are those of sd-scripts, for SDXL and for any UNet built like it."""

import json
from functools import cache
from pathlib import Path

import diffusers
import pytest
import torch
import transformers

from core.bases.single_file import LIKE
from core.errors import BocetoError
from core.lora.keys import (
    Layout,
    text_encoder_name,
    text_encoder_path,
    text_encoder_targets,
    unet_name,
    unet_path,
    unet_targets,
)

DATA = Path(__file__).parents[2] / "data"
MINI = Path(__file__).parents[3] / "core/bases/mini/model"


def config(name: str) -> dict:
    return json.loads((LIKE["sdxl"] / name / "config.json").read_text())


@cache
def sdxl_unet() -> torch.nn.Module:
    with torch.device("meta"):
        return diffusers.UNet2DConditionModel.from_config(config("unet"))


@cache
def sdxl_encoder(which: int) -> torch.nn.Module:
    kind = {1: transformers.CLIPTextModel, 2: transformers.CLIPTextModelWithProjection}[which]
    settings = config({1: "text_encoder", 2: "text_encoder_2"}[which])
    with torch.device("meta"):
        return kind(transformers.CLIPTextConfig(**settings))


def table(*starts: str, convolutions: bool = True) -> dict[str, tuple]:
    """The rows of sd-scripts' own table: name → class, channels in and out, kernel."""
    rows = {}
    for line in (DATA / "sdxl_lora_modules.tsv").read_text().splitlines():
        name, *cells = line.split("\t")
        if line.startswith(starts) and (convolutions or "default LoRA" in cells[-1]):
            rows[name] = (cells[0], int(cells[1]), int(cells[2]), int(cells[3]))
    return rows


def shape(module: torch.nn.Module) -> tuple:
    if isinstance(module, torch.nn.Linear):
        return ("Linear", module.in_features, module.out_features, 1)
    return ("Conv2d", module.in_channels, module.out_channels, module.kernel_size[0])


@pytest.mark.parametrize(("convolutions", "count"), [(True, 788), (False, 722)])
def test_full_sdxl_has_exactly_the_unet_layers_of_sd_scripts(convolutions, count):
    unet, layout = sdxl_unet(), Layout.of(config("unet"))
    ours = {unet_name(path, layout): shape(unet.get_submodule(path)) for path in unet_targets(unet, convolutions)}
    assert ours == table("lora_unet_", convolutions=convolutions)
    assert len(ours) == len(unet_targets(unet, convolutions)) == count


def test_full_sdxl_has_exactly_the_text_encoder_layers_of_sd_scripts():
    ours = {
        text_encoder_name(path, which): shape(sdxl_encoder(which).get_submodule(path))
        for which in (1, 2)
        for path in text_encoder_targets(sdxl_encoder(which))
    }
    assert ours == table("lora_te")
    assert len(ours) == 264


def test_names_of_a_text_encoder_do_not_depend_on_the_version_of_transformers():
    name = "lora_te1_text_model_encoder_layers_3_mlp_fc1"
    for path in ("encoder.layers.3.mlp.fc1", "text_model.encoder.layers.3.mlp.fc1"):
        assert text_encoder_name(path, 1) == name
        assert text_encoder_path(name, flat=not path.startswith("text_model")) == path


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layers_per_block": 1},
        {"layers_per_block": [1, 2, 3]},
        {"mid_block_type": "UNetMidBlock2D"},
        {
            "block_out_channels": [32, 64],
            "attention_head_dim": [1, 2],
            "transformer_layers_per_block": [1, 1],
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        },
        {"use_linear_projection": False},
    ],
)
def test_every_layer_of_any_such_unet_has_a_name_of_its_own_that_leads_back(changes):
    settings = config("unet") | changes
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel.from_config(settings)
    layout = Layout.of(settings)
    paths = unet_targets(unet, convolutions=True)
    names = [unet_name(path, layout) for path in paths]
    assert len(set(names)) == len(paths) > 40
    assert [unet_path(name, layout) for name in names] == paths
    assert all(unet.get_submodule(path) for path in paths)


def test_the_base_in_the_box_is_counted_through_its_single_layers():
    layout = Layout.of(json.loads((MINI / "unet/config.json").read_text()))
    assert unet_name("down_blocks.0.downsamplers.0.conv", layout) == "lora_unet_input_blocks_2_0_op"
    assert unet_name("down_blocks.2.attentions.0.proj_in", layout) == "lora_unet_input_blocks_5_1_proj_in"
    assert unet_name("mid_block.resnets.1.conv2", layout) == "lora_unet_middle_block_2_out_layers_3"
    assert unet_name("up_blocks.0.upsamplers.0.conv", layout) == "lora_unet_output_blocks_1_2_conv"
    assert unet_name("up_blocks.2.resnets.1.conv_shortcut", layout) == "lora_unet_output_blocks_5_0_skip_connection"


def test_a_plain_upsampler_stands_where_the_original_code_has_it():
    """Without attention in its block the upsampler is the second part, not the third."""
    settings = config("unet") | {"down_block_types": ["DownBlock2D"] * 3, "up_block_types": ["UpBlock2D"] * 3}
    layout = Layout.of(settings)
    assert unet_name("up_blocks.0.upsamplers.0.conv", layout) == "lora_unet_output_blocks_2_1_conv"


@pytest.mark.parametrize(
    "path", ["conv_in", "time_embedding.linear_1", "down_blocks.9.resnets.0.conv1", "down_blocks.0.resnets.0.norm1"]
)
def test_a_layer_that_no_lora_trains_is_refused_in_words(path):
    with pytest.raises(BocetoError, match="no place"):
        unet_name(path, Layout.of(config("unet")))


@pytest.mark.parametrize(
    "name",
    ["lora_unet_input_blocks_1_1_proj_in", "lora_unet_output_blocks_99_0_in_layers_2", "lora_te1_text_projection", ""],
)
def test_a_name_that_leads_nowhere_is_refused_in_words(name):
    with pytest.raises(BocetoError, match="no place"):
        unet_path(name, Layout.of(config("unet")))
    with pytest.raises(BocetoError, match="no place"):
        text_encoder_path(name, flat=True)
