"""The average of the weights, against its formula."""

import pytest
import torch
from torch import nn

from core.training.average import Average

DECAY = 0.9
MOVES = [0.5, -1.0, 2.0, 0.25] * 30


class Group:
    """As much of a LoRA's group as has weights."""

    def __init__(self, name: str, weights: torch.Tensor) -> None:
        self.name, self.flat = name, nn.Parameter(weights)


class Network:
    """Two groups."""

    def __init__(self) -> None:
        self.groups = [Group("unet", torch.arange(3.0)), Group("text_encoders", torch.ones(2))]
        self.followed = 0

    def follow(self) -> None:
        self.followed += 1


def moved(network: Network, average: Average, start: int, moves: list[float]) -> None:
    for step, by in enumerate(moves, start):
        for group in network.groups:
            group.flat.data += by
        average.take(step, torch.tensor(False))


def test_it_is_the_exponential_mean_with_a_quick_beginning() -> None:
    network = Network()
    average = Average(network, DECAY)  # type: ignore[arg-type]
    moved(network, average, 0, MOVES)
    weights, mean = torch.arange(3.0).double(), torch.arange(3.0).double()
    for step, by in enumerate(MOVES):
        weights = weights + by
        decay = min(DECAY, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * weights
    torch.testing.assert_close(average.state()["average of unet"].double(), mean, rtol=1e-5, atol=1e-5)
    assert not torch.equal(average.state()["average of unet"], network.groups[0].flat.detach())


def test_it_takes_the_place_of_the_weights_for_a_while_and_changes_nothing() -> None:
    network = Network()
    average = Average(network, DECAY)  # type: ignore[arg-type]
    moved(network, average, 0, MOVES[:7])
    before = [group.flat.detach().clone() for group in network.groups]
    with pytest.raises(RuntimeError), average.in_place():
        for group, mean in zip(network.groups, average.state().values(), strict=True):
            assert torch.equal(group.flat.detach(), mean)
        assert network.followed
        raise RuntimeError
    assert network.followed % 2 == 0
    assert all(torch.equal(group.flat.detach(), old) for group, old in zip(network.groups, before, strict=True))


def test_a_step_that_was_left_out_does_not_count() -> None:
    network = Network()
    average = Average(network, DECAY)  # type: ignore[arg-type]
    moved(network, average, 0, MOVES[:7])
    before = average.state()
    average.take(7, torch.tensor(True))
    assert all(torch.equal(before[name], mean) for name, mean in average.state().items())


def test_it_goes_on_from_its_state_as_if_it_had_never_stopped() -> None:
    whole, broken = Network(), Network()
    one, first = Average(whole, DECAY), Average(broken, DECAY)  # type: ignore[arg-type]
    moved(whole, one, 0, MOVES[:20])
    moved(broken, first, 0, MOVES[:9])
    second = Average(broken, DECAY)  # type: ignore[arg-type]
    second.restore(first.state())
    moved(broken, second, 9, MOVES[9:20])
    assert all(torch.equal(one.state()[name], mean) for name, mean in second.state().items())
