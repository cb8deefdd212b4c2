"""Masks from transparency: what is see-through in a drawing teaches nothing."""

from dataclasses import replace as with_
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from msgspec.structs import replace
from PIL import Image

from core.errors import BocetoError
from core.images.treatment import Treatment
from core.plan.frozen import FrozenPlan, freeze
from core.settings import Plan
from core.training.evaluate import evaluate
from core.training.masks import masks
from core.training.step import Noising, losses
from tests.conftest import SHORT, small_project
from tests.core.training.studios import begun, opened
from tests.core.training.test_step import Drawer, batch

MASKED = replace(SHORT, masked_loss=True, flip=True)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOCETO_CACHE", str(tmp_path / "cache"))


def half(width: int, height: int) -> Image.Image:
    """Opaque on the left, see-through on the right."""
    image = Image.new("RGBA", (width, height), (200, 30, 30, 255))
    image.paste((30, 200, 30, 0), (width // 2, 0, width, height))
    return image


def planned(folder: Path, plan: Plan = MASKED, fit: str = "crop") -> tuple[FrozenPlan, list[str]]:
    """The small project with every drawing half see-through, but for the first."""
    place, project = small_project(folder / "small", plan)
    names = sorted(path.name for path in place.dataset(project).glob("*.png"))
    for number, name in enumerate(names[1:]):
        half(256, 192 if number % 2 else 256).save(place.dataset(project) / name)
    treatments = {name: Treatment(fit=fit) for name in names}  # type: ignore[arg-type]
    return freeze(place, replace(project, treatments=treatments)), names


def found(frozen: FrozenPlan, name: str, flipped: bool = False) -> torch.Tensor:
    [drawing] = [drawing for drawing in frozen.drawings if drawing.name == name]
    work = masks(Path(frozen.dataset), frozen.base.vae_factor, [(drawing, flipped)])
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value[0]  # type: ignore[no-any-return]


def test_a_mask_is_the_drawings_opacity_on_the_grid_of_its_latents(tmp_path: Path) -> None:
    frozen, names = planned(tmp_path)
    whole = found(frozen, names[0])
    assert whole.shape == (1, 16, 16) and (whole == 1).all()
    mask = found(frozen, names[1])
    # The filter that makes a drawing smaller blends a little at an edge.
    torch.testing.assert_close(mask, torch.tensor([1.0] * 8 + [0.0] * 8).expand(1, 16, 16), atol=0.02, rtol=0)
    assert torch.equal(found(frozen, names[1], flipped=True), mask.flip(-1))
    assert torch.equal(found(frozen, names[1]), mask), "from the cache"


def test_an_edge_within_a_place_counts_by_its_area(tmp_path: Path) -> None:
    frozen, names = planned(tmp_path)
    path = Path(frozen.dataset) / names[1]
    alpha = np.zeros((64, 64), np.uint8)
    alpha[:, :33] = 255  # a quarter of the ninth place
    image = Image.new("RGB", (64, 64), "red")
    image.putalpha(Image.fromarray(alpha))
    image.save(path)
    place, project = small_project(tmp_path / "other", MASKED)
    (place.dataset(project) / "edge.png").write_bytes(path.read_bytes())
    mask = found(freeze(place, project), "edge.png")
    assert mask[0, 0].tolist() == [1.0] * 8 + [0.25] + [0.0] * 7


def test_the_mask_is_cut_and_padded_as_the_drawing_is(tmp_path: Path) -> None:
    frozen, names = planned(tmp_path, fit="pad")
    [drawing] = [drawing for drawing in frozen.drawings if drawing.name == names[2]]
    mask = found(frozen, names[2])
    bucket = drawing.placement.bucket
    assert mask.shape == (1, bucket.height // 4, bucket.width // 4)
    added, opaque = drawing.placement.pad_left // 4, drawing.placement.resized_width // 8
    expected = [0.0] * added + [1.0] * opaque + [0.0] * (bucket.width // 4 - added - opaque)
    assert added > 0
    torch.testing.assert_close(mask[0, 5], torch.tensor(expected), atol=0.02, rtol=0)


def test_a_drawing_that_was_changed_since_is_refused(tmp_path: Path) -> None:
    frozen, names = planned(tmp_path)
    half(256, 256).rotate(90).save(Path(frozen.dataset) / names[1])
    with pytest.raises(BocetoError, match="no longer the drawing"):
        found(frozen, names[1])


def test_a_place_that_does_not_count_has_no_error_and_no_gradient() -> None:
    given, noising = batch([17, 500]), Noising.of(EulerDiscreteScheduler(), "epsilon", torch.device("cpu"))
    mask = torch.zeros(2, 1, 6, 8)
    mask[0, :, :, :4] = 1
    mask[1, :, 0, 0] = 0.5
    latents = given.latents.clone().requires_grad_(True)
    each = losses(Drawer(), with_(given, latents=latents, mask=mask), noising, torch.float32)
    each.sum().backward()
    assert latents.grad is not None and (latents.grad * (mask == 0) == 0).all() and latents.grad[0, 0, 0, 0] != 0
    # The mean is over all places, as in sd-scripts: half of them at nothing.
    whole = losses(Drawer(), with_(given, mask=torch.ones(2, 1, 6, 8)), noising, torch.float32)
    assert torch.equal(whole, losses(Drawer(), given, noising, torch.float32))
    left = losses(Drawer(), with_(given, mask=mask.flip(-1)), noising, torch.float32)[0] + each[0]
    assert left.item() == pytest.approx(whole[0].item(), rel=1e-5)


def test_every_batch_and_the_fixed_loss_count_only_what_is_opaque(tmp_path: Path) -> None:
    frozen, names = planned(tmp_path)
    studio = opened(frozen)
    for step in studio.schedule.steps:
        mask = studio.data.batch(step).mask
        assert mask is not None
        for sight, one in zip(step.sights, mask, strict=True):
            name = "" if sight.prior else frozen.drawings[sight.picture].name
            if sight.prior or name == names[0]:
                assert (one == 1).all()
            else:
                assert torch.equal(one, found(frozen, name, sight.flip))
    sample = next(one for one in studio.schedule.fixed if frozen.drawings[one.drawing].name != names[0])
    fixed = studio.data.fixed([sample]).mask
    assert fixed is not None and torch.equal(fixed[0], found(frozen, frozen.drawings[sample.drawing].name))
    whole = opened(replace(frozen, plan=replace(frozen.plan, masked_loss=False)))
    assert evaluate(studio, 0).trained < evaluate(whole, 0).trained


def test_without_the_choice_there_is_no_mask(tmp_path: Path) -> None:
    studio, _run = begun(tmp_path / "small", SHORT)
    assert studio.data.batch(studio.schedule.steps[0]).mask is None
    assert studio.data.fixed(studio.schedule.fixed[:1]).mask is None
