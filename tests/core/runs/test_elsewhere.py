"""Scripts for other machines: what a cluster would run is run here, with a `boceto` that only notes its orders."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from core import toml
from core.bases import find
from core.project import Place, Project
from core.runs.elsewhere import job_name, skypilot, slurm
from tests.conftest import small_project

NOTING = """#!/bin/sh
echo "$@" >> "$NOTES"
if [ "$1" = train ] || [ "$1" = resume ]; then
    while [ ! -e "$NOTES.stopped" ]; do sleep 0.05; done
elif [ "$1" = stop ]; then
    touch "$NOTES.stopped"
fi
exit ${STATUS:-0}
"""


@pytest.fixture
def small(tmp_path: Path) -> tuple[Place, Project]:
    return small_project(tmp_path / "it's my $HOME project")


class Cluster:
    """Runs a script as Slurm does, and notes what it asks of `boceto` and of Slurm."""

    def __init__(self, folder: Path, script: str, **environment: str) -> None:
        (folder / "bin").mkdir(exist_ok=True)
        self.notes = folder / "notes"
        for name in ("boceto", "scontrol"):
            (folder / "bin" / name).write_text(NOTING)
            (folder / "bin" / name).chmod(0o755)
        lines = [
            f"boceto={folder / 'bin' / 'boceto'}" if line.startswith("boceto=") else line
            for line in script.splitlines()
        ]
        (folder / "job.slurm").write_text("\n".join(lines) + "\n")
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        told = {**os.environ, "PATH": path, "NOTES": str(self.notes), "SLURM_JOB_ID": "77", **environment}
        self.process = subprocess.Popen(["bash", str(folder / "job.slurm")], env=told, stderr=subprocess.PIPE)

    def asked(self, least: int = 1) -> list[str]:
        """What was asked for, once there are so many things."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            found = self.notes.read_text().splitlines() if self.notes.exists() else []
            if len(found) >= least:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{found} after 20 s")


def test_slurm_trains_and_ends_as_the_training_does(small: tuple[Place, Project], tmp_path: Path) -> None:
    job = Cluster(tmp_path, slurm(*small), STATUS="3")
    assert job.asked() == [f"train {small[0].folder} --json"]
    job.notes.with_name("notes.stopped").touch()
    assert job.process.wait(20) == 3


def test_before_the_time_is_over_it_saves_and_queues_again(small: tuple[Place, Project], tmp_path: Path) -> None:
    job = Cluster(tmp_path, slurm(*small))
    job.asked()
    job.process.send_signal(signal.SIGUSR1)
    assert job.process.wait(20) == 0
    assert job.asked() == [f"train {small[0].folder} --json", f"stop {small[0].folder}", "requeue 77"]


def test_when_it_is_called_off_it_saves_only(small: tuple[Place, Project], tmp_path: Path) -> None:
    job = Cluster(tmp_path, slurm(*small))
    job.asked()
    job.process.terminate()
    assert job.process.wait(20) == 0
    assert job.asked() == [f"train {small[0].folder} --json", f"stop {small[0].folder}"]


def test_started_again_it_goes_on_where_there_is_a_run(small: tuple[Place, Project], tmp_path: Path) -> None:
    job = Cluster(tmp_path, slurm(*small), SLURM_RESTART_COUNT="1")
    assert job.asked()[0].startswith("train "), "it was cut off before there was one"
    job.process.terminate()
    job.process.wait(20)
    (small[0].runs / "2026").mkdir(parents=True)
    (small[0].runs / "2026" / "plan.toml").touch()
    (tmp_path / "again").mkdir()
    job = Cluster(tmp_path / "again", slurm(*small), SLURM_RESTART_COUNT="1")
    assert job.asked() == [f"resume {small[0].folder} --json"]
    job.process.terminate()
    assert job.process.wait(20) == 0


def test_slurm_finds_this_boceto(small: tuple[Place, Project]) -> None:
    script = slurm(*small)
    beside = Path(sys.executable).with_name("boceto")
    assert not beside.exists() or f"boceto={beside}" in script
    directives = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    assert "#SBATCH --gres=gpu:1" in directives and "#SBATCH --job-name=boceto-small" in directives
    # Slurm reads no directive after the first command.
    first = next(i for i, line in enumerate(script.splitlines()) if line and not line.startswith("#"))
    assert not [line for line in script.splitlines()[first:] if line.startswith("#SBATCH")]


def test_other_machines_are_asked_for_as_many_gpus_as_the_plan_has(
    small: tuple[Place, Project], tmp_path: Path
) -> None:
    place, project = small
    four = replace(project, plan=replace(project.plan, gpus=4))
    assert "#SBATCH --gres=gpu:4" in slurm(place, four).splitlines()
    task = yaml.safe_load(skypilot(place, four, find.resolve("mini"), tmp_path)["boceto-small.sky.yaml"])
    assert task["resources"]["accelerators"]["H100"] == 4


@pytest.mark.parametrize("name", ["línea y tinta", "a\nb", "線画", "x" * 100, "--x"])
def test_any_name_makes_a_name_for_a_cluster(name: str) -> None:
    found = job_name(Project(name=name))
    assert found.startswith("boceto") and found.replace("-", "").isalnum() and found.isascii() and len(found) <= 40


def test_skypilot_takes_along_what_the_training_needs(small: tuple[Place, Project], tmp_path: Path) -> None:
    place, project = small
    texts = skypilot(place, project, find.resolve("mini"), tmp_path)
    task = yaml.safe_load(texts["boceto-small.sky.yaml"])
    assert task["name"] == "boceto-small" and "H100" in task["resources"]["accelerators"]
    assert task["file_mounts"]["~/boceto/boceto-small/dataset"] == str(place.dataset(project))
    assert task["file_mounts"]["~/boceto/boceto-small/project.toml"] == str(tmp_path / "boceto-small.project.toml")
    assert "boceto train ~/boceto/boceto-small" in task["run"] and "bases --fetch" not in task["setup"]
    assert (Path(task["workdir"]) / "pyproject.toml").is_file() and "pip install ." in task["setup"]
    for script in (task["setup"], task["run"]):
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    # There, the project is whole with what was taken along.
    there = Place(tmp_path / "there")
    there.folder.mkdir()
    there.file.write_text(texts["boceto-small.project.toml"])
    assert there.load() == replace(project, dataset="dataset", base="mini")
    assert there.dataset(there.load()) == there.folder / "dataset"


def test_skypilot_takes_a_base_along_that_nobody_could_fetch(small: tuple[Place, Project], tmp_path: Path) -> None:
    place, project = small
    base = replace(find.resolve("mini"), id="/models/mine", path=tmp_path)
    texts = skypilot(place, project, base, tmp_path)
    task = yaml.safe_load(texts["boceto-small.sky.yaml"])
    assert task["file_mounts"]["~/boceto/boceto-small/base"] == str(tmp_path)
    (tmp_path / "project.toml").write_text(texts["boceto-small.project.toml"])
    assert toml.load(tmp_path / "project.toml", Project).base == "~/boceto/boceto-small/base"
