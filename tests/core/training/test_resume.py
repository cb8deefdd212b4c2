"""The promise of every run: killed, stopped, paused or taken up again, it comes to the same file.

Real trainings on the base in the box. Most are forked from one process that has the libraries loaded, which spares
each the seconds that torch takes; where it matters they begin like any job, in an interpreter of their own.
"""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from PIL import Image

from core import toml
from core.errors import BocetoError
from core.plan.frozen import freeze
from core.runs import events
from core.runs.events import Event
from core.runs.follow import follow
from core.runs.job import EXIT_REFUSED, carry_out
from core.runs.launch import launch, stop
from core.runs.run import Run
from core.settings import Plan
from core.training import checkpoint, job
from tests.conftest import SHORT, small_project

SELDOM = replace(SHORT, repeats=4, save_every=2)
"""12 steps, and a checkpoint only at the end of each of the two epochs: a kill loses what came after it."""
EACH_STEP = replace(SELDOM, checkpoint_seconds=0.001)
"""The same training, with a checkpoint after each step."""
PATIENCE = 120.0
LIBRARIES = ["core.training.loop", "core.training.studio", "core.bases.load", "bitsandbytes", "prodigyopt"]

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(LIBRARIES)


def fork(folder: Path, environment: dict[str, str]) -> None:
    """The job of a run, as `python -m core.training.job` would do it."""
    os.environ.update(environment)
    with (folder / "log.txt").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.exit(carry_out(folder, job.work))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread a training: two tests at once would otherwise take ten times as long on a small machine."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def begin(home: None) -> Iterator[Callable[[Run], BaseProcess]]:
    """Starts the job of a run without waiting for the libraries; none outlives the test."""
    begun = []

    def start(run: Run) -> BaseProcess:
        process = forks.Process(target=fork, args=(run.folder, dict(os.environ)))
        process.start()
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.join()


def new_run(folder: Path, plan: Plan) -> Run:
    """A run of the small project in `folder`, which always bears the same name."""
    place, project = small_project(folder / "small", plan)
    return Run.create(place.runs, freeze(place, project))


def wait_for(run: Run, reached: Callable[[list[Event]], bool], process: BaseProcess | None = None) -> list[Event]:
    """The run's history once it holds what is waited for."""
    until = time.monotonic() + PATIENCE
    while not reached(history := run.history()):
        assert time.monotonic() < until, f"{history[-3:]} {run.log_file.read_text()[-2000:]}"
        if process and process.exitcode is not None and not reached(run.history()):
            pytest.fail(f"the job ended early: {run.history()[-3:]} {run.log_file.read_text()[-2000:]}")
        time.sleep(0.005)
    return history


def reaches(run: Run, phase: str) -> None:
    """Its status says so; it is written just after the event."""
    until = time.monotonic() + 2
    while run.status().phase != phase and time.monotonic() < until:
        time.sleep(0.01)
    assert run.status().phase == phase


def has(kind: type[Event], **fields: object) -> Callable[[list[Event]], bool]:
    """Is there such an event?"""
    return lambda history: any(
        isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())
        for event in history
    )


def killed_in_the_second_epoch(run: Run, begin: Callable[[Run], BaseProcess]) -> None:
    """Begin a run and kill it when its only checkpoint, that of step 6, is already out of date."""
    process = begin(run)
    wait_for(run, has(events.Checkpointed, step=6), process)
    time.sleep(0.25)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "the job was faster than the kill"
    assert not has(events.Checkpointed, step=12)(run.history())


def finish(run: Run, process: BaseProcess | None = None) -> bytes:
    """The LoRA file of a run that is followed to its end."""
    if process:
        process.join(PATIENCE)
    *_, last = follow(run)
    assert isinstance(last, events.Finished), f"{last} {run.log_file.read_text()[-2000:]}"
    return Path(last.path).read_bytes()


@pytest.fixture(scope="module")
def known() -> dict[Plan, bytes]:
    """The files of trainings that nobody disturbed."""
    return {}


@pytest.fixture
def whole(known, tmp_path, begin) -> Callable[[Plan], bytes]:
    """The file an undisturbed training of a plan comes to; each is trained once."""

    def train(plan: Plan) -> bytes:
        if plan not in known:
            run = new_run(tmp_path / f"whole {len(known)}", plan)
            known[plan] = finish(run, begin(run))
        return known[plan]

    return train


def test_a_run_that_is_killed_ten_times_comes_to_the_same_file(tmp_path, begin, whole):
    dice = random.Random(20)
    run = new_run(tmp_path / "broken", EACH_STEP)
    for step in sorted(dice.sample(range(1, 12), 10)):
        process = begin(run)
        # Not for its event, which a kill just after it may have cost.
        wait_for(run, lambda _history, step=step: checkpoint.last(run.checkpoints) >= step, process)
        time.sleep(dice.random() * 0.1)  # in the middle of a step, of a checkpoint, of a file
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "the job was faster than the kill"
        assert not run.is_alive()
        with pytest.raises(BocetoError, match="gone without a word"):
            list(follow(run))
    # The last stretch in an interpreter of its own, as a person would go on.
    launch(run)
    assert finish(run) == whole(SELDOM)
    begun = [event.step for event in run.history() if isinstance(event, events.Started)]
    assert len(begun) == 11
    assert begun == sorted(begun)
    assert begun[0] == 0 and begun[-1] >= 10
    assert len(list(run.checkpoints.iterdir())) <= 2, "nothing stays of checkpoints that a kill cut off"


@pytest.mark.parametrize(
    "plan",
    [
        replace(SELDOM, optimizer="prodigy", learning_rate=None, d0=1e-4),
        replace(SELDOM, optimizer="adamw8bit", rank=8),
        replace(SELDOM, text_encoders=True, caption_dropout=0.2, noise_offset=0.05, flip=True),
        replace(SELDOM, tag_dropout=0.3, debiased=True, multires_iterations=6, ip_noise_gamma=0.1),
        replace(SELDOM, ema=0.9, scale_weight_norms=0.02, text_encoders=True, save_every_steps=5, keep_last=1),
        replace(SELDOM, dora=True, masked_loss=True, up_rank=6, mid_rank=0, scheduler="polynomial", ema=0.9),
    ],
    ids=["prodigy", "adamw8bit", "text encoders", "noises", "average and norms", "parts with magnitudes"],
)
def test_steps_that_a_kill_took_are_made_again_in_the_same_way(tmp_path, begin, whole, plan):
    run = new_run(tmp_path / "broken", plan)
    killed_in_the_second_epoch(run, begin)
    file = finish(run, begin(run))
    assert [event.step for event in run.history() if isinstance(event, events.Started)] == [0, 6]
    assert file == whole(plan)


def test_a_run_that_began_from_a_lora_needs_it_no_more_once_there_is_a_checkpoint(tmp_path, begin, whole):
    lora = tmp_path / "first.safetensors"
    lora.write_bytes(whole(SELDOM))
    plan = replace(SELDOM, init_lora=str(lora))
    expected = whole(plan)
    assert expected != whole(SELDOM)
    run = new_run(tmp_path / "broken", plan)
    killed_in_the_second_epoch(run, begin)
    lora.unlink()
    assert finish(run, begin(run)) == expected


def test_what_is_edited_after_the_start_changes_nothing(tmp_path, begin, whole):
    """The run is frozen: captions and drawings are those of its beginning."""
    run = new_run(tmp_path / "broken", SELDOM)
    killed_in_the_second_epoch(run, begin)
    dataset = Path(run.plan().dataset)
    for number, drawing in enumerate(sorted(dataset.glob("*.png"))):
        drawing.with_suffix(".txt").write_text("something, else, entirely")
        if number % 2:
            Image.new("RGB", (1024, 1024), "red").save(drawing)
        else:
            drawing.unlink()
    assert finish(run, begin(run)) == whole(SELDOM)


def test_a_drawing_that_changed_before_it_was_encoded_is_told_and_poisons_no_cache(tmp_path, begin, monkeypatch):
    """The key of the cache is the drawing's content at the freeze; other content must never come to lie under it."""
    monkeypatch.setenv("BOCETO_CACHE", str(tmp_path / "empty cache"))
    run = new_run(tmp_path / "broken", replace(SELDOM, prior_pictures=0))
    drawing = min(Path(run.plan().dataset).glob("*.png"))
    Image.new("RGB", (1024, 1024), "red").save(drawing)
    begin(run).join(PATIENCE)
    *_, last = follow(run)
    assert isinstance(last, events.Failed), last
    assert drawing.name in f"{last.title} {last.detail}"
    assert last.hint


def test_sigterm_saves_within_a_step_and_the_run_goes_on_to_the_same_file(tmp_path, begin, whole):
    run = new_run(tmp_path / "broken", SELDOM)
    process = begin(run)
    wait_for(run, lambda history: any(isinstance(event, events.Stepped) for event in history), process)
    seen = max(event.step for event in run.history() if isinstance(event, events.Stepped))
    asked = time.time()
    os.kill(process.pid or 0, signal.SIGTERM)
    process.join(PATIENCE)
    assert process.exitcode == 0
    history = run.history()
    last = history[-1]
    assert isinstance(last, events.Stopped) and last.reason == "asked"
    assert seen <= last.step < 12
    assert run.status().phase == "stopped"
    # One step, a checkpoint and a file: no more happens after the signal.
    assert last.t - asked < 10 * max(event.seconds_per_step for event in history if isinstance(event, events.Stepped))
    assert has(events.Checkpointed, step=last.step)(history)
    kept = [Path(event.path) for event in history if isinstance(event, events.Saved)][-1]
    assert kept.name == f"small-step{last.step:08d}.safetensors" and kept.is_file()
    assert finish(run, begin(run)) == whole(SELDOM)
    assert [event.step for event in run.history() if isinstance(event, events.Started)] == [0, last.step]


def test_sigterm_while_it_prepares_stops_it_too(tmp_path, begin):
    run = new_run(tmp_path / "one", SELDOM)
    process = begin(run)
    wait_for(run, has(events.Started), process)
    process.terminate()
    process.join(PATIENCE)
    last = run.history()[-1]
    assert isinstance(last, events.Stopped) and last.step == 0
    assert process.exitcode == 0 and not list(Path(run.plan().output).parent.glob("*"))


def test_a_second_job_on_a_run_in_training_is_refused_in_words(tmp_path, begin, whole):
    run = new_run(tmp_path / "one", SELDOM)
    process = begin(run)
    wait_for(run, has(events.Phase, name="train"), process)
    run.request("pause")  # it is not to be over before the second one has begun
    wait_for(run, has(events.Paused), process)
    with pytest.raises(BocetoError, match="Another job is already working") as raised:
        launch(run)
    assert str(process.pid) in raised.value.detail
    second = subprocess.run(
        [sys.executable, "-m", "core.training.job", str(run.folder)], capture_output=True, text=True, check=False
    )
    assert second.returncode == EXIT_REFUSED
    assert "Another job is already working" in second.stderr
    run.request("resume")
    assert finish(run, process) == whole(SELDOM), "the first was not disturbed"
    assert sum(isinstance(event, events.Started) for event in run.history()) == 1


def test_a_pause_waits_a_save_saves_and_both_change_nothing(tmp_path, begin, whole):
    run = new_run(tmp_path / "broken", SELDOM)
    process = begin(run)
    wait_for(run, has(events.Phase, name="train"), process)
    run.request("save")
    run.request("pause")
    paused = next(event for event in wait_for(run, has(events.Paused), process) if isinstance(event, events.Paused))
    reaches(run, "paused")
    count = len(run.history())
    time.sleep(0.7)
    assert len(run.history()) == count and run.is_alive(), "a pause does nothing, and keeps everything"
    run.request("resume")
    history = wait_for(run, has(events.Resumed, step=paused.step), process)
    assert finish(run, process) == whole(SELDOM)
    history = run.history()
    saved = [event for event in history if isinstance(event, events.Saved) and "-step" in event.path]
    assert len(saved) == 1 and Path(saved[0].path).is_file()
    assert has(events.Checkpointed, step=saved[0].step)(history)


def test_a_request_to_go_on_that_came_too_early_does_not_end_the_next_pause(tmp_path, begin):
    run = new_run(tmp_path / "one", SELDOM)
    process = begin(run)
    wait_for(run, has(events.Phase, name="train"), process)
    run.request("resume")
    while (run.folder / "control" / "resume").exists():
        time.sleep(0.01)
    run.request("pause")
    wait_for(run, has(events.Paused), process)
    time.sleep(0.5)
    reaches(run, "paused")
    assert stop(run, wait=PATIENCE), "a paused job can be stopped"
    assert isinstance(run.history()[-1], events.Stopped)


def test_a_time_budget_stops_a_run_that_can_go_on(tmp_path, begin, whole):
    run = new_run(tmp_path / "broken", replace(SELDOM, time_budget=0.0001))
    process = begin(run)
    process.join(PATIENCE)
    last = run.history()[-1]
    assert isinstance(last, events.Stopped) and last.reason == "budget"
    assert process.exitcode == 0 and run.status().phase == "stopped"
    assert not any(isinstance(event, events.Stepped) for event in run.history())
    toml.save(run.plan_file, replace(run.plan(), plan=replace(run.plan().plan, time_budget=None)))
    process = begin(run)
    wait_for(run, has(events.Checkpointed), process)


def test_a_broken_checkpoint_gives_way_to_the_one_before(tmp_path):
    """The disk may fail under the newest: the one before it is kept for that."""
    for step in (3, 4, 5):
        weights = {"unet": torch.full((1000,), float(step))}
        checkpoint.save(tmp_path, checkpoint.Checkpoint(step, weights, {"optimizer": {"step": step}}, threads=1))
    older, newest = sorted(tmp_path.glob("*.pt"))
    assert (older.stem, newest.stem) == ("00000004", "00000005")
    found = checkpoint.newest(tmp_path)
    assert found is not None and found.step == 5
    whole = newest.read_bytes()
    for broken in (whole[:2000], b"", b"\x00" * len(whole), b"not a checkpoint"):
        newest.write_bytes(broken)
        found = checkpoint.newest(tmp_path)
        assert found is not None and found.step == 4 and found.optimizer == {"optimizer": {"step": 4}}
        assert torch.equal(found.weights["unet"], torch.full((1000,), 4.0))
    older.unlink()
    assert checkpoint.newest(tmp_path) is None


def test_a_checkpoint_of_numbers_that_came_apart_is_not_sound():
    sound = checkpoint.Checkpoint(1, {"unet": torch.ones(3)}, {}, threads=1)
    assert sound.is_sound()
    assert not checkpoint.Checkpoint(1, {"unet": torch.tensor([1.0, float("nan")])}, {}, threads=1).is_sound()
