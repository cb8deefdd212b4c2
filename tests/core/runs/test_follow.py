"""Following a run: everything from the start, then what comes, and an honest end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from msgspec import Struct

from core.errors import BocetoError
from core.runs import events
from core.runs.events import Event
from core.runs.follow import CHECK_EVERY, follow
from core.runs.run import Run


class Order(Struct, frozen=True):
    """Nothing to do."""


LOAD = events.Phase(t=1.0, name="load")
FINISHED = events.Finished(t=9.0, step=3, path="x")

KILLED = """
import sys, time
from pathlib import Path
from core.runs.run import Run
from core.runs.events import Checkpointed, encode
run = Run(Path(sys.argv[1]))
with run.held():
    with run.events_file.open("ab", buffering=0) as file:
        file.write(encode(Checkpointed(step=2)))
        file.write(encode(Checkpointed(step=3))[:-7])
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "runs", Order())


def write(run: Run, *happened: Event | bytes) -> None:
    with run.events_file.open("ab") as file:
        for event in happened:
            file.write(event if isinstance(event, bytes) else events.encode(event))


def as_job(run: Run, do: Callable[[], None]) -> threading.Thread:
    """Do something while holding the run, in a thread; returns once it is held."""
    held = threading.Event()

    def work() -> None:
        with run.held():
            held.set()
            do()

    thread = threading.Thread(target=work)
    thread.start()
    assert held.wait(10)
    return thread


def take(followed: Iterator[Event], count: int) -> list[Event]:
    return [next(followed) for _ in range(count)]


def test_a_run_that_is_over_is_told_from_the_start(run):
    write(run, LOAD, FINISHED)
    assert list(follow(run)) == [LOAD, FINISHED]


def test_events_are_told_as_they_come(run):
    step, end = threading.Event(), threading.Event()

    def job() -> None:
        write(run, LOAD)
        assert step.wait(10)
        write(run, events.Checkpointed(t=2.0, step=1))
        assert end.wait(10)
        write(run, FINISHED)

    thread = as_job(run, job)
    followed = follow(run)
    assert next(followed) == LOAD
    step.set()
    begun = time.monotonic()
    assert next(followed) == events.Checkpointed(t=2.0, step=1)
    assert time.monotonic() - begun < 4 * CHECK_EVERY + 1
    end.set()
    assert list(followed) == [FINISHED]
    thread.join()


def test_the_last_event_of_a_job_that_ends_at_once_is_not_missed(run):
    """A job writes its end and lets go between two looks of the follower; it does so at many different moments."""
    for pause in (0.0, 0.01, 0.05, CHECK_EVERY):
        run.events_file.unlink(missing_ok=True)

        def job(pause: float = pause) -> None:
            write(run, LOAD)
            time.sleep(pause)
            write(run, FINISHED)

        thread = as_job(run, job)
        assert list(follow(run)) == [LOAD, FINISHED]
        thread.join()


def test_a_line_is_told_when_it_is_whole(run):
    line, rest = events.encode(events.Noted(t=2.0, message="años ✓")), threading.Event()

    def job() -> None:
        write(run, LOAD, line[:25])
        assert rest.wait(10)
        write(run, line[25:], FINISHED)

    thread = as_job(run, job)
    followed = follow(run)
    assert next(followed) == LOAD
    threading.Timer(2 * CHECK_EVERY, rest.set).start()
    assert list(followed) == [events.Noted(t=2.0, message="años ✓"), FINISHED]
    thread.join()


def test_a_killed_job_is_an_error_in_words_after_all_it_said(run):
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(run.folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    followed = follow(run)
    first = next(followed)
    assert isinstance(first, events.Checkpointed) and first.step == 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with pytest.raises(BocetoError) as raised:
        list(followed)
    assert run.name in raised.value.title
    assert str(run.log_file) in raised.value.detail
    assert f"boceto resume {run.folder}" in raised.value.hint


def test_a_stop_in_the_middle_of_the_history_is_not_its_end(run):
    """A run that was stopped and taken up again is followed to the end of the second job."""
    history = [LOAD, events.Stopped(t=2.0, step=1, reason="asked"), LOAD, events.Checkpointed(t=4.0, step=2)]
    write(run, *history)
    end = threading.Event()

    def job() -> None:
        assert end.wait(10)
        write(run, FINISHED)

    thread = as_job(run, job)
    followed = follow(run)
    assert take(followed, 4) == history
    end.set()
    assert list(followed) == [FINISHED]
    thread.join()


def test_a_job_that_was_killed_after_an_earlier_stop_is_not_taken_for_stopped(run):
    write(run, LOAD, events.Stopped(t=2.0, step=1, reason="asked"), LOAD)
    with pytest.raises(BocetoError, match="gone without a word"):
        list(follow(run))


def test_who_follows_can_leave(run):
    leaving, cancelled = threading.Event(), threading.Event()
    thread = as_job(run, lambda: leaving.wait(10) and None)
    write(run, LOAD)
    followed = follow(run, cancelled)
    assert next(followed) == LOAD
    threading.Timer(0.1, cancelled.set).start()
    begun = time.monotonic()
    assert list(followed) == []
    assert time.monotonic() - begun < 0.1 + CHECK_EVERY + 1
    assert run.is_alive(), "leaving does not end the job"
    leaving.set()
    thread.join()


def test_two_may_follow_one_run(run):
    def job() -> None:
        for step in range(20):
            write(run, events.Checkpointed(t=1.0, step=step))
            time.sleep(0.01)
        write(run, FINISHED)

    told: list[list[Event]] = [[], []]
    thread = as_job(run, job)
    followers = [threading.Thread(target=lambda mine=mine: mine.extend(follow(run))) for mine in told]
    for follower in followers:
        follower.start()
    for follower in (*followers, thread):
        follower.join()
    assert told[0] == told[1] == run.history()
    assert len(told[0]) == 21
