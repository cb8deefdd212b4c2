"""One step against the formulas, written out here once more and independently."""

import math
from dataclasses import replace

import pytest
import torch
from diffusers import DDPMScheduler, EulerDiscreteScheduler
from torch import nn
from torch.nn import functional

from core.randomness import key
from core.training.step import Batch, Noising, loss, losses, noise, perturbed, timesteps
from tests.core.plan.plans import settled

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


def rescaled() -> list[float]:
    """ᾱ with zero terminal SNR, from its paper (arXiv 2305.08891): √ᾱ moved and stretched so that the last is 0."""
    roots = [math.sqrt(alpha_bar(step)) for step in range(1000)]
    first, last = roots[0], roots[-1]
    return [((root - last) * first / (first - last)) ** 2 for root in roots]


ZERO = EulerDiscreteScheduler(
    beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", rescale_betas_zero_snr=True
)
USUAL = EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


def test_zero_terminal_snr_ends_in_pure_noise_and_is_else_that_of_the_paper() -> None:
    noising = Noising.of(ZERO, "v_prediction", CPU)
    bars = rescaled()
    torch.testing.assert_close(noising.signal, torch.tensor(bars).sqrt(), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(noising.noise, (1 - torch.tensor(bars)).sqrt(), rtol=1e-4, atol=1e-6)
    given = batch([0, 999])
    noisy = noising.mix(given.latents, given.noise, given.timesteps)
    assert torch.equal(noisy[1], given.noise[1]), "no trace of the drawing is left"
    target = noising.target(given.latents, given.noise, given.timesteps)
    assert torch.equal(target[1], -given.latents[1]), "so the whole drawing has to be answered"


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_debiased_weights_are_those_of_the_formula_whatever_gamma_is(prediction: str) -> None:
    steps = [0, 5, 146, 500, 999]
    noising = Noising.of(USUAL, prediction, CPU)
    for gamma in (0.0, 5.0):
        found = noising.weights(torch.tensor(steps), gamma, debiased=True)
        for step, weight in zip(steps, found.tolist(), strict=True):
            snr = alpha_bar(step) / (1 - alpha_bar(step))
            expected = 1 / math.sqrt(min(snr, 1000)) if prediction == "epsilon" else 1 / (snr + 1)
            assert weight == pytest.approx(expected, rel=1e-4)
    assert torch.isfinite(Noising.of(ZERO, prediction, CPU).weights(torch.arange(1000), 0.0, debiased=True)).all()


def test_debiased_weights_reach_the_loss() -> None:
    given, noising = batch([17, 500]), Noising.of(USUAL, "epsilon", CPU)
    each = losses(Drawer(), given, noising, torch.float32)
    snr = [alpha_bar(step) / (1 - alpha_bar(step)) for step in (17, 500)]
    expected = (each[0] / math.sqrt(min(snr[0], 1000)) + 0.5 * each[1] / math.sqrt(snr[1])) / 2
    found = loss(Drawer(), given, noising, 5.0, torch.float32, debiased=True)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_input_perturbation_shows_more_noise_than_it_asks_for() -> None:
    given, unet, noising = batch([300, 700]), Drawer(), Noising.of(USUAL, "epsilon", CPU)
    more = perturbed(given.noise, 42, 7, 0.1)
    found = losses(unet, replace(given, added=more), noising, torch.float32)
    for index, step in enumerate((300, 700)):
        bar = alpha_bar(step)
        noisy = math.sqrt(bar) * given.latents[index] + math.sqrt(1 - bar) * more[index]
        torch.testing.assert_close(unet.seen["noisy"][index], noisy, rtol=1e-4, atol=1e-5)
        shift = given.context[index].mean() + given.pooled[index].mean() + step / 1000
        expected = ((0.7 * noisy - 0.2 * shift - given.noise[index]) ** 2).mean()
        assert found[index].item() == pytest.approx(expected.item(), rel=1e-4)


def test_the_perturbation_is_as_strong_as_asked_and_another_in_each_step() -> None:
    drawn = noise(42, 7, (4, 4, 64, 64))
    on_top = (perturbed(drawn, 42, 7, 0.1) - drawn) / 0.1
    assert on_top.std().item() == pytest.approx(1, abs=0.02) and abs(on_top.mean().item()) < 0.02
    assert abs((on_top * drawn).mean().item()) < 0.02, "it knows nothing of the noise"
    assert torch.equal(perturbed(drawn, 42, 7, 0.1), perturbed(drawn, 42, 7, 0.1))
    assert not torch.equal(perturbed(drawn, 42, 8, 0.1), perturbed(drawn, 42, 7, 0.1))


def test_coarser_noises_are_those_of_sd_scripts() -> None:
    """`pyramid_noise_like` written out once more, with the random numbers of the step."""
    plan, shape = settled(multires_iterations=6, multires_discount=0.3), (2, 4, 24, 40)
    generator = torch.Generator().manual_seed(key(42, 7, "coarser noise"))
    expected = noise(42, 7, shape)
    for iteration in range(6):
        ratio = torch.rand((), generator=generator).item() * 2 + 2
        height, width = max(1, int(24 / ratio**iteration)), max(1, int(40 / ratio**iteration))
        up = nn.Upsample(size=(24, 40), mode="bilinear")
        expected = expected + up(torch.randn(2, 4, height, width, generator=generator)) * 0.3**iteration
        if height == 1 or width == 1:
            break
    assert iteration in (2, 3, 4), "24 rows do not halve six times"
    torch.testing.assert_close(noise(42, 7, shape, plan), expected / expected.std())


def test_coarser_noises_make_large_areas_of_one_sign_and_keep_the_strength() -> None:
    def areas(drawn: torch.Tensor) -> float:
        return functional.avg_pool2d(drawn, 16).std().item()

    plain = noise(42, 7, (4, 4, 64, 64))
    coarse = noise(42, 7, (4, 4, 64, 64), settled(multires_iterations=6, multires_discount=0.8))
    assert coarse.std().item() == pytest.approx(1, abs=1e-3)
    assert areas(coarse) > 3 * areas(plain)
    assert torch.equal(noise(42, 7, (4, 4, 8, 8), settled()), noise(42, 7, (4, 4, 8, 8)))


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
