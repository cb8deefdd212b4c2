"""The folder of a run: made, opened, held by one job, asked for things."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from msgspec import Struct

from core.errors import BocetoError
from core.runs import events
from core.runs.run import Run, Status, runs_in


class Order(Struct, frozen=True):
    """What some job is to do."""

    what: str = "something"


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
HOLD = """
import sys, time
from pathlib import Path
from core.runs.run import Run
with Run(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "runs", Order())


@pytest.fixture
def holder(run):
    """Another process that holds the run, as its job does."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run.folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_new_run_waits_and_has_no_history(run):
    assert run.status().phase == "waiting"
    assert run.history() == []
    assert not run.is_alive()
    assert run.plan_file.is_file()


def test_two_runs_begun_in_the_same_second_get_folders_of_their_own(tmp_path):
    made: list[Run] = []
    threads = [
        threading.Thread(target=lambda: made.append(Run.create(tmp_path / "runs", Order(str(len(made))))))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.folder for run in made}) == 3
    assert runs_in(tmp_path / "runs") == sorted(made, key=lambda run: run.name, reverse=True)


def test_opening_what_is_no_run_says_so(tmp_path):
    with pytest.raises(BocetoError, match="There is no run in"):
        Run.open(tmp_path)
    with pytest.raises(BocetoError, match="There is no run in"):
        Run.open(tmp_path / "nowhere")
    assert runs_in(tmp_path / "nowhere") == []


def test_an_opened_run_does_not_depend_on_where_one_stands(run, monkeypatch):
    monkeypatch.chdir(run.folder.parent)
    opened = Run.open(Path(run.name))
    monkeypatch.chdir("/")
    assert opened == run
    assert opened.plan_file.is_file()


def test_a_run_that_cannot_be_made_says_why(tmp_path):
    (tmp_path / "runs").write_text("a file where a folder should be")
    with pytest.raises(BocetoError, match="could not be made") as raised:
        Run.create(tmp_path / "runs", Order())
    assert raised.value.detail


def test_a_run_is_alive_as_long_as_its_job(run, holder):
    assert run.is_alive()
    assert run.is_alive(), "asking takes nothing away"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert not run.is_alive()


def test_a_second_job_is_refused_in_words(run, holder):
    run.keep_status(Status("train", pid=holder.pid, host="atelier"))
    begun = time.monotonic()
    with pytest.raises(BocetoError) as raised, run.held():
        pytest.fail("two jobs hold one run")
    assert run.name in raised.value.title
    assert str(holder.pid) in raised.value.detail and "atelier" in raised.value.detail
    assert f"boceto attach {run.folder}" in raised.value.hint
    assert time.monotonic() - begun < 5


def test_a_run_can_be_held_again_after_its_job_ended(run, holder):
    holder.kill()
    holder.wait()
    with run.held():
        assert run.is_alive()
    assert not run.is_alive()


def test_who_only_asks_never_keeps_a_job_away(run):
    asked, over = [0], threading.Event()

    def ask() -> None:
        while not over.is_set():
            run.is_alive()
            asked[0] += 1

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            with run.held():
                pass
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert asked[0] > 20


def test_each_request_is_taken_once(run):
    assert run.take_requests() == set()
    run.request("save")
    run.request("save")
    run.request("stop")
    assert run.take_requests() == {"save", "stop"}
    assert run.take_requests() == set()
    run.request("save")
    assert run.take_requests() == {"save"}


def test_a_request_nobody_knows_is_left_alone(run):
    run.request("dance")
    assert run.take_requests() == set()


def test_the_status_is_whole_at_every_moment(run):
    """A reader never meets half a file, and what was said last is what stays."""
    over = threading.Event()
    broken: list[bytes] = []

    def read() -> None:
        while not over.is_set():
            content = (run.folder / "status.json").read_bytes()
            try:
                said = json.loads(content)
                assert said["host"] == "x" * said["step"] or said["phase"] == "waiting"
            except (ValueError, AssertionError):
                broken.append(content)

    reader = threading.Thread(target=read)
    reader.start()
    for step in range(200):
        run.keep_status(Status("train", step=step, host="x" * step))
    over.set()
    reader.join()
    assert broken == []
    assert run.status() == Status("train", step=199, host="x" * 199)
    assert [path.name for path in run.folder.iterdir() if "status" in path.name] == ["status.json"]


def test_a_damaged_status_does_not_stop_anyone(run):
    (run.folder / "status.json").write_bytes(b'{"phase": "tra')
    assert run.status() == Status("waiting")
    (run.folder / "status.json").unlink()
    assert run.status() == Status("waiting")


def test_a_history_that_a_crash_cut_off_is_read_up_to_there(run):
    first = events.Phase(t=1.0, name="load")
    run.events_file.write_bytes(events.encode(first) + events.encode(events.Checkpointed(t=2.0, step=3))[:-9])
    assert run.history() == [first]


def test_the_lock_is_not_inherited_by_what_a_job_starts(run):
    """A child of the job that outlives it must not make the run look alive."""
    with run.held():
        child = subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"], **PIPES, close_fds=False)
        assert child.stdout is not None and child.stdout.readline() == b"1\n"
    try:
        assert child.poll() is None and not run.is_alive()
    finally:
        child.communicate()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_folder_one_may_not_write_to_says_so(run):
    run.folder.chmod(0o500)
    try:
        with pytest.raises(BocetoError):
            run.keep_status(Status("train"))
    finally:
        run.folder.chmod(0o700)
