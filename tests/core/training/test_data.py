"""The batch of a step: what the schedule says, with the true size and crop."""

from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from core.plan.frozen import freeze
from core.plan.schedule import schedule
from core.settings import Plan
from core.training.device import choose
from core.training.studio import Studio, open_studio
from tests.conftest import SHORT, small_project


def studio(folder: Path, plan: Plan) -> Studio:
    frozen = freeze(*small_project(folder, plan))
    phases = open_studio(frozen, schedule(frozen), choose())
    while True:
        try:
            next(phases)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return studio(tmp_path_factory.mktemp("data") / "small", SHORT)


def test_pictures_of_the_base_carry_the_size_of_a_drawing(made: Studio) -> None:
    step = made.schedule.steps[0]
    assert step.sights[-1].prior
    ids = made.data.batch(step).time_ids
    # The drawings are 1024 pixels, the base draws 64: were the base's pictures to say so, size would be the word.
    assert ids.tolist() == [[1024, 1024, 0, 0, 64, 64]] * len(step.sights)


def test_the_weight_of_the_base_s_pictures_is_the_plan_s(tmp_path: Path) -> None:
    made = studio(tmp_path / "small", replace(SHORT, prior_weight=0.25))
    assert made.data.batch(made.schedule.steps[0]).weights[-1] == 0.25


def test_a_batch_follows_from_its_step(made: Studio) -> None:
    first, again = (made.data.batch(made.schedule.steps[2]) for _time in range(2))
    for part in ("latents", "noise", "timesteps", "context", "pooled"):
        assert torch.equal(getattr(first, part), getattr(again, part))
    assert not first.latents.is_inference() and not first.context.is_inference()


def test_fixed_samples_are_half_seen_half_held_out_and_never_change(made: Studio) -> None:
    held_out = {sample.drawing for sample in made.schedule.fixed if sample.held_out}
    seen = {sight.picture for step in made.schedule.steps for sight in step.sights if not sight.prior}
    assert len(held_out) == 2 and not held_out & seen
    samples = made.schedule.fixed[:5]
    assert torch.equal(made.data.fixed(samples).noise, made.data.fixed(samples).noise)
