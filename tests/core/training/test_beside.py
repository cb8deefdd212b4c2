"""Regularisation drawings in a training: their latents are the drawings', and a resumed run sees the same."""

from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from core.bases import load
from core.errors import BocetoError
from core.plan.frozen import FrozenPlan, freeze
from core.plan.schedule import schedule
from core.runs import events
from core.training.beside import regularisation
from core.training.prepare import drawings
from tests.conftest import SHORT, small_project
from tests.core.plan.test_regularisation import beside
from tests.core.training.studios import begun, opened, trained

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOCETO_CACHE", str(tmp_path / "cache"))


def planned(folder: Path) -> FrozenPlan:
    others = beside(folder / "others", (96, 96), (128, 160))
    plan = replace(SHORT, regularisation=str(others), prior_pictures=2, prior_weight=0.5)
    return freeze(*small_project(folder / "small", plan))


def test_each_stands_in_its_batch_as_the_vae_sees_it(tmp_path: Path) -> None:
    frozen = planned(tmp_path)
    studio, laid_out = opened(frozen), schedule(frozen)
    wanted = regularisation(frozen, laid_out)
    assert len(wanted) == len(laid_out.prior) > 0
    vae = load.vae(frozen.base, CPU, torch.float32)
    entries: list[dict[str, torch.Tensor]] = []
    work = drawings(frozen.base, Path(frozen.dataset), wanted, lambda: vae)
    while True:
        try:
            next(work)
        except StopIteration as end:
            entries = end.value
            break
    for step in laid_out.steps:
        batch = studio.data.batch(step)
        for sight, latents, weight in zip(step.sights, batch.latents, batch.weights, strict=True):
            if sight.prior:
                assert torch.equal(latents, entries[sight.picture]["latents"]) and weight == 0.5
        assert batch.latents.shape[-2:] == (step.bucket.height // 4, step.bucket.width // 4)


def test_a_training_with_them_ends_and_the_base_draws_nothing_for_it(tmp_path: Path) -> None:
    others = beside(tmp_path / "others", (96, 96), (96, 96))
    plan = replace(SHORT, regularisation=str(others))
    studio, run = begun(tmp_path / "small", plan)
    assert not (tmp_path / "cache" / "prior").exists()
    assert isinstance(list(trained(studio, run))[-1], events.Finished)


def test_one_that_was_changed_since_is_refused(tmp_path: Path) -> None:
    frozen = planned(tmp_path)
    for path in (tmp_path / "others").glob("*.png"):
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BocetoError, match="no longer the drawing"):
        opened(frozen)
