"""What a training leaves on the disk, and what becomes of steps that give no number."""

import json
import shutil
import time
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from torch.utils._pytree import tree_leaves

from core.bases.find import resolve
from core.errors import BocetoError
from core.lora import file
from core.lora.header import read_metadata
from core.plan.frozen import freeze
from core.runs import events
from core.runs.run import Run
from core.settings import OptimizerName, Plan
from core.training import checkpoint
from core.training.device import choose
from core.training.loop import learn
from core.training.meter import SEVERAL
from core.training.optimizer import Optimizer
from core.training.studio import Studio
from tests.conftest import SHORT, small_project
from tests.core.plan.plans import settled
from tests.core.training.studios import begun, opened, trained

MOST = 0.02
FIVE_EPOCHS = replace(
    SHORT, epochs=5, save_every_steps=4, keep_last=2, ema=0.8, scale_weight_norms=MOST, learning_rate=1e-2
)
"""15 steps, and files after each epoch but the last, and after steps 4, 8 and 12."""
LONG = replace(SHORT, repeats=20, epochs=1, prior_pictures=0, checkpoint_seconds=1e6)
"""30 steps."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Studio, list[events.Event]]:
    studio, run = begun(tmp_path_factory.mktemp("loop") / "small", FIVE_EPOCHS)
    return studio, list(trained(studio, run))


# --- files -----------------------------------------------------------------------------------------------------------


def test_however_slowly_it_is_listened_to_the_end_is_told_last(tmp_path: Path) -> None:
    history = []
    for event in trained(*begun(tmp_path / "small", replace(SHORT, prior_pictures=0, epochs=1))):
        time.sleep(0.2)  # what is written meanwhile is done before it is asked for
        history.append(event)
    *before, end = history
    assert isinstance(end, events.Finished) and not any(isinstance(event, events.Finished) for event in before)
    assert any(isinstance(event, events.Saved) and event.final for event in before)


def test_only_the_last_files_stay_and_the_final_one_always(made: tuple[Studio, list[events.Event]]) -> None:
    studio, history = made
    saved = [Path(event.path).name for event in history if isinstance(event, events.Saved)]
    assert saved == [
        *("small-000001.safetensors", "small-step00000004.safetensors", "small-000002.safetensors"),
        *("small-step00000008.safetensors", "small-000003.safetensors", "small-000004.safetensors"),
        *("small-step00000012.safetensors", "small.safetensors"),
    ]
    folder = Path(studio.frozen.output).parent
    assert sorted(path.name for path in folder.iterdir()) == [
        *("small-000003.safetensors", "small-000004.safetensors"),
        *("small-step00000008.safetensors", "small-step00000012.safetensors", "small.safetensors"),
    ]
    assert read_metadata(folder / "small-step00000008.safetensors")["ss_steps"] == "8"


def test_without_the_choice_every_file_stays(tmp_path: Path) -> None:
    studio, run = begun(tmp_path / "small", replace(SHORT, epochs=3, repeats=1, save_every_steps=1))
    assert len([event for event in trained(studio, run) if isinstance(event, events.Saved)]) == len(
        list(Path(studio.frozen.output).parent.iterdir())
    )


def test_a_file_that_cannot_be_removed_is_told_and_the_training_goes_on(tmp_path: Path) -> None:
    studio, run = begun(tmp_path / "small", replace(SHORT, epochs=3, repeats=1, keep_last=1))
    in_the_way = Path(f"{studio.frozen.output}-000001.safetensors")
    history = []
    for event in trained(studio, run):
        history.append(event)
        if isinstance(event, events.Saved) and event.epoch == 1:
            in_the_way.unlink()
            (in_the_way / "more").mkdir(parents=True)
    assert isinstance(history[-1], events.Finished)
    assert [event for event in history if isinstance(event, events.Noted) and "small-000001" in event.message]


def test_the_file_holds_the_average_and_the_training_goes_on_with_the_weights(
    made: tuple[Studio, list[events.Event]],
) -> None:
    studio, history = made
    assert studio.average and isinstance(history[-1], events.Finished)
    saved = file.read(Path(history[-1].path))
    weights = {name: tensor.clone() for name, tensor in studio.network.tensors().items()}
    with studio.averaged():
        average = {name: tensor.clone() for name, tensor in studio.network.tensors().items()}
    assert all(torch.equal(saved[name], average[name]) for name in saved)
    assert any(not torch.equal(saved[name], weights[name]) for name in saved)


def test_no_layer_of_the_trained_weights_is_stronger_than_allowed(made: tuple[Studio, list[events.Event]]) -> None:
    studio, _history = made
    tensors = studio.network.tensors()
    norms = []
    for name in {name.partition(".")[0] for name in tensors}:
        down, up = tensors[f"{name}.lora_down.weight"].flatten(1), tensors[f"{name}.lora_up.weight"].flatten(1)
        norms.append(float((up @ down).norm() * tensors[f"{name}.alpha"] / len(down)))
    assert max(norms) <= MOST * 1.001
    assert sum(norm > MOST * 0.999 for norm in norms) > 3, "some would have been, or this test could not fail"


# --- a base that predicts velocity -----------------------------------------------------------------------------------


def test_a_base_that_predicts_velocity_and_ends_in_pure_noise_is_trained_as_its_config_says(tmp_path: Path) -> None:
    base = Path(shutil.copytree(resolve("mini").path, tmp_path / "velocity"))
    config = base / "scheduler" / "scheduler_config.json"
    config.chmod(0o644)
    said = json.loads(config.read_text()) | {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    config.write_text(json.dumps(said))
    place, project = small_project(tmp_path / "small", replace(SHORT, preview_every=2, preview_steps=3))
    frozen = freeze(place, replace(project, base=str(base)))
    studio = opened(frozen)
    assert (studio.noising.prediction, float(studio.noising.signal[-1])) == ("v_prediction", 0.0)
    history = list(trained(studio, Run.create(place.runs, frozen)))
    losses = [loss for event in history if isinstance(event, events.Stepped) for loss in event.losses]
    assert len(losses) == studio.total
    pictures = [path for event in history if isinstance(event, events.Previewed) for path in event.paths]
    assert pictures and all(Path(path).is_file() for path in pictures)
    assert isinstance(history[-1], events.Finished)
    words = read_metadata(Path(history[-1].path))
    assert (words["modelspec.prediction_type"], words["ss_zero_terminal_snr"]) == ("v", "True")


# --- steps that give no number ---------------------------------------------------------------------------------------


class Flat:
    """A network of one buffer, as an optimizer sees it."""

    name = "unet"

    def __init__(self) -> None:
        self.flat = torch.nn.Parameter(torch.linspace(-1, 1, 8192))
        self.flat.grad = torch.zeros_like(self.flat)
        self.groups, self.parameters = [self], [self.flat]

    def zero_grad(self) -> None:
        assert self.flat.grad is not None
        self.flat.grad.zero_()

    def gather(self) -> None:
        pass

    def follow(self) -> None:
        pass


@pytest.mark.parametrize("broken", ["loss", "gradient"])
@pytest.mark.parametrize("name", ["adamw", "adamw8bit", "prodigy"])
def test_a_step_without_a_number_moves_nothing_and_leaves_no_trace(name: OptimizerName, broken: str) -> None:
    def walked(*turns: bool) -> tuple[Flat, Optimizer, list[float]]:
        network, losses = Flat(), []
        optimizer = Optimizer(settled(optimizer=name, max_grad_norm=0), network, 10, scaled=False)  # type: ignore[arg-type]
        for good in turns:
            loss = network.flat.square().sum()
            if not good:
                loss = loss * torch.nan if broken == "loss" else loss + (network.flat * 0).sqrt().sum() * 0
            optimizer.pace(3)
            losses.append(optimizer.gradients([loss]).item())
            optimizer.move()
        return network, optimizer, losses

    one, first, losses = walked(True, True, False, True)
    other, second, _losses = walked(True, True, True)
    assert [torch.isfinite(torch.tensor(loss)).item() for loss in losses] == [True, True, False, True]
    assert not torch.equal(one.flat.detach(), Flat().flat.detach())
    assert torch.equal(one.flat.detach(), other.flat.detach())
    left, right = (tree_leaves(optimizer.state()["optimizer"]) for optimizer in (first, second))
    assert len(left) == len(right) > 5
    for one, two in zip(left, right, strict=True):
        assert torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two


def test_one_broken_drawing_costs_its_steps_and_nothing_else(tmp_path: Path) -> None:
    studio, run = begun(tmp_path / "small", replace(LONG, batch_size=1, repeats=3))
    # Never five in a row, whichever drawing it is: another one follows before.
    victim = studio.schedule.steps[3].sights[0].picture
    studio.data._latents[victim, False].fill_(torch.nan)
    history = list(trained(studio, run))
    assert isinstance(history[-1], events.Finished)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in file.read(Path(history[-1].path)).values())
    lost = [step.index + 1 for step in studio.schedule.steps if step.sights[0].picture == victim]
    rows = [step for step in lost if step - 1 not in lost]
    noted = [event.message for event in history if isinstance(event, events.Noted)]
    assert [f"step {step} " in words for step, words in zip(rows, noted, strict=True)] == [True] * len(rows)
    told = sum(len(event.losses) for event in history if isinstance(event, events.Stepped))
    assert told == studio.total - len(lost)


def test_a_training_that_comes_apart_keeps_its_last_good_state_and_says_why(tmp_path: Path) -> None:
    studio, run = begun(tmp_path / "small", LONG)
    history: list[events.Event] = []
    with pytest.raises(BocetoError, match="came apart") as raised:
        for event in trained(studio, run):
            history.append(event)
            if isinstance(event, events.Stepped):
                # As a fault of the memory would have it: from here on no step gives a number.
                next(iter(studio.unet.parameters())).data.fill_(torch.nan)
    good = max(event.step for event in history if isinstance(event, events.Checkpointed))
    assert 0 < good < studio.total
    assert f"step {good + SEVERAL} " in raised.value.title
    kept = checkpoint.newest(run.checkpoints)
    assert kept and kept.step == good and kept.is_sound()
    again, _run = begun(tmp_path / "again", LONG)
    for step in again.schedule.steps[:good]:
        learn(again, step)
    assert torch.equal(kept.weights["unet"], again.network.buffers["unet"]), "as if nothing had happened"
    (saved,) = [event for event in history if isinstance(event, events.Saved)]
    assert saved.step == good and Path(saved.path).name == f"small-step{good:08d}.safetensors"
    assert raised.value.hint and "rate" in raised.value.detail


def test_where_not_one_step_gives_a_number_the_base_is_named(tmp_path: Path) -> None:
    studio, run = begun(tmp_path / "small", LONG)
    next(iter(studio.unet.parameters())).data.fill_(torch.nan)
    with pytest.raises(BocetoError) as raised:
        list(trained(studio, run))
    assert "base" in raised.value.detail and choose().precision in raised.value.detail
    assert not list(run.checkpoints.glob("*.pt"))


def test_losses_that_rose_before_name_the_rate(tmp_path: Path) -> None:
    studio, run = begun(tmp_path / "small", replace(LONG, learning_rate=10.0, alpha=256.0, max_grad_norm=0.0))
    with pytest.raises(BocetoError, match="came apart") as raised:
        list(trained(studio, run))
    assert "had risen" in raised.value.detail and "learning rate" in raised.value.hint
    kept = checkpoint.newest(run.checkpoints)
    assert kept and kept.is_sound() and kept.step < 10


def test_plans_without_these_choices_are_what_they_were() -> None:
    plan = settled()
    for name in ("keep_last", "save_every_steps", "tag_dropout", "ema", "scale_weight_norms", "ip_noise_gamma"):
        assert getattr(plan, name) == 0
    assert (plan.init_lora, plan.debiased, plan.multires_iterations) == ("", False, 0)
    assert Plan().folder_repeats
