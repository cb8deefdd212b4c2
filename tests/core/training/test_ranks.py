"""The promise of several GPUs: the same result as one that looks at all of it, and an honest end when one is lost.

The real job in processes that speak through gloo on the CPU; only the device is another on a machine with GPUs.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from msgspec.structs import replace

from core.bases import load
from core.errors import BocetoError
from core.lora import file
from core.plan import memory
from core.plan.frozen import freeze
from core.plan.memory import GIB, Measures
from core.plan.schedule import schedule
from core.runs import events
from core.runs.follow import follow
from core.runs.job import EXIT_FAILED, Requests, carry_along, carry_out
from core.runs.launch import launch, stop
from core.runs.run import Run
from core.settings import Plan
from core.training import checkpoint, job, ranks
from core.training.device import Device
from core.training.ranks import Ranks
from tests.conftest import SHORT, small_project
from tests.core.training.test_resume import PATIENCE, finish, forks, has, wait_for

PRODIGY = {"optimizer": "prodigy", "learning_rate": 1.0, "d0": 1e-4}
NOISES = {"noise_offset": 0.05, "multires_iterations": 3, "ip_noise_gamma": 0.1}
TWO = replace(SHORT, batch_size=2, gpus=2, repeats=1, held_out=0, learning_rate=1e-4)
"""A rate at which the noise of the last bits, which Adam divides by itself, stays below what is asked."""
LONG = replace(TWO, repeats=4, save_every=2)
"""14 steps with a whole batch of 4 of the 7 drawings: time enough to be disturbed."""

Begin = Callable[..., list[BaseProcess]]


def fork(folder: Path, environment: dict[str, str]) -> None:
    """One process of a run, as torchrun would start it."""
    os.environ.update(environment)
    with (folder / "log.txt").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    job.main(folder)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def begin(home: None) -> Iterator[Begin]:
    """Starts the processes of a run without waiting for the libraries; none outlives the test."""
    begun: list[BaseProcess] = []

    def start(
        run: Run, world: int, other: dict[str, str] | None = None, what: Callable[..., None] = fork
    ) -> list[BaseProcess]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        numbers = {"WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}
        for rank in range(world):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank), **(other or {} if rank else {})}
            started = {**os.environ, **meeting, **numbers, **own} if world > 1 else dict(os.environ)
            process = forks.Process(target=what, args=(run.folder, started))
            process.start()
            begun.append(process)
        return begun[-world:]

    yield start
    for process in begun:
        process.kill()
        process.join()


def new_run(folder: Path, plan: Plan, drawings: int = 7) -> Run:
    place, project = small_project(folder / "small", plan, drawings)
    return Run.create(place.runs, freeze(place, project))


def batches(run: Run) -> list[int]:
    return [len(step.sights) for step in schedule(run.plan()).steps]


def killed(run: Run) -> None:
    """Kill the second process of a run that torchrun has started."""
    torchrun = psutil.Process(run.status().launched)
    (second,) = (process for process in torchrun.children() if process.pid != run.status().pid)
    second.kill()


@pytest.mark.parametrize(
    ("plan", "drawings", "last"),
    [
        # 7 drawings: a batch of 4, and one of 3 with 2 pictures of the base beside it.
        (replace(TWO, scale_weight_norms=0.001, ema=0.8), 7, 5),
        # 5 drawings: the last batch has one, and the second process none.
        (replace(TWO, prior_pictures=0, **PRODIGY, **NOISES), 5, 1),
        (replace(TWO, text_encoders=True, text_encoder_rate=5e-5, caption_dropout=0.3), 7, 5),
    ],
    ids=["pictures of the base", "prodigy, one left", "two rates"],
)
def test_two_processes_come_to_the_weights_of_one_with_the_doubled_batch(tmp_path, begin, plan, drawings, last):
    together = replace(plan, gpus=1, batch_size=4, prior_pictures=2 * plan.prior_pictures)
    two, one = (new_run(tmp_path / name, it, drawings) for name, it in (("two", plan), ("one", together)))
    assert batches(two) == batches(one) and last in batches(two)
    for run, world in ((one, 1), (two, 2)):
        for process in begin(run, world):
            process.join(PATIENCE)
            assert process.exitcode == 0
        finish(run)
    found, expected = (file.read(Path(str(run.history()[-1].path))) for run in (two, one))
    assert found.keys() == expected.keys()
    difference = max(float((found[name] - expected[name]).abs().max()) for name in expected)
    moved = max(float(expected[name].abs().max()) for name in expected if "lora_up" in name)
    assert difference <= 1e-6
    assert moved > 100 * difference
    # Also what they say: the losses of the whole batch, not of a part of it.
    told, right = ([x for e in run.history() if isinstance(e, events.Stepped) for x in e.losses] for run in (two, one))
    assert told == pytest.approx(right, rel=1e-5)


def test_started_by_torchrun_it_is_stopped_by_a_signal_and_goes_on_to_the_same_file(tmp_path, begin):
    whole = new_run(tmp_path / "whole", LONG)
    undisturbed, _second = begin(whole, 2)
    run = new_run(tmp_path / "broken", LONG)
    pid = launch(run)
    assert pid == run.status().pid != run.status().launched
    with pytest.raises(BocetoError, match="Another job is already working"):
        launch(run)
    wait_for(run, has(events.Stepped))
    os.kill(pid, signal.SIGTERM)
    *_, last = follow(run)
    assert isinstance(last, events.Stopped) and last.reason == "asked" and 0 < last.step < 14
    first, second = begin(run, 2)
    assert finish(run, first) == finish(whole, undisturbed)
    second.join(PATIENCE)
    assert second.exitcode == 0, "the others end with the first"
    started = [event for event in run.history() if isinstance(event, events.Started)]
    assert [event.step for event in started] == [0, last.step]
    assert started[0].device.endswith("× 2")


def test_a_stop_while_it_prepares_reaches_all(tmp_path, begin):
    run = new_run(tmp_path / "one", LONG)
    first, second = begin(run, 2)
    wait_for(run, has(events.Started), first)
    assert stop(run, wait=PATIENCE)
    last = run.history()[-1]
    assert isinstance(last, events.Stopped) and last.step == 0
    for process in (first, second):
        process.join(PATIENCE)
        assert process.exitcode == 0


def test_when_one_is_killed_the_run_has_failed_and_can_go_on(tmp_path):
    run = new_run(tmp_path / "broken", replace(LONG, checkpoint_seconds=0.001))
    launch(run)
    wait_for(run, has(events.Checkpointed, step=3))
    killed(run)
    *_, last = follow(run)
    assert isinstance(last, events.Failed), last
    assert "Another process of this training is gone" in last.title and "resume" in last.hint
    assert run.status().phase == "failed" and not any(isinstance(event, events.Stopped) for event in run.history())
    assert checkpoint.newest(run.checkpoints)


def test_when_one_fails_the_run_says_why(tmp_path, begin, monkeypatch):
    """The second sees a cache that is empty and a drawing that was changed; the first has everything it needs."""
    run = new_run(tmp_path / "one", replace(TWO, time_budget=1e-6))
    for process in begin(run, 2):
        process.join(PATIENCE)
    assert isinstance(run.history()[-1], events.Stopped)
    drawing = min(Path(run.plan().dataset).glob("*.png"))
    drawing.write_bytes(b"another")
    first, second = begin(run, 2, {"BOCETO_CACHE": str(tmp_path / "empty")})
    for process in (first, second):
        process.join(PATIENCE)
    last = run.history()[-1]
    assert isinstance(last, events.Failed), last
    assert drawing.name in last.title and "start a new training" in last.hint
    assert (first.exitcode, second.exitcode) == (1, 1)
    assert "[1] ERROR" in run.log_file.read_text()


def hung(folder: Path, environment: dict[str, str]) -> None:
    """The first waits as for a device whose work never ends; the second fails."""
    os.environ.update(environment)
    ranks._GRACE, ranks._LOOK_EVERY = 0.2, 0.05

    def waits(run: Run, requests: Requests) -> Iterator[events.Event]:
        with ranks.joined(2, run, lambda: requests.stop):
            yield events.Started(pid=os.getpid(), host="here", device="none", total=9, step=4)
            yield events.Phase(name="train")
            time.sleep(PATIENCE)

    def fails(run: Run, requests: Requests) -> None:
        with ranks.joined(2, run, lambda: requests.terminated):
            raise BocetoError("The paper is wet.", "It rained.", "Wait a day.")

    sys.exit(carry_along(folder, fails) if ranks.number() else carry_out(folder, waits))


def test_one_that_waits_in_vain_for_its_device_still_says_why(tmp_path, begin):
    run = new_run(tmp_path / "one", TWO)
    begun = begin(run, 2, what=hung)
    for process in begun:
        process.join(PATIENCE)
        assert process.exitcode == EXIT_FAILED
    last = run.history()[-1]
    assert isinstance(last, events.Failed)
    assert (last.title, last.detail, last.hint) == ("The paper is wet.", "It rained.", "Wait a day.")
    status = run.status()
    assert (status.phase, status.step, status.total) == ("failed", 4, 9) and not run.is_alive()


def limited(folder: Path, environment: dict[str, str]) -> None:
    """As on GPUs with room enough, the second with less of it."""
    Device.limit = lambda _device, _wanted: (32 if environment["RANK"] == "1" else 64) * GIB
    memory.known = lambda _base: True
    fork(folder, environment)


def test_the_first_tries_its_part_of_a_step_by_itself_and_nothing_changes(tmp_path, begin):
    tried, plain = (new_run(tmp_path / name, TWO) for name in ("tried", "plain"))
    for run, what in ((tried, limited), (plain, fork)):
        for process in begin(run, 2, what=what):
            process.join(PATIENCE)
            assert process.exitcode == 0
    assert finish(tried) == finish(plain)
    said = [event.message for event in tried.history() if isinstance(event, events.Noted)]
    assert any("Two steps and a picture took" in words and "of 32.0 GB" in words for words in said)
    assert tried.measures == Measures() and plain.measures is None


def short_of_memory(folder: Path, environment: dict[str, str]) -> None:
    """As on GPUs that can look at two pictures at once three times only."""
    make, looked = load.unet, []

    def unet(*inputs: Any) -> Any:
        def look(_unet: Any, given: tuple[torch.Tensor, ...]) -> None:
            if torch.is_grad_enabled() and len(given[0]) > 1:
                looked.append(1)
                if len(looked) > 3 and environment["RANK"] in environment.get("SHORT", "01"):
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

        made = make(*inputs)
        made.register_forward_pre_hook(look)
        return made

    load.unet = unet
    fork(folder, environment)


@pytest.mark.parametrize("which", ["01", "1"], ids=["both", "the second"])
def test_several_that_run_out_of_memory_go_on_with_less_when_they_are_resumed(tmp_path, begin, monkeypatch, which):
    monkeypatch.setenv("SHORT", which)
    run = new_run(tmp_path / "one", replace(LONG, prior_pictures=0))
    for process in begin(run, 2, what=short_of_memory):
        process.join(PATIENCE)
    last = run.history()[-1]
    assert isinstance(last, events.Failed) and "not enough for step 4" in last.title and "boceto resume" in last.hint
    assert run.measures == Measures(pieces=2)
    # Where only the second has run out, the first is still in the middle of the step.
    assert checkpoint.last(run.checkpoints) == (3 if "0" in which else 0)
    for process in begin(run, 2, what=short_of_memory):
        process.join(PATIENCE)
    finish(run)


def test_a_run_of_several_is_not_carried_out_by_one(tmp_path, begin):
    run = new_run(tmp_path / "one", TWO)
    (process,) = begin(run, 1)
    process.join(PATIENCE)
    last = run.history()[-1]
    assert isinstance(last, events.Failed) and "planned for 2 GPUs" in last.title and "boceto resume" in last.hint


def test_a_step_is_dealt_out_whole():
    for world in (2, 3, 8):
        for count in range(1, 20):
            pictures = list(range(count))
            each = [Ranks(rank, world) for rank in range(world)]
            parts = [pictures[one.part(count)] for one in each]
            own = [part for one, part in zip(each, parts, strict=True) if one.weight(count)]
            assert sorted(chain.from_iterable(own)) == pictures, "each picture is one process's"
            assert all(parts) and max(map(len, parts)) == -(-count // world), "none does nothing, none does too much"


def test_the_processes_are_known_before_torch_is_loaded():
    code = "import sys, core.training.job, core.runs.launch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
