"""One step against the formulas, written out here once more and independently."""

import math

import pytest
import torch
from diffusers import DDPMScheduler, EulerDiscreteScheduler
from torch import nn

from core.training.step import Batch, Noising, loss, noise, timesteps

CPU = torch.device("cpu")


class Drawer(nn.Module):
    """A UNet's outside, small enough to differentiate by hand: answer = a·noisy + b·mean(context) + c·time."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.7))
        self.b = nn.Parameter(torch.tensor(-0.2))
        self.seen: dict[str, torch.Tensor] = {}

    def forward(self, noisy, timestep, context, added_cond_kwargs, return_dict):  # type: ignore[no-untyped-def]
        self.seen = {"noisy": noisy, **added_cond_kwargs}
        shift = context.mean(dim=(1, 2)) + added_cond_kwargs["text_embeds"].mean(dim=1) + timestep / 1000
        return (self.a * noisy + self.b * shift.view(-1, 1, 1, 1),)


def batch(timestep_list: list[int]) -> Batch:
    count = len(timestep_list)
    generator = torch.Generator().manual_seed(5)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    return Batch(
        latents=draw(count, 4, 6, 8),
        context=draw(count, 77, 16),
        pooled=draw(count, 12),
        time_ids=torch.tensor([[600.0, 800.0, 0.0, 16.0, 48.0, 64.0]] * count),
        noise=draw(count, 4, 6, 8),
        timesteps=torch.tensor(timestep_list),
        weights=torch.tensor([1.0] * (count - 1) + [0.5]),
    )


def alpha_bar(step: int) -> float:
    """ᾱ from the definition: β runs linearly in its square root from 0.00085 to 0.012."""
    product = 1.0
    for index in range(step + 1):
        beta = (math.sqrt(0.00085) + (math.sqrt(0.012) - math.sqrt(0.00085)) * index / 999) ** 2
        product *= 1 - beta
    return product


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("gamma", [0.0, 5.0])
def test_loss_and_gradients_are_those_of_the_formulas(prediction: str, gamma: float) -> None:
    steps = [0, 17, 146, 500, 998, 999]
    given, unet = batch(steps), Drawer()
    scheduler = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    found = loss(unet, given, Noising.of(scheduler, prediction, CPU), gamma, torch.float32)
    found.backward()

    a, b = 0.7, -0.2
    total, by_a, by_b = 0.0, 0.0, 0.0
    for index, step in enumerate(steps):
        bar = alpha_bar(step)
        x, e = given.latents[index].double(), given.noise[index].double()
        noisy = math.sqrt(bar) * x + math.sqrt(1 - bar) * e
        shift = given.context[index].double().mean() + given.pooled[index].double().mean() + step / 1000
        target = e if prediction == "epsilon" else math.sqrt(bar) * e - math.sqrt(1 - bar) * x
        error = a * noisy + b * shift - target
        snr = bar / (1 - bar)
        weight = 1.0
        if gamma:
            weight = min(snr, gamma) / (snr if prediction == "epsilon" else snr + 1)
        weight *= float(given.weights[index]) / len(steps)
        total += weight * float((error**2).mean())
        by_a += weight * float((2 * error * noisy).mean())
        by_b += weight * float((2 * error * shift).mean())
    assert found.item() == pytest.approx(total, rel=1e-5)
    assert unet.a.grad is not None and unet.a.grad.item() == pytest.approx(by_a, rel=1e-5)
    assert unet.b.grad is not None and unet.b.grad.item() == pytest.approx(by_b, rel=1e-5)


def test_size_and_crop_reach_the_network_in_pixels_and_in_their_order() -> None:
    unet = Drawer()
    loss(unet, batch([10]), Noising.of(EulerDiscreteScheduler(), "epsilon", CPU), 0, torch.float32)
    assert unet.seen["time_ids"].tolist() == [[600.0, 800.0, 0.0, 16.0, 48.0, 64.0]]


def test_velocity_is_what_diffusers_calls_velocity() -> None:
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    given = batch([3, 400, 990])
    noising = Noising.of(scheduler, "v_prediction", CPU)
    expected = scheduler.get_velocity(given.latents, given.noise, given.timesteps)
    torch.testing.assert_close(noising.target(given.latents, given.noise, given.timesteps), expected)
    expected = scheduler.add_noise(given.latents, given.noise, given.timesteps)
    torch.testing.assert_close(noising.mix(given.latents, given.noise, given.timesteps), expected)


def test_zero_terminal_snr_gives_finite_weights() -> None:
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", rescale_betas_zero_snr=True
    )
    noising = Noising.of(scheduler, "v_prediction", CPU)
    assert torch.isfinite(noising.weights(torch.arange(1000), 5.0)).all()


def test_timesteps_are_uniform_and_spread_over_every_batch() -> None:
    drawn = torch.stack([timesteps(42, step, 4, 1000) for step in range(2000)])
    assert drawn.min() >= 0 and drawn.max() <= 999
    # Each batch sees each quarter of the range once; over all batches every place sees all of them alike.
    assert (drawn.div(250, rounding_mode="floor").sort(dim=1).values == torch.arange(4)).all()
    assert drawn[:, 0].float().mean().item() == pytest.approx(499.5, abs=20)


def test_random_numbers_follow_from_seed_and_step_alone() -> None:
    first = noise(42, 7, (2, 4, 8, 8))
    torch.rand(100)
    assert torch.equal(first, noise(42, 7, (2, 4, 8, 8)))
    assert not torch.equal(first, noise(42, 8, (2, 4, 8, 8)))
    assert not torch.equal(first, noise(43, 7, (2, 4, 8, 8)))
