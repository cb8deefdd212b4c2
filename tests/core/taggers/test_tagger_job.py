"""Captioning as a job: a process of its own that keeps what it saw, however it ends."""

import os
import signal
import time
from pathlib import Path

import pytest
from PIL import Image

from core.errors import BocetoError
from core.runs import events
from core.runs.follow import follow
from core.runs.launch import launch, stop
from core.runs.run import Run
from core.taggers import results
from core.taggers.find import Found
from core.taggers.order import Order
from core.taggers.tagger import Subject
from tests.core.taggers.onnx_models import ROWS, make

JOB = "core.taggers.job"


def found(folder: Path, **how) -> Found:
    model = make(folder, **how)
    return Found(id=folder.name, name=folder.name, kind="tags", model=model, tags=model.parent / "selected_tags.csv")


def order(tmp_path: Path, *taggers: Found, drawings: int = 6) -> Order:
    subjects = []
    for number in range(drawings):
        path = tmp_path / "dataset" / f"{number:03d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), (number, 9, 9)).save(path)
        subjects.append(Subject(path.name, path, digest=_digest(path)))
    return Order(taggers=taggers, folder=tmp_path / "scores", drawings=tuple(subjects))


def _digest(path: Path) -> str:
    from core.images.scan import inspect

    return inspect(path, path.name).digest


def caption(tmp_path: Path, wanted: Order) -> list[events.Event]:
    run = Run.create(tmp_path / "runs", wanted)
    launch(run, JOB)
    return list(follow(run))


def seen(wanted: Order, tagger: Found) -> set[str]:
    return set(results.current(wanted.scores(tagger), wanted.drawings))


def wait_for(what, seconds: float = 60.0):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def slow(tmp_path) -> Found:
    return found(tmp_path / "slow", side=128, heavy=4)


def test_every_tagger_looks_at_every_drawing(tmp_path):
    one, two = found(tmp_path / "one"), found(tmp_path / "two", rows=ROWS[:6])
    wanted = order(tmp_path, one, two)
    history = caption(tmp_path, wanted)
    started = next(event for event in history if isinstance(event, events.Started))
    assert (started.total, started.step) == (12, 0) and started.device
    progress = [event.done for event in history if isinstance(event, events.Phase) and event.name == "caption"]
    assert progress == sorted(progress) and progress[-1] == 12
    assert isinstance(history[-1], events.Finished)
    assert (history[-1].step, history[-1].path) == (12, str(wanted.folder))
    for tagger in (one, two):
        assert seen(wanted, tagger) == {drawing.name for drawing in wanted.drawings}
    assert len(results.read(wanted.scores(two))["000.png"].tags) == 4


def test_what_was_seen_before_is_not_looked_at_again(tmp_path):
    tagger = found(tmp_path / "one")
    wanted = order(tmp_path, tagger)
    caption(tmp_path, wanted)
    before = wanted.scores(tagger).read_bytes()
    history = caption(tmp_path, wanted)
    assert next(event for event in history if isinstance(event, events.Started)).step == 6
    assert isinstance(history[-1], events.Finished)
    assert wanted.scores(tagger).read_bytes() == before


def test_a_killed_captioning_goes_on_where_it_was(tmp_path, slow):
    wanted = order(tmp_path, slow, drawings=60)
    run = Run.create(tmp_path / "runs", wanted)
    pid = launch(run, JOB)
    wait_for(lambda: seen(wanted, slow))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(BocetoError):
        list(follow(run))
    kept = wanted.scores(slow).read_bytes()
    with wanted.scores(slow).open("ab") as file:
        file.write(b'{"drawing":"00')  # where the kill might have come
    assert 0 < len(seen(wanted, slow)) < 60
    history = caption(tmp_path, wanted)
    assert next(event for event in history if isinstance(event, events.Started)).step == kept.count(b"\n") - 1
    assert len(seen(wanted, slow)) == 60
    assert wanted.scores(slow).read_bytes().startswith(kept)


def test_sigterm_keeps_what_was_seen(tmp_path, slow):
    wanted = order(tmp_path, slow, drawings=60)
    run = Run.create(tmp_path / "runs", wanted)
    launch(run, JOB)
    wait_for(lambda: seen(wanted, slow))
    assert stop(run, wait=30)
    last = run.history()[-1]
    assert isinstance(last, events.Stopped) and last.reason == "asked"
    assert last.step == len(seen(wanted, slow)) < 60


def test_a_drawing_that_cannot_be_opened_is_told_once_and_the_rest_goes_on(tmp_path):
    one, two = found(tmp_path / "one"), found(tmp_path / "two")
    wanted = order(tmp_path, one, two)
    wanted.drawings[2].path.write_bytes(b"nothing")
    history = caption(tmp_path, wanted)
    notes = [event.message for event in history if isinstance(event, events.Noted)]
    assert len(notes) == 1 and "002.png" in notes[0]
    assert isinstance(history[-1], events.Finished) and history[-1].step == 12
    assert len(seen(wanted, two)) == 5


def test_a_broken_model_is_told_in_words(tmp_path):
    tagger = found(tmp_path / "one")
    tagger.model.write_bytes(b"<html>")
    history = caption(tmp_path, order(tmp_path, tagger))
    assert isinstance(history[-1], events.Failed)
    assert str(tagger.model) in history[-1].title and history[-1].hint
