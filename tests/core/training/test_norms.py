"""Max-norm, against the products written out."""

import pytest
import torch
from msgspec.structs import replace

from core.bases import find, load
from core.plan.optimizers import with_preset
from core.settings import Plan
from core.training import network as networks
from core.training.network import Network, weights_of
from core.training.norms import hold

CPU = torch.device("cpu")
NO, YES = torch.tensor(False), torch.tensor(True)


@pytest.fixture
def network() -> Network:
    plan = with_preset(replace(Plan(rank=4, alpha=2.0, optimizer="adamw"), conv_rank=6, conv_alpha=3.0))
    made = networks.make(plan, load.unet(find.resolve("mini"), CPU, torch.float32), None, CPU)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    for group in made.groups:
        group.flat.data.copy_(torch.randn(group.flat.shape, generator=generator) * 0.1)
    return made


def changes(network: Network) -> dict[str, torch.Tensor]:
    """What each layer adds to the base's weights: up · down × alpha ÷ rank, as matrices."""
    found = {}
    for group in network.groups:
        for name, layer in group.layers.items():
            down, up = (weight.detach().double() for weight in weights_of(layer))
            found[name] = up.flatten(1) @ down.flatten(1) * (layer.lora_alpha["default"] / len(down))
    return found


def test_no_layer_changes_the_base_more_than_so_much_and_weak_ones_stay(network: Network) -> None:
    before = changes(network)
    norms = {name: change.norm().item() for name, change in before.items()}
    most = sorted(norms.values())[len(norms) // 2]
    assert {change.shape for change in before.values()} != {next(iter(before.values())).shape}
    hold(network, most, NO)
    after = changes(network)
    for name, norm in norms.items():
        torch.testing.assert_close(after[name], before[name] * min(1.0, most / norm), rtol=1e-4, atol=1e-7)
    assert max(change.norm().item() for change in after.values()) <= most * 1.0001


def test_both_halves_take_the_square_root(network: Network) -> None:
    (name, layer), *_rest = network.groups[0].layers.items()
    down, up = (weight.detach().clone() for weight in weights_of(layer))
    norm = changes(network)[name].norm().item()
    hold(network, norm / 4, NO)
    torch.testing.assert_close(layer.lora_A["default"].weight.detach(), down / 2, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(layer.lora_B["default"].weight.detach(), up / 2, rtol=1e-4, atol=1e-7)


def test_the_weights_stay_views_into_their_buffer(network: Network) -> None:
    (group,) = network.groups
    before = group.flat.detach().clone()
    hold(network, 0.01, NO)
    assert not torch.equal(group.flat.detach(), before)
    for layer in group.layers.values():
        for weight in weights_of(layer):
            assert weight.untyped_storage().data_ptr() == group.flat.untyped_storage().data_ptr()


def test_a_new_lora_and_a_step_that_was_left_out_are_not_touched(network: Network) -> None:
    (group,) = network.groups
    before = group.flat.detach().clone()
    hold(network, 0.01, YES)
    assert torch.equal(group.flat.detach(), before)
    for layer in group.layers.values():
        weights_of(layer)[1].data.zero_()
    before = group.flat.detach().clone()
    hold(network, 1.0, NO)
    assert torch.equal(group.flat.detach(), before)
