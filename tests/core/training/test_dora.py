"""DoRA: the network is what its file says by LyCORIS' definition, and a new one is the base."""

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.loaders.lora_conversion_utils import (
    _convert_non_diffusers_lora_to_diffusers,
    _maybe_map_sgm_blocks_to_diffusers,
)
from msgspec.structs import replace

from core.bases import find, load
from core.bases.base import Base
from core.errors import BocetoError
from core.lora import file
from core.lora.keys import Layout, text_encoder_path, unet_path
from core.plan.frozen import freeze
from core.plan.optimizers import with_preset
from core.runs import events
from core.settings import Plan
from core.training import network as networks
from core.training.dora import magnitude_of
from core.training.evaluate import evaluate
from core.training.network import Network
from tests.conftest import SHORT, small_project
from tests.core.training.studios import begun, opened, trained
from tests.core.training.test_network import CPU, answer, parts

DORA = with_preset(Plan(rank=4, alpha=2.0, optimizer="adamw", dora=True))
EVERYTHING = replace(DORA, conv_rank=6, conv_alpha=3.0, text_encoders=True)
TOKENS = torch.tensor([[1601, 5, 80, 900, 1602, *([1602] * 72)]] * 2)


@pytest.fixture(scope="module")
def base() -> Base:
    return find.resolve("mini")


def learned(network: Network) -> None:
    """Weights as after a long training: every part is away from where it began."""
    generator = torch.Generator().manual_seed(1)
    for group in network.groups:
        group.flat.data.add_(torch.randn(group.flat.shape, generator=generator) * 0.05)


def encoded(pair):  # type: ignore[no-untyped-def]
    with torch.no_grad():
        outs = [encoder(TOKENS, output_hidden_states=True) for encoder in pair]
    return torch.cat([out.hidden_states[-2] for out in outs], dim=-1), outs[1].text_embeds


def merged(unet, encoders, tensors: dict[str, torch.Tensor], strength: float = 1.0) -> None:  # type: ignore[no-untyped-def]
    """Every layer as the file says it, written out: W + strength · (m · (W + ΔW) ÷ ‖W + ΔW‖ − W)."""
    layout = Layout.of(unet.config)
    for name in {name.partition(".")[0] for name in tensors}:
        if name.startswith("lora_unet_"):
            layer = unet.get_submodule(unet_path(name, layout))
        else:
            encoder = encoders[int(name[len("lora_te")]) - 1]
            flat = not hasattr(encoder, "text_model")
            layer = encoder.get_submodule(text_encoder_path(name, flat))
        down, up = (tensors[f"{name}.lora_{part}.weight"].double().flatten(1) for part in ("down", "up"))
        before = layer.weight.data.double()
        whole = before + (up @ down * tensors[f"{name}.alpha"] / len(down)).view(before.shape)
        length = whole.flatten(1).norm(dim=1).view(-1, *[1] * (before.dim() - 1))
        assert tensors[f"{name}.dora_scale"].shape == length.shape
        after = tensors[f"{name}.dora_scale"].double() * whole / length
        layer.weight.data = (before + strength * (after - before)).float()


@pytest.mark.parametrize("plan", [DORA, EVERYTHING], ids=["attention", "everything"])
def test_the_network_is_what_its_file_says(plan: Plan, base: Base, tmp_path: Path) -> None:
    unet, encoders = parts(base)
    before = answer(unet, *encoded(encoders))
    network = networks.make(plan, unet, encoders, CPU)
    learned(network)
    file.save(tmp_path / "lora.safetensors", network.tensors(), {}, torch.float32)
    ours = answer(unet, *encoded(encoders))
    assert (ours - before).abs().max() > 0.05, "else this test could not fail"
    described, their_encoders = parts(base)
    merged(described, their_encoders, file.read(tmp_path / "lora.safetensors"))
    torch.testing.assert_close(answer(described, *encoded(their_encoders)), ours, atol=1e-4, rtol=0)
    again, again_encoders = parts(base)
    back = networks.from_file(file.read(tmp_path / "lora.safetensors"), again, again_encoders, CPU)
    torch.testing.assert_close(answer(again, *encoded(again_encoders)), ours, atol=1e-5, rtol=0)
    for name, tensor in network.tensors().items():
        torch.testing.assert_close(back.tensors()[name], tensor, atol=1e-6, rtol=1e-6)


def test_pefts_own_dora_gives_the_same_under_the_names_that_diffusers_makes_of_ours(base: Base) -> None:
    """`load_lora_weights` drops the magnitudes of an SDXL file before it looks, so its parts are called one by one."""
    unet, encoders = parts(base)
    network = networks.make(DORA, unet, None, CPU)
    learned(network)
    context, pooled = encoded(encoders)
    pipeline = StableDiffusionXLPipeline.from_pretrained(str(base.path), torch_dtype=torch.float32)
    mapped = _maybe_map_sgm_blocks_to_diffusers(dict(network.tensors()), pipeline.unet.config)
    state, alphas = _convert_non_diffusers_lora_to_diffusers(mapped)
    state = {name: tensor.flatten() if "magnitude" in name else tensor for name, tensor in state.items()}
    pipeline.load_lora_into_unet(state, alphas, pipeline.unet)
    ours = answer(unet, context, pooled)
    torch.testing.assert_close(answer(pipeline.unet, context, pooled), ours, atol=1e-4, rtol=0)
    with network.strength(0):
        assert (answer(unet, context, pooled) - ours).abs().max() > 0.05, "else this test could not fail"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_new_dora_changes_nothing(dtype: torch.dtype, base: Base) -> None:
    unet = load.unet(base, CPU, dtype)
    context, pooled = torch.randn(2, 77, 192).to(dtype), torch.randn(2, 96).to(dtype)

    def answered() -> torch.Tensor:
        with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            conditions = {"text_embeds": pooled, "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)}
            noisy = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(2)).to(dtype)
            return unet(noisy, torch.tensor([10, 700]), context, added_cond_kwargs=conditions).sample  # type: ignore[no-any-return]

    before = answered()
    networks.make(EVERYTHING, unet, None, CPU)
    assert torch.equal(answered(), before)


def test_strength_is_of_the_whole_change_and_none_is_the_base(base: Base) -> None:
    unet, encoders = parts(base)
    network = networks.make(EVERYTHING, unet, encoders, CPU)
    learned(network)
    whole = answer(unet, *encoded(encoders))
    for strength in (0.0, 0.5):
        other, other_encoders = parts(base)
        merged(other, other_encoders, network.tensors(), strength)
        with network.strength(strength):
            half = answer(unet, *encoded(encoders))
        torch.testing.assert_close(half, answer(other, *encoded(other_encoders)), atol=1e-4, rtol=0)
    assert torch.equal(answer(unet, *encoded(encoders)), whole)


def test_the_three_parts_of_a_layer_are_views_into_the_flat_buffer_and_all_learn(base: Base) -> None:
    unet, encoders = parts(base)
    network = networks.make(replace(EVERYTHING, text_encoders=False), unet, None, CPU)
    (group,) = network.groups
    learned(network)
    context, pooled = encoded(encoders)
    conditions = {"text_embeds": pooled, "time_ids": torch.zeros(2, 6)}
    unet(torch.randn(2, 4, 16, 16), torch.tensor([5, 9]), context, added_cond_kwargs=conditions).sample.sum().backward()
    count = 0
    for layer in group.layers.values():
        for weight in networks.learned_by(layer):
            count += weight.numel()
            assert weight.untyped_storage().data_ptr() == group.flat.untyped_storage().data_ptr()
            assert weight.grad.untyped_storage().data_ptr() == group.flat.grad.untyped_storage().data_ptr()  # type: ignore[union-attr]
            assert weight.grad.abs().sum() > 0  # type: ignore[union-attr]
    assert count == group.flat.numel()


def test_a_training_moves_the_magnitudes_and_writes_them(tmp_path: Path) -> None:
    studio, run = begun(tmp_path / "small", replace(SHORT, dora=True))
    begin = {name: tensor for name, tensor in studio.network.tensors().items() if name.endswith("dora_scale")}
    *_rest, last = trained(studio, run)
    assert isinstance(last, events.Finished)
    tensors = file.read(Path(last.path))
    assert begin and all((tensors[name] - scale).abs().max() > 0 for name, scale in begin.items())
    assert all((tensors[name] / scale - 1).abs().max() < 0.2 for name, scale in begin.items())


def test_it_goes_on_from_a_dora_and_from_a_plain_lora_as_they_are(tmp_path: Path) -> None:
    plain = replace(SHORT, prior_pictures=0, learning_rate=2e-2)
    for number, plan in enumerate((plain, replace(plain, dora=True))):
        studio, run = begun(tmp_path / f"first{number}" / "small", plan)
        *_rest, last = trained(studio, run)
        assert isinstance(last, events.Finished)
        further = replace(plain, dora=True, rank=6, alpha=2.0, init_lora=last.path)
        other = opened(freeze(*small_project(tmp_path / f"then{number}" / "small", further)))
        ended = evaluate(studio, 0)
        assert evaluate(other, 0).trained == pytest.approx(ended.trained, rel=1e-5)
        assert ended.trained != pytest.approx(evaluate(begun(tmp_path / f"new{number}", plan)[0], 0).trained, rel=1e-3)
    with pytest.raises(BocetoError, match="holds more than this plan can") as raised:
        freeze(*small_project(tmp_path / "refused", replace(plain, init_lora=last.path)))
    assert "--dora" in raised.value.hint


def test_what_cannot_be_is_refused_in_words(base: Base, tmp_path: Path) -> None:
    with pytest.raises(BocetoError, match="do not go together") as raised:
        freeze(*small_project(tmp_path / "small", replace(SHORT, dora=True, scale_weight_norms=1.0)))
    assert raised.value.hint
    unet, encoders = parts(base)
    tensors = networks.make(DORA, unet, None, CPU).tensors()
    name = next(name for name in tensors if name.endswith("ff_net_0_proj.dora_scale"))
    columns = tensors[name.replace("dora_scale", "lora_down.weight")].shape[1]
    fresh, _encoders = parts(base)
    with pytest.raises(BocetoError, match="does not fit") as raised:
        networks.from_file(tensors | {name: torch.ones(1, columns)}, fresh, encoders, CPU)
    assert "by columns" in raised.value.detail


def test_without_the_choice_no_layer_has_a_magnitude(base: Base) -> None:
    unet, _encoders = parts(base)
    network = networks.make(replace(DORA, dora=False), unet, None, CPU)
    assert not any(magnitude_of(layer) for layer in network.groups[0].layers.values())
    assert not any(name.endswith("dora_scale") for name in network.tensors())
