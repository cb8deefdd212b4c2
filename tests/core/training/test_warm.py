"""A training that begins from a LoRA file."""

import hashlib
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from core.errors import BocetoError
from core.lora import file
from core.plan.frozen import FrozenPlan, freeze
from core.runs import events
from core.settings import Plan
from core.training import network as networks
from core.training.evaluate import evaluate
from core.training.studio import Studio
from tests.conftest import SHORT, small_project
from tests.core.training.studios import begun, opened, trained

LOCON = replace(SHORT, alpha=3.0, conv_rank=2, conv_alpha=1.0, text_encoders=True, prior_pictures=0)
TENSORS = dict[str, torch.Tensor]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Studio, events.Evaluated]:
    """A LoRA of a short training, its studio, and the last loss on fixed noise."""
    studio, run = begun(tmp_path_factory.mktemp("warm") / "small", LOCON)
    history = list(trained(studio, run))
    assert isinstance(history[-1], events.Finished)
    return Path(history[-1].path), studio, [event for event in history if isinstance(event, events.Evaluated)][-1]


def planned(folder: Path, lora: Path, plan: Plan = LOCON) -> FrozenPlan:
    return freeze(*small_project(folder / "small", replace(plan, init_lora=str(lora))))


def changes(tensors: TENSORS) -> TENSORS:
    """What each layer adds to the base's weights."""
    found = {}
    for name in sorted({name.partition(".")[0] for name in tensors}):
        down, up = tensors[f"{name}.lora_down.weight"].flatten(1), tensors[f"{name}.lora_up.weight"].flatten(1)
        found[name] = up @ down * tensors[f"{name}.alpha"] / len(down)
    return found


def written(folder: Path, tensors: TENSORS) -> Path:
    path = folder / "other.safetensors"
    file.save(path, tensors, {}, torch.float32)
    return path


def test_it_begins_where_the_file_ended(learned: tuple[Path, Studio, events.Evaluated], tmp_path: Path) -> None:
    lora, before, last = learned
    studio = opened(planned(tmp_path, lora))
    ours, theirs = studio.network.tensors(), before.network.tensors()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    begin = evaluate(studio, 0)
    assert (begin.trained, begin.held_out) == (last.trained, last.held_out)
    fresh = evaluate(opened(freeze(*small_project(tmp_path / "fresh", LOCON))), 0)
    assert begin.trained != fresh.trained, "else this test could not fail"


def test_with_another_rank_and_alpha_it_changes_the_base_as_the_file_does(
    learned: tuple[Path, Studio, events.Evaluated], tmp_path: Path
) -> None:
    lora, before, last = learned
    studio = opened(planned(tmp_path, lora, replace(LOCON, rank=7, alpha=1.5, conv_rank=5, conv_alpha=5.0)))
    ours, theirs = changes(studio.network.tensors()), changes(before.network.tensors())
    for name, change in theirs.items():
        torch.testing.assert_close(ours[name], change, rtol=1e-5, atol=1e-8)
    assert evaluate(studio, 0).trained == pytest.approx(last.trained, rel=1e-5)
    # What the file does not fill can still learn: it is as in a new LoRA.
    down, _up = networks.weights_of(next(iter(studio.network.groups[0].layers.values())))
    assert down[4:].abs().min() > 0


def test_layers_that_the_file_has_not_begin_anew(
    learned: tuple[Path, Studio, events.Evaluated], tmp_path: Path
) -> None:
    lora, _before, _last = learned
    some = {name: tensor for name, tensor in file.read(lora).items() if "_attn" in name and "_te" not in name}
    ours = changes(opened(planned(tmp_path, written(tmp_path, some))).network.tensors())
    assert all(change.abs().max() > 0 for name, change in ours.items() if f"{name}.alpha" in some)
    assert all(change.abs().max() == 0 for name, change in ours.items() if f"{name}.alpha" not in some)


@pytest.mark.parametrize(
    ("plan", "remedy"),
    [
        (replace(LOCON, rank=3), "--rank 4"),
        (replace(LOCON, conv_rank=1), "--conv-rank 2"),
        (replace(LOCON, conv_rank=0, conv_alpha=None), "--conv-rank 2"),
        (replace(LOCON, text_encoders=False), "--text-encoders"),
    ],
)
def test_a_file_that_holds_more_than_the_plan_is_refused_before_anything_is_loaded(
    learned: tuple[Path, Studio, events.Evaluated], tmp_path: Path, plan: Plan, remedy: str
) -> None:
    with pytest.raises(BocetoError, match="holds more than this plan can") as raised:
        planned(tmp_path, learned[0], plan)
    assert remedy in raised.value.hint


def test_what_is_no_lora_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "nothing.safetensors").write_bytes(b"")
    place, project = small_project(tmp_path / "small")
    for name in ("nothing.safetensors", "missing.safetensors", "."):
        plan = replace(project.plan, init_lora=str(tmp_path / name))
        with pytest.raises(BocetoError):
            freeze(place, replace(project, plan=plan))


def test_a_lora_of_another_kind_or_base_is_refused_in_words(
    learned: tuple[Path, Studio, events.Evaluated], tmp_path: Path
) -> None:
    tensors = file.read(learned[0])
    name = next(iter(changes(tensors)))
    for number, (more, words) in enumerate(
        [
            ({f"{name}.lora_mid.weight": torch.ones(3)}, "lora_mid"),
            ({f"{name}.lora_down.weight": torch.ones(4, 3)}, name),
            (
                {f"lora_unet_nowhere.{part}": torch.ones(2, 2) for part in ("lora_down.weight", "lora_up.weight")},
                "nowh",
            ),
        ]
    ):
        folder = tmp_path / str(number)
        frozen = planned(folder, written(folder, tensors | more) if folder.mkdir() is None else tmp_path)
        with pytest.raises(BocetoError, match="does not fit") as raised:
            opened(frozen)
        assert words in raised.value.detail


def test_the_plan_knows_which_file_it_was(
    learned: tuple[Path, Studio, events.Evaluated], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lora = tmp_path / "mine.safetensors"
    lora.write_bytes(learned[0].read_bytes())
    monkeypatch.chdir(tmp_path)
    frozen = planned(tmp_path, Path("mine.safetensors"))
    assert frozen.plan.init_lora == str(lora), "the job may run elsewhere"
    assert frozen.init_digest == hashlib.sha256(lora.read_bytes()).hexdigest()
    file.save(lora, {name: 2 * tensor for name, tensor in file.read(lora).items()}, {}, torch.float32)
    with pytest.raises(BocetoError, match="no longer the one this run was planned with"):
        opened(frozen)
    lora.unlink()
    with pytest.raises(BocetoError, match="no longer the one this run was planned with"):
        opened(frozen)
