"""The gears: the same steps, carried out in other ways, and what happens where one cannot be engaged."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from torch._inductor import config as inductor
from torch._inductor.utils import fresh_cache

from core.plan import gear as plans
from core.runs import events
from core.training.evaluate import evaluate
from core.training.gears import _Trial
from core.training.loop import learn
from core.training.studio import Studio
from core.training.tuning import Seen, attention, lay_out, layout
from tests.conftest import SHORT
from tests.core.training.studios import begun, trained

CPU = torch.device("cpu")
PLAN = replace(SHORT, repeats=20, epochs=1, prior_pictures=0, checkpoint_seconds=1e6)
"""30 steps of one shape."""
STEPS = 6


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[float], torch.Tensor]:
    studio, _run = begun(tmp_path_factory.mktemp("eager") / "small", replace(PLAN, gear="eager"))
    return walked(studio)


def walked(studio: Studio) -> tuple[list[float], torch.Tensor]:
    studio.gear.begin(studio)
    losses = [learn(studio, step).item() for step in studio.schedule.steps[:STEPS]]
    return losses, studio.network.buffers["unet"].clone()


def test_compiled_steps_are_the_same_steps(eager: tuple[list[float], torch.Tensor], tmp_path: Path) -> None:
    studio, _run = begun(tmp_path / "small", replace(PLAN, gear="compiled"))
    losses, weights = walked(studio)
    assert studio.gear.now == "compiled"
    (chosen,) = studio.gear.events()
    assert isinstance(chosen, events.Chosen) and (chosen.field, chosen.value) == ("gear", "compiled")
    compiled = studio.gear._compiled
    assert compiled and len(compiled._calls) > 5
    assert losses == pytest.approx(eager[0], rel=1e-4)
    moved = (weights - begun(tmp_path / "again" / "small", PLAN)[0].network.buffers["unet"]).norm()
    assert (weights - eager[1]).norm() < 0.02 * moved

    seen = Counter[str]()
    hook = torch._dynamo.callback_handler.register_start_callback(lambda _args: seen.update(["compiled"]))
    try:
        evaluate(studio, 0)
        learn(studio, studio.schedule.steps[STEPS])
    finally:
        torch._dynamo.callback_handler.remove_start_callback(hook)
    assert not seen, "what was compiled is used again, and fixed losses are not compiled"


def test_where_the_base_cannot_be_compiled_every_step_is_made_all_the_same(
    eager: tuple[list[float], torch.Tensor], tmp_path: Path
) -> None:
    studio, _run = begun(tmp_path / "small", replace(PLAN, gear="compiled"))
    torch._dynamo.reset()  # what another test compiled
    with fresh_cache(), inductor.patch({"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True}):
        losses, weights = walked(studio)
    assert studio.gear.now == "eager"
    assert losses == eager[0] and torch.equal(weights, eager[1]), "bit for bit"
    _chosen, noted = studio.gear.events()
    assert isinstance(noted, events.Noted) and "could not be compiled" in noted.message


def test_graphs_on_a_cpu_are_refused_with_the_reason(eager: tuple[list[float], torch.Tensor], tmp_path: Path) -> None:
    studio, _run = begun(tmp_path / "small", replace(PLAN, gear="graphs"))
    losses, weights = walked(studio)
    assert losses == eager[0] and torch.equal(weights, eager[1])
    (chosen,) = studio.gear.events()
    assert isinstance(chosen, events.Chosen) and chosen.value == "eager" and "GPU" in chosen.reason


def test_a_cpu_stays_in_the_gear_it_is_in_and_says_nothing_of_it(tmp_path: Path) -> None:
    studio, run = begun(tmp_path / "small", SHORT)
    history = list(trained(studio, run))
    assert isinstance(history[-1], events.Finished) and studio.gear.now == "eager"
    assert not [event for event in history if isinstance(event, events.Chosen) and event.field == "gear"]


@pytest.mark.parametrize("fast", [True, False])
def test_a_trial_keeps_what_it_measured_to_be_faster(
    fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, _run = begun(tmp_path / "small", PLAN)
    studio.gear.begin(studio)
    studio.gear._trial = _Trial(("compiled",), CPU)
    monkeypatch.setitem(plans.EXPECTED, "compiled", plans.Expected(share=0.5, seconds=0, steps=0))
    # Whatever this machine is faster in, the wanted outcome is measured.
    monkeypatch.setattr(plans, "_MARGIN", 0.0 if fast else 1e9)
    for step in studio.schedule.steps:
        learn(studio, step)
    (chosen,) = studio.gear.events()
    assert isinstance(chosen, events.Chosen)
    assert studio.gear.now == chosen.value == ("compiled" if fast else "eager")
    assert ("to warm up" in chosen.reason) is fast and ("was tried" in chosen.reason) is not fast
    assert studio.gear._trial is None


def test_no_gear_is_tried_that_the_rest_of_the_run_does_not_repay(tmp_path: Path) -> None:
    studio, _run = begun(tmp_path / "small", PLAN)
    studio.gear.begin(studio)
    studio.gear._trial = _Trial(("compiled",), CPU)
    for step in studio.schedule.steps[:10]:
        learn(studio, step)
    (chosen,) = studio.gear.events()
    assert isinstance(chosen, events.Chosen) and chosen.value == "eager" and "less than" in chosen.reason
    assert studio.gear._trial is None and studio.gear._compiled is None


def test_one_look_at_a_step_tells_what_attention_and_convolutions_there_are(tmp_path: Path) -> None:
    studio, _run = begun(tmp_path / "small", replace(PLAN, conv_rank=2))
    seen, batch = Seen(studio.unet), studio.data.batch(studio.schedule.steps[0])
    with seen.watching(), torch.no_grad():
        list(studio.losses(batch))
    transformers = sum(type(one).__name__ == "BasicTransformerBlock" for one in studio.unet.modules())
    resnets = sum(type(one).__name__ == "ResnetBlock2D" for one in studio.unet.modules())
    assert seen.attention.total() == 2 * transformers and seen.times.total() == resnets
    assert {call[1][2] for call in seen.attention} > {batch.context.shape[1]}, "itself, and the caption"
    order, taken = attention(seen.attention, CPU)
    assert "flash" in taken and len(order) == len(taken)
    before = studio.network.buffers["unet"].clone()
    with torch.no_grad():
        expected = next(studio.losses(batch))
    taken = layout(studio.unet, seen, CPU)
    assert set(taken) == {"channels last", "channels first"} and min(taken.values()) > 0
    lay_out(studio.unet, torch.channels_last)
    kinds = [weight for weight in studio.unet.parameters() if weight.dim() == 4 and weight.shape[-1] > 1]
    frozen = [weight for weight in kinds if not weight.requires_grad]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in frozen)
    with torch.no_grad():
        torch.testing.assert_close(next(studio.losses(batch)), expected, rtol=1e-4, atol=1e-5)
    for group in studio.network.groups:
        group.flat.data.zero_()
        learned = [weight for weight in studio.unet.parameters() if weight.requires_grad]
        assert all(not weight.any() for weight in learned), "still views into one buffer"
    assert before.any()
