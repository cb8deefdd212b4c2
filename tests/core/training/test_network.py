"""The LoRA in training: flat buffers, and a file that gives the same pictures elsewhere."""

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from msgspec.structs import replace

from core.bases import find, load
from core.bases.base import Base
from core.errors import BocetoError
from core.lora import file
from core.plan.optimizers import with_preset
from core.settings import Plan
from core.training import network as networks
from core.training.network import Network

CPU = torch.device("cpu")
PLAN = with_preset(Plan(rank=4, alpha=2.0, optimizer="adamw"))
LOCON = replace(PLAN, conv_rank=6, conv_alpha=3.0)
EVERYTHING = replace(LOCON, text_encoders=True)


@pytest.fixture(scope="module")
def base() -> Base:
    return find.resolve("mini")


def parts(base: Base):  # type: ignore[no-untyped-def]
    return load.unet(base, CPU, torch.float32), load.text_encoders(base, CPU, torch.float32)


def random_weights(network: Network) -> None:
    """Weights as after a long training, so that a mistake in any layer is seen."""
    generator = torch.Generator().manual_seed(1)
    for group in network.groups:
        group.flat.data.copy_(torch.randn(group.flat.shape, generator=generator) * 0.05)


def answer(unet, context, pooled):  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(2)
    noisy = torch.randn(2, 4, 16, 16, generator=generator)
    time_ids = torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)
    conditions = {"text_embeds": pooled, "time_ids": time_ids}
    with torch.no_grad():
        return unet(noisy, torch.tensor([10, 700]), context, added_cond_kwargs=conditions).sample


PARTS = replace(EVERYTHING, down_rank=0, mid_rank=7, up_rank=2, text_encoder_rank=3, text_encoder_alpha=6.0)
ATTENTION = replace(EVERYTHING, conv_rank=0, conv_alpha=None, layers="attn-only")


@pytest.mark.parametrize(
    "plan",
    [PLAN, LOCON, EVERYTHING, PARTS, ATTENTION],
    ids=["attention", "convolutions", "text encoders", "parts", "attention alone"],
)
def test_diffusers_loads_the_file_and_draws_the_same(plan: Plan, base: Base, tmp_path: Path) -> None:
    unet, encoders = parts(base)
    network = networks.make(plan, unet, encoders if plan.text_encoders else None, CPU)
    random_weights(network)
    file.save(tmp_path / "lora.safetensors", network.tensors(), {}, torch.float32)
    # As we are not testing text here: the hidden states of one tokenised prompt, by each side's own encoders.
    tokens = torch.tensor([[1601, 5, 80, 900, 1602, *([1602] * 72)]] * 2)

    def encoded(pair):  # type: ignore[no-untyped-def]
        with torch.no_grad():
            outs = [encoder(tokens, output_hidden_states=True) for encoder in pair]
        return torch.cat([out.hidden_states[-2] for out in outs], dim=-1), outs[1].text_embeds

    ours = answer(unet, *encoded(encoders))
    pipeline = StableDiffusionXLPipeline.from_pretrained(str(base.path), torch_dtype=torch.float32)
    plain = answer(pipeline.unet, *encoded((pipeline.text_encoder, pipeline.text_encoder_2)))
    pipeline.load_lora_weights(str(tmp_path / "lora.safetensors"))
    theirs = answer(pipeline.unet, *encoded((pipeline.text_encoder, pipeline.text_encoder_2)))
    assert (ours - plain).abs().max() > 0.01, "the LoRA must make a difference, or this test could not fail"
    assert (ours - theirs).abs().max() < 1e-4


@pytest.mark.parametrize("plan", [PLAN, EVERYTHING, PARTS], ids=["attention", "everything", "parts"])
def test_a_file_comes_back_as_the_network_it_was(plan: Plan, base: Base, tmp_path: Path) -> None:
    unet, encoders = parts(base)
    network = networks.make(plan, unet, encoders, CPU)
    random_weights(network)
    file.save(tmp_path / "lora.safetensors", network.tensors(), {}, torch.float32)
    other_unet, other_encoders = parts(base)
    other = networks.from_file(file.read(tmp_path / "lora.safetensors"), other_unet, other_encoders, CPU)
    assert {name: tensor.tolist() for name, tensor in other.tensors().items()} == {
        name: tensor.tolist() for name, tensor in network.tensors().items()
    }
    context, pooled = torch.randn(2, 77, 192), torch.randn(2, 96)
    assert torch.equal(answer(unet, context, pooled), answer(other_unet, context, pooled))
    with other.strength(0):
        fresh, _encoders = parts(base)
        torch.testing.assert_close(answer(other_unet, context, pooled), answer(fresh, context, pooled))


def test_every_weight_and_gradient_is_a_view_into_the_flat_buffers(base: Base) -> None:
    unet, _encoders = parts(base)
    network = networks.make(LOCON, unet, None, CPU)
    (group,) = network.groups
    answered = unet(
        torch.randn(1, 4, 16, 16),
        torch.tensor([5]),
        torch.randn(1, 77, 192),
        added_cond_kwargs={"text_embeds": torch.randn(1, 96), "time_ids": torch.zeros(1, 6)},
    ).sample
    answered.square().mean().backward()
    trained = [parameter for parameter in unet.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in trained) == group.flat.numel()
    assert group.flat.grad is not None
    for parameter in trained:
        assert parameter.untyped_storage().data_ptr() == group.flat.untyped_storage().data_ptr()
        assert parameter.grad.untyped_storage().data_ptr() == group.flat.grad.untyped_storage().data_ptr()
    assert group.flat.grad.abs().sum() > 0
    # sd-scripts' start: the LoRA changes nothing, and only its upper half has a gradient.
    group.flat.data.add_(1.0)
    assert trained[0].min() > 0.0


def test_a_new_network_changes_nothing_and_follows_from_its_seed(base: Base) -> None:
    unet, _encoders = parts(base)
    context, pooled = torch.randn(2, 77, 192), torch.randn(2, 96)
    before = answer(unet, context, pooled)
    network = networks.make(LOCON, unet, None, CPU)
    assert torch.equal(before, answer(unet, context, pooled))
    again, _encoders = parts(base)
    assert torch.equal(network.groups[0].flat, networks.make(LOCON, again, None, CPU).groups[0].flat)
    third, _encoders = parts(base)
    other = networks.make(replace(LOCON, seed=7), third, None, CPU)
    assert not torch.equal(network.groups[0].flat, other.groups[0].flat)


def test_a_lora_for_another_base_is_refused_in_words(base: Base) -> None:
    unet, encoders = parts(base)
    foreign = {
        f"lora_unet_output_blocks_9_1_proj_in.{part}": torch.zeros(4, 4)
        for part in ("lora_down.weight", "lora_up.weight")
    }
    with pytest.raises(BocetoError) as caught:
        networks.from_file(foreign, unet, encoders, CPU)
    assert "does not fit" in caught.value.title and "output_blocks_9_1" in caught.value.detail


def test_prodigy_sees_one_group_and_adamw_two(base: Base) -> None:
    prodigy = with_preset(replace(Plan(optimizer="prodigy"), text_encoders=True))
    unet, encoders = parts(base)
    assert [group.name for group in networks.make(prodigy, unet, encoders, CPU).groups] == ["all"]
    unet, encoders = parts(base)
    assert [group.name for group in networks.make(EVERYTHING, unet, encoders, CPU).groups] == ["unet", "text_encoders"]
