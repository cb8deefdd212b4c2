"""How fast this machine trains, from its own runs."""

import socket

import pytest
from msgspec.structs import replace

from core import toml
from core.plan.frozen import freeze
from core.plan.pace import drawings_per_second
from core.runs import events
from core.runs.run import Run, Status
from tests.conftest import small_project


@pytest.fixture
def run(tmp_path):
    place, project = small_project(tmp_path / "p")
    made = Run.create(place.runs, freeze(place, project))
    made.keep_status(Status("finished", host=socket.gethostname()))
    steps = [
        events.Stepped(step=n, epoch=1, losses=(0.1,), rate=1e-4, pictures_per_second=pace, seconds_per_step=0.2)
        for n, pace in enumerate((20.0, 22.0, 3.0), 1)
    ]
    made.events_file.write_bytes(b"".join(map(events.encode, [events.Phase(name="load"), *steps])))
    return made


def test_the_pace_is_the_middle_one_of_what_the_last_run_measured(run):
    assert drawings_per_second(run.plan().base, [run]) == 20.0


def test_the_pace_is_that_of_one_gpu(run):
    plan = run.plan()
    toml.save(run.plan_file, replace(plan, plan=replace(plan.plan, gpus=4)))
    assert drawings_per_second(plan.base, [run]) == 5.0


def test_another_base_or_another_machine_tells_nothing(run):
    base = run.plan().base
    assert drawings_per_second(replace(base, id="other"), [run]) is None
    run.keep_status(Status("finished", host="elsewhere"))
    assert drawings_per_second(base, [run]) is None
