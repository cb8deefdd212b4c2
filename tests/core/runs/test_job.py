"""What every job has in common: real jobs in processes of their own, with small work to do."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from msgspec import Struct

from core.errors import BocetoError
from core.runs import events
from core.runs.follow import follow
from core.runs.job import EXIT_FAILED, EXIT_REFUSED
from core.runs.launch import launch, stop
from core.runs.run import Run, Status

HEAD = """
import logging, os, signal, sys, time
from pathlib import Path
from core.errors import BocetoError
from core.runs.events import Checkpointed, Finished, Noted, Phase, Started, Stepped, Stopped
from core.runs.job import carry_out
"""
TAIL = """
if __name__ == "__main__":
    sys.exit(carry_out(Path(sys.argv[1]), work))
"""
PATIENT = """
def work(run, requests):
    yield Started(pid=os.getpid(), host="here", device="none", total=9)
    while not requests.stop:
        if requests.take("save"):
            yield Noted(message="saved")
        time.sleep(0.01)
    yield Stopped(step=4, reason="asked")
"""


class Order(Struct, frozen=True):
    """What some job is to do."""

    what: str = "something"


@pytest.fixture
def run(tmp_path) -> Iterator[Run]:
    made = Run.create(tmp_path / "runs", Order())
    yield made
    if made.is_alive():  # a test that failed leaves nothing running
        os.kill(made.status().pid, signal.SIGKILL)


@pytest.fixture
def job(tmp_path, monkeypatch) -> Callable[[str], str]:
    """Makes a module that `launch` can start from the body of its `work`."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))

    def make(body: str, name: str = "some_job") -> str:
        (tmp_path / f"{name}.py").write_text(HEAD + textwrap.dedent(body) + TAIL)
        return name

    return make


def carried_out(run: Run, module: str) -> int:
    """The exit status of a job that is waited for, its output in the run's log."""
    with run.log_file.open("ab") as log:
        return subprocess.run(
            [sys.executable, "-m", module, str(run.folder)], stdout=log, stderr=log, timeout=60, check=False
        ).returncode


def last(run: Run) -> events.Event:
    return run.history()[-1]


def test_a_job_that_does_its_work_ends_well(run, job):
    before = time.time()
    module = job("""
        def work(run, requests):
            yield Started(pid=os.getpid(), host="here", device="none", total=2)
            yield Phase(name="train", done=0, total=2)
            yield Stepped(step=2, epoch=1, losses=(0.5,), rate=1, pictures_per_second=1, seconds_per_step=1)
            yield Finished(step=2, path="there")
    """)
    assert carried_out(run, module) == 0
    history = run.history()
    assert [type(event).__name__ for event in history] == ["Phase", "Started", "Phase", "Stepped", "Finished"]
    times = [event.t for event in history]
    assert times == sorted(times) and before - 1 <= times[0] <= times[-1] <= time.time()
    status = run.status()
    assert (status.phase, status.step, status.total, status.host) == ("finished", 2, 2, socket.gethostname())
    assert not run.is_alive()


def test_a_known_error_is_told_in_its_own_words(run, job):
    module = job("""
        def work(run, requests):
            yield Phase(name="train")
            raise BocetoError("The paper is wet.", "It rained.", "Wait a day.")
    """)
    assert carried_out(run, module) == EXIT_FAILED
    failed = last(run)
    assert failed == events.Failed(
        t=failed.t, title="The paper is wet.", detail="It rained.", hint="Wait a day.", log=str(run.log_file)
    )
    assert run.status().phase == "failed"
    assert "BocetoError" in run.log_file.read_text()


def test_an_unknown_error_is_told_with_what_python_said(run, job):
    module = job("""
        def work(run, requests):
            yield Phase(name="train")
            {}["palette"]
    """)
    assert carried_out(run, module) == EXIT_FAILED
    failed = last(run)
    assert isinstance(failed, events.Failed)
    assert failed.title and str(run.log_file) in failed.hint and failed.log == str(run.log_file)
    assert failed.detail == "KeyError: 'palette'"
    log = run.log_file.read_text()
    assert "Traceback" in log and '{}["palette"]' in log
    assert run.status().phase == "failed"


def test_an_error_before_the_first_event_is_told_too(run, job):
    module = job("""
        def work(run, requests):
            raise ImportError("no such library")
            yield
    """)
    assert carried_out(run, module) == EXIT_FAILED
    failed = last(run)
    assert isinstance(failed, events.Failed) and "no such library" in failed.detail


@pytest.mark.parametrize(
    "said",
    [
        "MemoryError()",
        'RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB\\nSee documentation")',
        # As torch 2.13 says it for `torch.empty(10**13)`.
        "RuntimeError(\"[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
        'you tried to allocate 40000000000000 bytes. Error code 12 (Cannot allocate memory)")',
    ],
    ids=["python", "gpu", "cpu"],
)
def test_too_little_memory_is_told_with_what_to_make_smaller(run, job, said):
    module = job(f"""
        def work(run, requests):
            yield Phase(name="train")
            raise {said}
    """)
    assert carried_out(run, module) == EXIT_FAILED
    failed = last(run)
    assert isinstance(failed, events.Failed)
    assert "memory" in failed.title
    assert "smaller batch" in failed.hint
    assert "\n" not in failed.detail


def test_half_a_line_of_a_crash_is_dropped_by_the_next_job(run, job):
    kept = events.encode(events.Checkpointed(t=1.0, step=5))
    run.events_file.write_bytes(kept + events.encode(events.Checkpointed(t=2.0, step=6))[:-4])
    assert carried_out(run, job("def work(run, requests):\n    yield Finished(step=6)\n")) == 0
    assert run.events_file.read_bytes().startswith(kept + b'{"event":"phase"')
    assert [type(event).__name__ for event in follow(run)] == ["Checkpointed", "Phase", "Finished"]


def test_half_a_first_line_is_dropped_as_well(run, job):
    run.events_file.write_bytes(b'{"event":"pha')
    assert carried_out(run, job("def work(run, requests):\n    yield Finished(step=6)\n")) == 0
    assert [type(event).__name__ for event in run.history()] == ["Phase", "Finished"]


def test_a_second_job_on_a_run_is_refused_and_leaves_it_alone(run, job):
    module = job(PATIENT)
    pid = launch(run, module)
    try:
        history = run.history
        while not any(isinstance(event, events.Started) for event in history()):
            time.sleep(0.01)
        before = history()
        with pytest.raises(BocetoError, match="Another job is already working") as raised:
            launch(run, module)
        assert str(pid) in raised.value.detail
        assert carried_out(run, module) == EXIT_REFUSED
        assert "Another job is already working" in run.log_file.read_text()
        assert history() == before
        assert run.status().pid == pid
    finally:
        assert stop(run, wait=20)


def test_of_two_that_are_started_at_the_same_moment_one_is_told_that_it_came_second(run, job):
    module, outcomes = job(PATIENT), []
    together = threading.Barrier(2)

    def begin() -> None:
        together.wait()
        try:
            outcomes.append(launch(run, module))
        except BocetoError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=begin) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BocetoError", "int"]
        assert run.status().pid in outcomes
    finally:
        assert stop(run, wait=20)


def test_a_started_job_can_be_stopped_at_once(run, job):
    """Whoever starts a job and regrets it is heard, however early."""
    module = job(PATIENT)
    for _ in range(5):
        launch(run, module)
        assert stop(run, wait=10)
        assert isinstance(last(run), events.Stopped)


def test_a_job_lives_on_in_a_session_of_its_own(run, job):
    pid = launch(run, job(PATIENT))
    try:
        assert os.getsid(pid) == pid != os.getsid(0)
        for ignored in (signal.SIGHUP, signal.SIGINT):
            os.kill(pid, ignored)
        time.sleep(0.3)
        assert run.is_alive()
    finally:
        assert stop(run, wait=20)


def test_a_request_reaches_the_job_and_is_carried_out_once(run, job):
    launch(run, job(PATIENT))
    try:
        run.request("save")
        until = time.monotonic() + 20
        while not any(isinstance(event, events.Noted) for event in run.history()) and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.6)
        assert sum(isinstance(event, events.Noted) for event in run.history()) == 1
    finally:
        assert stop(run, wait=20)


def test_what_was_asked_of_an_earlier_job_is_not_meant_for_the_next(run, job):
    run.request("stop")
    launch(run, job(PATIENT))
    time.sleep(0.6)
    assert run.is_alive()
    assert stop(run, wait=20)


def test_stopping_reaches_a_job_on_another_machine_and_nobody_else(run, job, tmp_path):
    """Its process number means somebody else's process here."""
    innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with run.held():
            run.keep_status(Status("train", pid=innocent.pid, host="a-machine-far-away"))
            assert not stop(run, wait=0.3)
        assert "stop" in run.take_requests()
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_a_job_that_cannot_even_begin_is_told_with_its_last_words(run, job):
    module = job('print("ink is out")\nraise SystemExit(7)\n')
    with pytest.raises(BocetoError, match="exit status 7") as raised:
        launch(run, module)
    assert "ink is out" in raised.value.detail
    assert str(run.log_file) in raised.value.hint


def test_a_job_that_fails_at_once_is_followed_to_its_words(run, job):
    module = job("""
        def work(run, requests):
            raise BocetoError("The paper is wet.")
            yield
    """)
    launch(run, module)
    *_, failed = follow(run)
    assert isinstance(failed, events.Failed) and failed.title == "The paper is wet."


def test_what_libraries_print_is_in_the_log_and_not_in_the_history(run, job):
    module = job("""
        def work(run, requests):
            print("a library says hello")
            print("and complains", file=sys.stderr)
            logging.getLogger("diffusers").warning("something is deprecated")
            yield Finished(step=0)
    """)
    launch(run, module)
    list(follow(run))
    log = run.log_file.read_text()
    assert all(said in log for said in ("a library says hello", "and complains", "something is deprecated"))
    assert len(run.history()) == 2


def test_a_job_without_a_run_is_refused(tmp_path, job):
    module = job("def work(run, requests):\n    yield Finished()\n")
    result = subprocess.run(
        [sys.executable, "-m", module, str(tmp_path / "nowhere")], capture_output=True, text=True, check=False
    )
    assert result.returncode != 0
    assert "There is no run in" in result.stderr
    assert not (tmp_path / "nowhere").exists()
