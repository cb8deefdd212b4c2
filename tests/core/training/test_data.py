"""The batch of a step: what the schedule says, with the true size and crop."""

from pathlib import Path
from threading import current_thread

import pytest
import torch
from msgspec.structs import replace

from core.plan.frozen import freeze
from core.plan.schedule import Step, schedule
from core.settings import Plan
from core.training.ahead import Ahead, Drawn
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


def test_steps_of_one_shape_share_one_place_in_memory(made: Studio) -> None:
    by_shape: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for step in made.schedule.steps[:12]:
        batch = made.data.batch(step)
        parts = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
        by_shape.setdefault(tuple(batch.latents.shape), set()).add(tuple(part.data_ptr() for part in parts))
    assert all(len(places) == 1 for places in by_shape.values())
    assert sum(len(step.sights) == len(made.schedule.steps[0].sights) for step in made.schedule.steps[:12]) > 1


def test_a_batch_is_filled_with_its_own_step_whatever_was_there_before(made: Studio) -> None:
    steps, expected = made.schedule.steps[:6], []
    for step in steps:
        made.data._batches.clear()
        expected.append(made.data.batch(step))
    for place in (*range(6), *reversed(range(6))):
        found = made.data.batch(steps[place])
        for name, part in vars(expected[place]).items():
            other = getattr(found, name)
            assert torch.equal(part, other) if isinstance(part, torch.Tensor) else part == other, name


def test_what_is_made_ahead_is_what_would_be_made_in_time(made: Studio) -> None:
    steps, calls = made.schedule.steps, []

    def drawn(step: Step) -> Drawn:
        calls.append((step.index, current_thread()))
        return made.data._draw(step)

    ahead = Ahead(drawn, steps, torch.device("cpu"))
    # In order, back again as after a probe, the same one twice, and one that is not in the schedule.
    for step in (*steps[:5], steps[1], *steps[1:4], steps[-1], replace(steps[0], index=3)):
        found, expected = ahead(step), made.data._draw(step)
        assert found.added is None
        for name in ("noise", "timesteps", "weights", "sizes"):
            assert torch.equal(getattr(found, name), getattr(expected, name))
    assert [index for index, _thread in calls][:4] == [0, 1, 2, 3]
    assert sum(thread is current_thread() for _index, thread in calls) == 1, "only the stranger"


def test_input_perturbation_has_a_place_in_the_batch(tmp_path: Path) -> None:
    made = studio(tmp_path / "small", replace(SHORT, ip_noise_gamma=0.1))
    batch = made.data.batch(made.schedule.steps[0])
    assert batch.added is not None and not torch.equal(batch.added, batch.noise)
    assert made.data.batch(made.schedule.steps[0]).added is batch.added
