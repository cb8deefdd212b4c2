"""`boceto export` and `--like`: files for other tools, and the choices of other trainings."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.bases import find
from core.kohya.read import read
from core.lora.metadata import metadata
from core.plan.frozen import freeze
from core.project import Place, Project, place_of
from tests.conftest import SHORT, small_project
from tests.core.kohya import sd_scripts
from tests.core.kohya.test_read import GUI, lora
from tests.tui.conftest import Said

HEAVY = ("torch", "diffusers", "transformers", "peft", "bitsandbytes", "onnxruntime", "textual")


@pytest.fixture(autouse=True)
def language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def small(tmp_path: Path) -> tuple[Place, Project]:
    return small_project(tmp_path / "small")


def test_a_plan_is_written_for_sd_scripts(said: Said, small: tuple[Place, Project]) -> None:
    place, project = small
    before = place.file.read_bytes()
    status, out, err = said("export", "kohya", place.folder, "--rank", 12)
    assert (status, err) == (0, "")
    folder = place.folder / "kohya"
    assert sd_scripts.training(folder / "training_config.toml")["network_dim"] == 12
    sd_scripts.dataset(folder / "dataset_config.toml")
    assert "--config_file=" in out and str(folder / "training_config.toml") in out
    assert "it knows SDXL in its full size only" in out
    assert place.file.read_bytes() == before, "the project stays as it was"
    assert read(folder).plan().rank == 12 and project.plan.rank != 12


def test_the_drawings_are_written_anew_when_asked(said: Said, small: tuple[Place, Project], tmp_path: Path) -> None:
    status, _out, _err = said("export", "kohya", small[0].folder, "--copy", "--out", tmp_path / "for them")
    assert status == 0
    config = sd_scripts.dataset(tmp_path / "for them" / "dataset_config.toml")
    copied = Path(config["datasets"][0]["subsets"][0]["image_dir"])
    assert len(list(copied.glob("*.png"))) == len(freeze(*small).trained)


@pytest.mark.parametrize(
    ("what", "file", "start"),
    [("slurm", "boceto-small.slurm", "sbatch"), ("skypilot", "boceto-small.sky.yaml", "sky launch")],
)
def test_a_training_is_written_for_other_machines(
    what: str, file: str, start: str, said: Said, small: tuple[Place, Project], tmp_path: Path
) -> None:
    place, _project = small
    status, out, err = said("export", what, place.folder, "--rank", 12, "--out", tmp_path / "jobs")
    assert (status, err) == (0, "")
    assert (tmp_path / "jobs" / file).is_file() and f"{start} " in out
    assert place.load().plan.rank == 12, "the script names the project, so the project must know"
    (tmp_path / "jobs" / file).write_text("mine")
    status, _out, err = said("export", what, place.folder, "--out", tmp_path / "jobs")
    assert status == 1 and "did not write it" in err
    assert (tmp_path / "jobs" / file).read_text() == "mine"


def test_another_training_is_copied_and_flags_count_more(
    said: Said, small: tuple[Place, Project], tmp_path: Path
) -> None:
    place, project = small
    other = replace(project, activation_word="theirs", plan=replace(SHORT, rank=20, epochs=3, learning_rate=1e-4))
    place.save(other)
    said("export", "kohya", place.folder, "--out", tmp_path / "kohya")
    place.save(project)
    status, out, err = said("train", place.folder, "--like", tmp_path / "kohya", "--epochs", 1, "--dry-run")
    assert (status, err) == (0, "")
    for line in ("rank = 20", "learning_rate = 0.0001", "epochs = 1", "repeats = 2"):
        assert f"  {line}" in out
    assert said("new", place.folder, "--like", tmp_path / "kohya" / "training_config.toml")[0] == 0
    assert place.load().plan.rank == 20
    assert place.load().activation_word == "houtline", "the drawings' own word stays"


def test_a_lora_says_how_other_drawings_are_trained(said: Said, small: tuple[Place, Project], tmp_path: Path) -> None:
    place, project = small
    # A base of its own, so that it is not the one that every new project begins with.
    mine = tmp_path / "bases" / "mine"
    shutil.copytree(find.resolve("mini").path, mine)
    frozen = freeze(place, replace(project, base=str(mine), plan=replace(SHORT, rank=11)))
    told = metadata(frozen, step=6, epoch=2, total=6, chunks=1, precision="fp32")
    file = lora(tmp_path / "mine.safetensors", told)
    drawings = tmp_path / "other drawings"
    shutil.copytree(place.dataset(project), drawings)
    status, _out, err = said("new", drawings, "--like", file)
    assert (status, err) == (0, "")
    begun = place_of("other drawings").load()
    assert (begun.plan.rank, begun.activation_word) == (11, "houtline")
    # The same weights lie in the box, which is looked at first.
    assert begun.base == "mini"
    told["boceto.base"] = "0" * 64
    status, _out, err = said("new", drawings, "--name", "again", "--like", lora(tmp_path / "x.safetensors", told))
    assert status == 0 and "--base" in err and place_of("again").load().base == "mini"
    assert said("new", drawings, "--name", "third", "--like", tmp_path / "x.safetensors", "--base", "mini")[2] == ""


def test_what_cannot_be_copied_is_said_beside_the_output(
    said: Said, small: tuple[Place, Project], tmp_path: Path
) -> None:
    preset = tmp_path / "preset.json"
    preset.write_text(json.dumps({**GUI, "optimizer": "Lion", "epoch": 2, "train_batch_size": 2}))
    status, out, err = said("train", small[0].folder, "--like", preset, "--resolution", 64, "--dry-run")
    assert status == 0 and "Lion" in err and "→ " in err and "Lion" not in out
    status, out, err = said("train", small[0].folder, "--like", tmp_path / "nothing.toml", "--dry-run")
    assert (status, out) == (1, "") and err.startswith("✗ ") and "does not exist" in err


def test_no_training_library_is_loaded_for_it(small: tuple[Place, Project], tmp_path: Path) -> None:
    project = str(small[0].folder)
    program = (
        "import sys\nfrom tui.cli import main\n"
        f"status = main(['export', 'kohya', {project!r}])\n"
        f"status += main(['train', {project!r}, '--like', {project + '/kohya'!r}, '--dry-run'])\n"
        f"print('LOADED', status, [name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "LOADED 0 []"
