"""Computing parts of the UNet twice changes what is kept, and nothing that is learned."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from benchmarks.activations import Living
from core.bases import find, load
from core.training import checkpointing, network
from core.training.network import Network
from core.training.step import Batch, Noising, loss
from tests.core.plan.plans import settled

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def drawer() -> tuple[torch.nn.Module, Network]:
    torch.set_num_threads(1)
    unet = load.unet(find.resolve("mini"), CPU, torch.float32)
    return unet, network.make(settled(rank=4), unet, None, CPU)


def batch() -> Batch:
    base = find.resolve("mini")
    generator = torch.Generator().manual_seed(3)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    shape = 3, base.latent_channels, 16, 16
    return Batch(
        latents=draw(*shape),
        context=draw(3, 77, sum(base.text_widths)),
        pooled=draw(3, base.pooled_width),
        time_ids=torch.full((3, 6), 64.0),
        noise=draw(*shape),
        timesteps=torch.tensor([5, 400, 990]),
        weights=torch.tensor([1.0, 0.5, 2.0]),
    )


def learned(unet: torch.nn.Module, lora: Network, pieces: int = 1) -> tuple[Tensor, int]:
    """The gradients of one step, and the bytes that its first piece keeps."""
    lora.zero_grad()
    whole, noising = batch(), Noising.of(load.scheduler(find.resolve("mini")), "epsilon", CPU)
    most = 0
    for part in whole.parts(pieces):
        with Living(iter([*unet.parameters(), *lora.parameters])) as living:
            found = loss(unet, part, noising, 5.0, torch.float32)
            most = max(most, living.now)
        found.backward()  # type: ignore[no-untyped-call]
    return torch.cat([group.flat.grad.clone() for group in lora.groups if group.flat.grad is not None]), most


def test_the_more_is_computed_twice_the_less_is_kept_and_the_gradients_stay_the_same(
    drawer: tuple[torch.nn.Module, Network],
) -> None:
    unet, lora = drawer
    for group in lora.groups:  # up is zero at the beginning, and so would be all gradients of down
        group.flat.data.normal_(std=0.05, generator=torch.Generator().manual_seed(1))
    transformers = sum("transformer" in path for path in checkpointing.parts(unet))
    assert transformers > 2
    kept, gradients = [], []
    for twice in (*range(transformers + 1), 1000):
        checkpointing.use(unet, twice)
        found, bytes_ = learned(unet, lora)
        kept.append(bytes_)
        gradients.append(found)
    checkpointing.use(unet, 0)
    assert all(more > less for more, less in pairwise(kept))
    assert gradients[0].abs().sum() > 0
    assert all(torch.equal(gradients[0], other) for other in gradients)
    assert learned(unet, lora)[1] == kept[0]


def test_a_step_in_pieces_keeps_less_and_learns_the_same(drawer: tuple[torch.nn.Module, Network]) -> None:
    unet, lora = drawer
    checkpointing.use(unet, 0)
    whole, kept = learned(unet, lora)
    for pieces in (2, 3, 7):
        found, less = learned(unet, lora, pieces)
        assert less < 0.8 * kept
        assert torch.allclose(found, whole, rtol=1e-4, atol=1e-7)


def test_pieces_are_of_nearly_one_size_and_leave_nothing_out() -> None:
    whole = batch()
    for pieces in (1, 2, 3, 9):
        parts = whole.parts(pieces)
        sizes = [len(part.weights) for part in parts]
        assert max(sizes) - min(sizes) <= 1 and min(sizes) > 0
        assert torch.equal(torch.cat([part.latents for part in parts]), whole.latents)
        assert torch.equal(torch.cat([part.timesteps for part in parts]), whole.timesteps)
        assert all(part.added is None for part in parts)
