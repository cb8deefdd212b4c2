"""The average of the weights, against its formula."""

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from core.training.average import Average
from core.training.network import Network, weights_of
from core.training.writer import Snapshot

DECAY = 0.9
MOVES = [0.5, -1.0, 2.0, 0.25] * 30


def network() -> Network:
    """A LoRA of two groups that computes in bf16."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    inject_adapter_in_model(LoraConfig(r=1, target_modules=["0", "1"]), model)
    found = Network({"unet": {"first": model[0]}, "text_encoders": {"second": model[1]}}, torch.device("cpu"))
    for group in found.groups:
        group.flat.data.copy_(torch.arange(4.0))
    found.compute_in(torch.bfloat16)
    return found


def follows(network: Network) -> bool:
    """Whether what the layers compute with is what the exact weights are."""
    return all(
        torch.equal(own, exact.bfloat16())
        for group in network.groups
        for _name, layer, views in group.exact()
        for own, exact in zip(weights_of(layer), views, strict=True)
    )


def moved(network: Network, average: Average, start: int, moves: list[float]) -> None:
    for step, by in enumerate(moves, start):
        for weights in network.buffers.values():
            weights.add_(by)
        network.follow()
        average.take(step, torch.tensor(False))


def test_it_is_the_exponential_mean_with_a_quick_beginning() -> None:
    lora = network()
    average = Average(lora, DECAY)
    moved(lora, average, 0, MOVES)
    weights, mean = torch.arange(4.0).double(), torch.arange(4.0).double()
    for step, by in enumerate(MOVES):
        weights = weights + by
        decay = min(DECAY, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * weights
    torch.testing.assert_close(average.state()["average of unet"].double(), mean, rtol=1e-5, atol=1e-5)
    assert not torch.equal(average.state()["average of unet"], lora.buffers["unet"])


def test_it_takes_the_place_of_the_weights_for_a_while_and_changes_nothing() -> None:
    lora = network()
    average = Average(lora, DECAY)
    moved(lora, average, 0, MOVES[:7])
    before = Snapshot(lora.buffers).take()
    with pytest.raises(RuntimeError), average.in_place():
        assert all(torch.equal(lora.buffers[name], mean) for name, mean in average.buffers.items())
        assert follows(lora)
        raise RuntimeError
    assert all(torch.equal(lora.buffers[name], weights) for name, weights in before.items())
    assert follows(lora)


def test_a_step_that_was_left_out_does_not_count() -> None:
    lora = network()
    average = Average(lora, DECAY)
    moved(lora, average, 0, MOVES[:7])
    before = Snapshot(average.state()).take()
    average.take(7, torch.tensor(True))
    assert all(torch.equal(before[name], mean) for name, mean in average.state().items())


def test_it_goes_on_from_its_state_as_if_it_had_never_stopped() -> None:
    whole, broken = network(), network()
    one, first = Average(whole, DECAY), Average(broken, DECAY)
    moved(whole, one, 0, MOVES[:20])
    moved(broken, first, 0, MOVES[:9])
    second = Average(broken, DECAY)
    second.restore(first.state())
    moved(broken, second, 9, MOVES[9:20])
    assert all(torch.equal(one.state()[name], mean) for name, mean in second.state().items())
