"""How the processes of a training are started, and when they are not."""

import shlex
from pathlib import Path

import pytest
from msgspec.structs import replace

from core import hardware
from core.errors import BocetoError
from core.hardware import Gpu
from core.plan.frozen import freeze
from core.runs import processes
from core.runs.launch import launch
from core.runs.run import Run
from core.settings import Plan
from tests.conftest import SHORT, small_project
from tests.tui.conftest import Said, said

__all__ = ["said"]


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = [
        Gpu(index=index, uuid=str(index), name="card", memory_total=1, memory_used=0, memory_free=1)
        for index in range(2)
    ]
    monkeypatch.setattr(hardware, "gpus", lambda: found)


def new_run(folder: Path, plan: Plan) -> Run:
    place, project = small_project(folder / "a place", plan)
    return Run.create(place.runs, freeze(place, project))


def test_a_run_of_one_gpu_is_started_as_it_is(tmp_path: Path) -> None:
    run = new_run(tmp_path, SHORT)
    assert processes.of(run) == 1 and processes.environment(1) == {}
    assert processes.command(processes.TRAINING, run, 1)[1:] == ["-m", "core.training.job", str(run.folder)]


def test_torchrun_understands_what_it_is_told_on_each_machine(tmp_path: Path) -> None:
    from torch.distributed.run import get_args_parser

    run = new_run(tmp_path, replace(SHORT, gpus=8))
    assert processes.of(run) == 8
    line = processes.command_on_each(run, 8, 2).partition(" 2>&1 ")[0]
    told = get_args_parser().parse_args(shlex.split(line)[1:])
    assert (told.nnodes, told.nproc_per_node, told.rdzv_backend, told.module) == ("2", "4", "c10d", True)
    assert told.rdzv_endpoint.startswith("HOST:")
    assert [told.training_script, *told.training_script_args] == ["core.training.job", str(run.folder)]


def test_more_gpus_than_there_are_is_told_before_anything_begins(two_gpus: None, tmp_path: Path) -> None:
    processes.require(2)
    run = new_run(tmp_path, replace(SHORT, gpus=3))
    with pytest.raises(BocetoError, match="asks for 3 GPUs") as told:
        launch(run)
    assert "There are 2" in told.value.detail and "--gpus 2" in told.value.hint
    assert not run.log_file.exists()


@pytest.mark.parametrize(("visible", "fits"), [("0", False), ("0,1", True), ("GPU-1,GPU-2", True), ("", True)])
def test_only_gpus_that_may_be_seen_count_and_without_any_the_cpu_is_shared(
    visible: str, fits: bool, two_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    if fits:
        processes.require(2)
    else:
        with pytest.raises(BocetoError, match="asks for 2 GPUs"):
            processes.require(2)


def test_train_refuses_before_it_lays_a_run_down(two_gpus: None, said: Said, tmp_path: Path) -> None:
    place, _project = small_project(tmp_path / "small")
    status, _out, err = said("train", place.folder, "--gpus", 3)
    assert status == 1 and "asks for 3 GPUs" in err and not place.runs.exists()


def test_a_training_on_several_machines_is_printed_and_not_started(said: Said, tmp_path: Path) -> None:
    place, _project = small_project(tmp_path / "small")
    status, _out, err = said("train", place.folder, "--gpus", 4, "--nodes", 3)
    assert status == 1 and "4 GPUs cannot be split evenly over 3 machines" in err and not place.runs.exists()
    status, out, err = said("train", place.folder, "--gpus", 4, "--nodes", 2)
    (folder,) = place.runs.iterdir()
    run = Run.open(folder)
    assert (status, err) == (0, "") and run.plan().plan.gpus == 4
    assert out.splitlines()[-1] == processes.command_on_each(run, 4, 2)
    assert "torchrun --nnodes 2 --nproc-per-node 2 " in out
    assert run.status().phase == "waiting" and not run.is_alive()
