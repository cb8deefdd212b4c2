"""The benchmark of whole trainings: who is compared with whom, and by whose files."""

import sys
from pathlib import Path

import pytest

from core.demo import DRAWINGS
from core.errors import BocetoError
from core.plan.frozen import freeze

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # as Python does for a script that is run; not for the tests after this one

import guide  # noqa: E402
import sd_scripts  # noqa: E402
from guide import ATTENTION, DIFFUSERS, OURS, SD_SCRIPTS, Room  # noqa: E402
from trainings import Took  # noqa: E402

from core.bases import find  # noqa: E402

sys.path.remove(str(BENCHMARKS))

H200 = "NVIDIA H200"


@pytest.fixture
def room(tmp_path: Path) -> Room:
    drawings = guide.lay_out_drawings(tmp_path / "drawings", 64)
    return Room(tmp_path, find.resolve("mini").path, drawings, 64, True, None, None)


def test_ours_is_held_against_the_best_peer_there_is() -> None:
    found = {
        (OURS, 6): Took(0.25, 60.0, ""),
        (ATTENTION, 6): Took(0.01, 60.0, ""),
        (DIFFUSERS, 6): Took(1.5, 90.0, ""),
        (SD_SCRIPTS, 6): Took(0.5, 90.0, ""),
        (OURS, 1): Took(0.25, 60.0, ""),
        ("the guide", 6): Took(0.25, 239.0, ""),
    }
    judged = {name: (value, passed) for name, value, _limit, passed in guide.judge(found, H200)}
    assert judged == {
        "batch 6: times the best peer": (2.0, False),
        "batch 6: pictures a second": (24.0, True),
        "batch 1: peers to compare with": (0.0, False),
        "batch 1: pictures a second": (4.0, False),
        "the whole guide: seconds, at most": (239.0, True),
    }
    assert not any("pictures" in name for name, *_rest in guide.judge(found, "NVIDIA L4"))


@pytest.mark.parametrize("batch", [1, 6])
def test_all_make_as_many_steps_after_the_warm_ones(room: Room, batch: int) -> None:
    frozen = freeze(*guide.placed(room, "one", guide.plan(room, batch)))
    assert len(frozen.trained) == len(list(DRAWINGS.glob("*.png"))) == 35
    steps = -(-35 * frozen.plan.repeats // batch) * frozen.plan.epochs
    assert steps == guide.steps(batch) > 2 * guide.WARM


def test_sd_scripts_is_called_by_the_files_that_are_exported(room: Room, tmp_path: Path) -> None:
    frozen = freeze(*guide.placed(room, "one", guide.plan(room, 6)))
    (tmp_path / "checkout").mkdir()
    with pytest.raises(BocetoError, match="no checkout of sd-scripts"):
        sd_scripts.find(tmp_path / "checkout")
    (tmp_path / "checkout" / sd_scripts.SCRIPT).touch()
    script = sd_scripts.find(tmp_path / "checkout")
    command = sd_scripts.command(script, Path("launcher.py"), frozen, tmp_path / "kohya")
    assert command[1:3] == ["launcher.py", str(script)]
    given = dict(flag.removeprefix("--").split("=") for flag in command[3:])
    assert (tmp_path / "kohya" / "training_config.toml").samefile(given["config_file"])
    assert Path(given["dataset_config"]).is_file()
    names = {path.name for path in Path(given["tokenizer_cache_dir"]).iterdir()}
    assert "openai_clip-vit-large-patch14" in names
    assert sd_scripts.PROGRESS.findall(b"steps:  12%|x | 5/41 [00:03<00:21,  1.70it/s, avr_loss=0.1]\r") == [b"5"]
