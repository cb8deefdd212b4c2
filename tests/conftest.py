"""Every test has a home of its own: no project, cache or language of the person who runs it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.demo import DRAWINGS
from core.project import Place, Project
from core.settings import Plan

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["BOCETO_LANGUAGE"] = "en"
# Before torch is imported: see core/runs/launch.py.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests run side by side: trainings with all cores each would take several times as long.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole session: it is keyed by content, so tests may share it as people's runs do."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BOCETO_PROJECTS", str(tmp_path / "Loras"))
    monkeypatch.setenv("BOCETO_CACHE", str(shared_cache))
    monkeypatch.setenv("BOCETO_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("BOCETO_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    # A developer's own models are nobody's business.
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield


SHORT = Plan(
    repeats=2,
    epochs=2,
    batch_size=4,
    optimizer="adamw",
    learning_rate=2e-3,
    rank=4,
    held_out=2,
    prior_pictures=1,
    preview_every=0,
    save_precision="fp32",
)
"""A training of a few seconds: 8 drawings, 2 of them held out, 3 steps an epoch."""


def small_project(folder: Path, plan: Plan = SHORT, drawings: int = 8) -> tuple[Place, Project]:
    """A project with a few real drawings on the base in the box."""
    dataset = folder / "dataset"
    dataset.mkdir(parents=True)
    for picture in sorted(DRAWINGS.glob("*.png"))[:drawings]:
        shutil.copyfile(picture, dataset / picture.name)
        shutil.copyfile(picture.with_suffix(".txt"), dataset / picture.with_suffix(".txt").name)
    place = Place(folder)
    project = Project(name="small", activation_word="houtline", base="mini", plan=plan)
    place.save(project)
    return place, project
