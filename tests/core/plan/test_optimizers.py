"""Optimizers: arguments that belong together, who they suit, and how the rate runs."""

from itertools import pairwise
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from core.plan.optimizers import FEW_DRAWINGS, PRESETS, rate_factor, recommend, with_preset
from core.settings import Plan, SchedulerName
from tests.core.plan.plans import settled

OURS_AND_THEIRS = {
    "constant": "constant_with_warmup",
    "linear": "linear",
    "cosine": "cosine",
    "cosine_with_restarts": "cosine_with_restarts",
    "polynomial": "polynomial",
}
"""Every scheduler of the notebooks; their “constant_with_warmup” is “constant” with a warm-up here."""


def theirs(scheduler: str, warmup: int, steps: int, cycles: int) -> list[float]:
    """The factors of transformers' scheduler, one a step."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    extra = {"cosine_with_restarts": {"num_cycles": cycles}, "polynomial": {"power": 3.0}}
    clock = get_scheduler(OURS_AND_THEIRS[scheduler], optimizer, warmup, steps, extra.get(scheduler))
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        clock.step()
    return factors


@pytest.mark.parametrize("optimizer", PRESETS)
def test_what_is_left_open_comes_from_one_preset_alone(optimizer):
    preset, plan = PRESETS[optimizer], settled(optimizer=optimizer, rank=16)
    for field in ("learning_rate", "text_encoder_rate", "weight_decay", "betas", "scheduler", "warmup", "d_coef", "d0"):
        assert getattr(plan, field) == getattr(preset, field), field
    assert plan.alpha == 16 * preset.alpha_per_rank
    assert plan.conv_alpha is None


@pytest.mark.parametrize("optimizer", PRESETS)
def test_what_was_chosen_stays(optimizer):
    chosen = {
        "learning_rate": 0.5,
        "weight_decay": 0.0,
        "betas": (0.5, 0.6),
        "scheduler": "linear",
        "warmup": 0.0,
        "alpha": 3.0,
        "conv_rank": 4,
        "conv_alpha": 1.5,
    }
    plan = settled(optimizer=optimizer, **chosen)
    assert {name: getattr(plan, name) for name in chosen} == chosen


def test_another_optimizer_brings_all_of_its_arguments():
    """Nothing of the one before stays behind: the plan keeps only what the artist chose."""
    plan = Plan(optimizer="adamw8bit", rank=16)
    assert with_preset(plan).learning_rate == 3e-4
    changed = with_preset(Plan(optimizer="prodigy", rank=plan.rank))
    assert (changed.learning_rate, changed.scheduler, changed.warmup, changed.alpha) == (1.0, "cosine", 0.0, 16)
    assert (changed.d_coef, changed.d0) == (2.0, 1e-5)
    back = with_preset(Plan(optimizer="adamw", d_coef=2.0, d0=1e-5))
    assert (back.d_coef, back.d0) == (None, None), "AdamW has no d"


def test_prodigy_has_one_rate_for_all():
    """Two rates are an error in prodigyopt, which estimates one pace for all weights."""
    for chosen in ({}, {"text_encoder_rate": 1e-5}, {"learning_rate": 0.7, "text_encoder_rate": 1e-5}):
        plan = settled(optimizer="prodigy", text_encoders=True, **chosen)
        assert plan.text_encoder_rate == plan.learning_rate == chosen.get("learning_rate", 1.0)


def test_adamw_lets_the_text_encoders_go_slower():
    plan = settled(optimizer="adamw8bit", text_encoders=True)
    assert plan.text_encoder_rate < plan.learning_rate
    assert settled(optimizer="adamw", text_encoder_rate=1e-3).text_encoder_rate == 1e-3


@pytest.mark.parametrize("optimizer", PRESETS)
@pytest.mark.parametrize("chosen", [True, False])
def test_no_optimizer_switches_the_text_encoders_on_or_off(optimizer, chosen):
    assert settled(optimizer=optimizer, text_encoders=chosen).text_encoders is chosen
    assert not settled(optimizer=optimizer).text_encoders


def test_prodigy_does_not_start_over():
    """Its README advises against restarts: after each the pace it found no longer fits."""
    assert settled(optimizer="prodigy").scheduler == "cosine"
    factors = [rate_factor(settled(optimizer="prodigy"), step, 340) for step in range(340)]
    assert factors[0] == 1.0
    assert all(later < earlier for earlier, later in pairwise(factors))


def test_a_plan_without_an_optimizer_has_no_arguments():
    with pytest.raises(ValueError, match="optimizer"):
        with_preset(Plan())


@given(st.integers(1, 100_000))
def test_the_recommendation_follows_the_guide_and_says_why(drawings):
    recommended = recommend(drawings)
    assert recommended.optimizer == ("prodigy" if drawings < FEW_DRAWINGS else "adamw8bit")
    assert str(drawings) in recommended.reason


@pytest.mark.parametrize("scheduler", OURS_AND_THEIRS)
@pytest.mark.parametrize(("share", "steps"), [(0.0, 10), (0.05, 340), (0.1, 333), (0.5, 12), (0.03, 7)])
def test_after_the_warm_up_the_rate_runs_as_transformers_has_it(scheduler, share, steps):
    plan = settled(scheduler=scheduler, warmup=share, restarts=3, learning_rate=1.0)
    ours = [rate_factor(plan, step, steps) for step in range(steps)]
    warmup = round(share * steps)
    assert ours[warmup:] == pytest.approx(theirs(scheduler, warmup, steps, 3)[warmup:], abs=1e-12)


@pytest.mark.parametrize("scheduler", OURS_AND_THEIRS)
def test_the_warm_up_rises_evenly_and_wastes_no_step(scheduler):
    """transformers begins at 0, so that its first step does nothing; ours are the same steps, each a little higher."""
    plan, steps, warmup = settled(scheduler=scheduler, warmup=0.1), 100, 10
    ours = [rate_factor(plan, step, steps) for step in range(steps)]
    reference = theirs(scheduler, warmup, steps, 3)
    assert reference[0] == 0 < ours[0]
    assert ours[warmup] == reference[warmup] == 1
    rises = [later - earlier for earlier, later in pairwise([0, *ours[: warmup + 1]])]
    assert rises == pytest.approx([1 / (warmup + 1)] * (warmup + 1))
    assert all(0 <= mine - other < 1 / warmup for mine, other in zip(ours[:warmup], reference[:warmup], strict=True))


@given(
    st.sampled_from(list(OURS_AND_THEIRS)),
    st.floats(0, 0.5),
    st.integers(1, 400),
    st.integers(1, 20),
)
def test_the_rate_never_leaves_its_bounds_and_no_training_stands_still(scheduler, warmup, steps, restarts):
    plan = settled(scheduler=scheduler, warmup=warmup, restarts=restarts)
    factors = [rate_factor(plan, step, steps) for step in range(steps)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) > 0.3 or steps < 3


def test_every_scheduler_is_compared_and_a_tiny_rate_does_not_rise():
    assert set(OURS_AND_THEIRS) == set(get_args(SchedulerName))
    plan = settled(scheduler="polynomial", warmup=0.0, learning_rate=5e-8)
    assert [rate_factor(plan, step, 10) for step in range(10)] == [1.0] * 10


def test_restarts_are_as_many_as_asked():
    plan = settled(scheduler="cosine_with_restarts", warmup=0.0, restarts=4)
    factors = [rate_factor(plan, step, 400) for step in range(400)]
    assert [step for step in range(1, 400) if factors[step] > factors[step - 1]] == [100, 200, 300]
    assert all(factors[step] == 1 for step in (0, 100, 200, 300))
