"""A training fits: measures are taken, kept and taken again, and what is learned stays what it was."""

from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file

from core.bases import load
from core.bases.find import resolve
from core.plan.frozen import freeze
from core.plan.memory import Measures
from core.runs import events
from core.runs.events import Event
from core.runs.job import Requests
from core.runs.run import Run
from core.settings import Plan
from core.training import job, nf4
from core.training.device import choose
from core.training.studio import Studio, open_studio
from tests.conftest import SHORT, small_project
from tests.core.training.studios import begun, trained

PLAN = replace(SHORT, prior_pictures=0)
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def carried_out(folder: Path, plan: Plan) -> tuple[Run, list[Event]]:
    """A run whose job is done in this process, with its events."""
    place, project = small_project(folder, plan)
    run = Run.create(place.runs, freeze(place, project))
    return run, list(job.work(run, Requests(run)))


def lora_of(history: list[Event]) -> dict[str, torch.Tensor]:
    end = history[-1]
    assert isinstance(end, events.Finished)
    return load_file(end.path)


class SmallCard:
    """What a GPU does whose memory is enough for `most` drawings at a time, once so many steps are made."""

    def __init__(self, most: int, after: int) -> None:
        self.most, self.left = most, after
        self.looked: list[int] = []

    def __call__(self, _unet: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        count = len(inputs[0])
        if not torch.is_grad_enabled():
            return
        self.left -= 1
        if self.left < 0 and count > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.looked.append(count)


@pytest.fixture
def small_card(monkeypatch: pytest.MonkeyPatch) -> SmallCard:
    card, make = SmallCard(most=1, after=4), load.unet

    def unet(*inputs: Any) -> Any:
        made = make(*inputs)
        made.register_forward_pre_hook(card)
        return made

    monkeypatch.setattr(load, "unet", unet)
    return card


def test_a_training_that_runs_out_of_memory_goes_on_with_less_at_once_to_the_same_lora(
    tmp_path: Path, small_card: SmallCard
) -> None:
    plan = replace(PLAN, batch_size=3, epochs=3, optimizer="adamw")
    run, history = carried_out(tmp_path / "broken" / "small", plan)
    small_card.most, small_card.left = 100, 0
    before = len(small_card.looked)
    _run, unbroken = carried_out(tmp_path / "whole" / "small", plan)
    assert max(small_card.looked[4:before]) == 1 and max(small_card.looked[:4]) == 3
    said = [event.message for event in history if isinstance(event, events.Noted)]
    assert [words.rpartition(": ")[2] for words in said if "not enough for step 5" in words] == [
        "2 drawings at a time.",
        "1 drawing at a time.",
    ]
    assert Measures(pieces=3) == run.measures
    kept = [event.step for event in history if isinstance(event, events.Checkpointed)]
    assert 4 in kept
    steps = [event.step for event in history if isinstance(event, events.Stepped)]
    assert steps == sorted(steps)
    ours, whole = lora_of(history), lora_of(unbroken)
    assert ours.keys() == whole.keys()
    assert all(torch.allclose(ours[name], whole[name], atol=2e-3) for name in whole)


def test_no_training_ends_by_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = load.unet

    def without_room(_unet: Any, _inputs: Any) -> None:
        if torch.is_inference_mode_enabled():  # pictures are drawn in it, and nothing else
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def unet(*inputs: Any) -> Any:
        made = make(*inputs)
        made.register_forward_pre_hook(without_room)
        return made

    monkeypatch.setattr(load, "unet", unet)
    _run, history = carried_out(tmp_path / "small", replace(PLAN, preview_every=1, preview_steps=1))
    assert isinstance(history[-1], events.Finished)
    assert not any(isinstance(event, events.Previewed) for event in history)
    assert any("previews of step" in event.message for event in history if isinstance(event, events.Noted))


def test_a_training_that_never_fits_says_that_the_memory_is_not_enough(tmp_path: Path, small_card: SmallCard) -> None:
    small_card.most, small_card.left = 0, 2
    place, project = small_project(tmp_path / "small", PLAN)
    run = Run.create(place.runs, freeze(place, project))
    with pytest.raises(torch.OutOfMemoryError):
        list(job.work(run, Requests(run)))


def studio_with(studio: Studio, measures: Measures) -> Studio:
    phases = open_studio(studio.frozen, studio.schedule, choose(), measures=measures)
    while True:
        try:
            next(phases)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def test_a_base_in_4_bits_is_a_fraction_and_still_learns(tmp_path: Path) -> None:
    studio, run = begun(tmp_path / "small", replace(PLAN, nf4=True, preview_every=0))
    base = resolve("mini")
    whole, small = load.unet(base, CPU, torch.float32), nf4.unet(base, CPU, torch.float32)
    linear = [
        (was, small.get_submodule(path)) for path, was in whole.named_modules() if isinstance(was, torch.nn.Linear)
    ]
    assert sum(now.weight.nbytes for _was, now in linear) * 7.9 < sum(was.weight.nbytes for was, _now in linear)
    inputs = {
        "sample": torch.randn(2, base.latent_channels, 16, 16, generator=torch.Generator().manual_seed(1)),
        "timestep": torch.tensor([100, 800]),
        "encoder_hidden_states": torch.randn(2, 77, sum(base.text_widths)),
        "added_cond_kwargs": {"text_embeds": torch.randn(2, base.pooled_width), "time_ids": torch.full((2, 6), 64.0)},
    }
    with torch.no_grad():
        wanted, given = whole(**inputs).sample, small(**inputs).sample
    assert 0 < (wanted - given).std() / wanted.std() < 0.15
    four_bits = studio_with(studio, Measures(nf4=True))
    history = list(trained(four_bits, run))
    assert any(bool(tensor.abs().sum()) for name, tensor in lora_of(history).items() if "lora_up" in name)
    figures = [event.trained for event in history if isinstance(event, events.Evaluated)]
    assert figures[-1] < figures[0]
    assert type(four_bits.unet.mid_block.attentions[0].proj_in.base_layer).__name__ == "Linear4bit"


def test_a_plan_may_ask_for_every_measure_anywhere(tmp_path: Path) -> None:
    run, history = carried_out(tmp_path / "small", replace(PLAN, nf4=True, checkpointing=True, epochs=1))
    assert isinstance(history[-1], events.Finished)
    assert run.measures is None  # what the plan says need not be kept a second time
