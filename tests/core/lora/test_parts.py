"""Which layers a plan trains: parts of the UNet, attention alone, text encoders."""

from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from core.bases import find, load
from core.errors import BocetoError
from core.lora.keys import text_encoder_targets, unet_targets
from core.lora.module import blocks_of, network_args, network_module
from core.lora.parts import text_encoder_layers, unet_layers
from core.plan.frozen import freeze
from core.settings import Settled
from tests.conftest import SHORT, small_project
from tests.core.plan.plans import settled

CPU = torch.device("cpu")
PLAN = settled(rank=6, alpha=3.0, text_encoders=True)
LOCON = replace(PLAN, conv_rank=5, conv_alpha=2.0)


@pytest.fixture(scope="module")
def unet() -> torch.nn.Module:
    return load.unet(find.resolve("mini"), CPU, torch.float32)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def encoder() -> torch.nn.Module:
    return load.text_encoders(find.resolve("mini"), CPU, torch.float32)[1]  # type: ignore[no-any-return]


def part(path: str) -> str:
    return path.partition("_block")[0]


def ranks(plan: Settled, unet: torch.nn.Module) -> dict[str, set[int]]:
    """The ranks of the layers with kernels of one pixel, by part."""
    found: dict[str, set[int]] = {}
    for path, (rank, alpha) in unet_layers(plan, unet).items():
        if (rank, alpha) != (plan.conv_rank, plan.conv_alpha):
            assert alpha == plan.alpha
            found.setdefault(part(path), set()).add(rank)
    return found


def test_with_nothing_said_every_layer_has_the_rank(unet: torch.nn.Module, encoder: torch.nn.Module) -> None:
    assert unet_layers(PLAN, unet) == dict.fromkeys(unet_targets(unet, convolutions=False), (6, 3.0))
    assert text_encoder_layers(PLAN, encoder) == dict.fromkeys(text_encoder_targets(encoder), (6, 3.0))


def test_each_part_has_its_rank_and_0_leaves_it_out(unet: torch.nn.Module) -> None:
    for plan in (PLAN, LOCON):
        assert ranks(plan, unet) == {"down": {6}, "mid": {6}, "up": {6}}
        assert ranks(replace(plan, down_rank=2, up_rank=12), unet) == {"down": {2}, "mid": {6}, "up": {12}}
        without = replace(plan, mid_rank=0, down_rank=0)
        assert {part(path) for path in unet_layers(without, unet)} == {"up"}, "its convolutions neither"


def test_attention_alone_leaves_out_the_rest_of_the_transformers(
    unet: torch.nn.Module, encoder: torch.nn.Module
) -> None:
    found = unet_layers(replace(PLAN, layers="attn-only"), unet)
    assert found and all(".attn1." in path or ".attn2." in path for path in found)
    assert sum(".attn" in path for path in unet_layers(PLAN, unet)) == len(found)
    convolutions = set(unet_layers(LOCON, unet)) - set(unet_layers(PLAN, unet))
    assert set(unet_layers(replace(LOCON, layers="attn-only"), unet)) == set(found) | convolutions
    texts = text_encoder_layers(replace(PLAN, layers="attn-only"), encoder)
    assert texts and all(".self_attn." in path for path in texts)


def test_the_text_encoders_have_a_rank_and_an_alpha_of_their_own(encoder: torch.nn.Module) -> None:
    assert set(text_encoder_layers(replace(PLAN, text_encoder_rank=2), encoder).values()) == {(2, 3.0)}
    both = replace(PLAN, text_encoder_rank=2, text_encoder_alpha=4.0)
    assert set(text_encoder_layers(both, encoder).values()) == {(2, 4.0)}


def test_sd_scripts_counts_23_blocks() -> None:
    said = network_args(replace(LOCON, down_rank=0, up_rank=12))
    each = [0] + [0] * 9 + [6] * 3 + [12] * 9 + [0]
    assert said["block_dims"] == ",".join(map(str, each))
    assert "block_alphas" not in said, "its own default: all have the network's"
    assert said["conv_block_dims"] == ",".join("5" if rank else "0" for rank in each)
    assert "conv_dim" not in said
    assert blocks_of(each) == {"down": 0, "mid": 6, "up": 12}
    assert blocks_of([4] * 25) is None and blocks_of([0, *range(22)]) is None
    assert network_args(replace(LOCON, down_rank=6)) == {"conv_dim": 5, "conv_alpha": 2.0}
    assert network_module(replace(PLAN, layers="attn-only")) == "lycoris.kohya"
    assert network_module(PLAN) == "networks.lora" and network_args(PLAN) == {}


def test_a_plan_in_which_nothing_of_the_unet_learns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BocetoError, match="Nothing of the UNet") as raised:
        freeze(*small_project(tmp_path, replace(SHORT, down_rank=0, mid_rank=0, up_rank=0)))
    assert raised.value.hint
