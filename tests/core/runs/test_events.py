"""The lines of a run's history: every kind comes back as it was written, whatever happens around it."""

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runs import events
from core.runs.events import Event, decode, decode_all, encode

KINDS = get_args(Event)

ONE_OF_EACH: list[Event] = [
    events.Started(t=1.5, pid=7, host="atelier", device="CPU", total=340, step=12),
    events.Chosen(t=2.0, field="precision", value="fp32", reason="no GPU was found"),
    events.Phase(t=3.0, name="captions", done=3, total=9),
    events.Stepped(
        t=4.0,
        step=3,
        epoch=1,
        losses=(0.1, 0.30000000000000004, 1e-9),
        rate=3e-4,
        pictures_per_second=4.2,
        seconds_per_step=1.4,
        memory=2**40,
    ),
    events.Evaluated(t=5.0, step=3, trained=0.12345678901234567, held_out=None),
    events.Checkpointed(t=6.0, step=3),
    events.Saved(t=7.0, step=3, epoch=1, path="/tmp/señal „ñ“\n.safetensors", final=True),
    events.Previewed(t=8.0, step=3, paths=("a.png", "b.png"), prompts=("a cat", "")),
    events.Noted(t=9.0, message="Zwei\nZeilen \x1b[31m and \u2028 more \U0001f58d"),
    events.Paused(t=10.0, step=4),
    events.Resumed(t=11.0, step=4),
    events.Stopped(t=12.0, step=5, reason="asked"),
    events.Finished(t=13.0, step=6, path="out.safetensors"),
    events.Failed(t=14.0, title="No", detail="because", hint="so", log="log.txt"),
]


def test_there_is_one_of_each():
    assert [type(event) for event in ONE_OF_EACH] == list(KINDS)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_every_kind_comes_back_as_it_was_written(event):
    line = encode(event)
    assert line.endswith(b"\n")
    assert len(line.splitlines()) == 1, "nothing inside may end the line"
    assert decode(line) == event
    assert json.loads(line)["event"] == type(event).__name__.lower()


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_what_a_newer_version_added_is_ignored(event):
    line = msgspec.json.encode({**json.loads(encode(event)), "mood": {"since": [1, 2]}, "zeal": None})
    assert decode(line) == event


@pytest.mark.parametrize("line", [b'{"event":"dreamt","t":1.0}\n', b'{"event":"stepped"}\n', b"\x00\x00\n", b"\n"])
def test_a_line_nobody_understands_does_not_hide_the_others(line):
    """A newer version's kind of event, or what a disk made of a line."""
    content = encode(ONE_OF_EACH[0]) + line + encode(ONE_OF_EACH[-1])
    assert list(decode_all(content)) == [ONE_OF_EACH[0], ONE_OF_EACH[-1]]


def test_a_history_says_which_version_wrote_it():
    assert json.loads(encode(ONE_OF_EACH[0]))["version"] == events.VERSION == 1


def test_losses_keep_every_digit():
    event = events.Stepped(
        step=1, epoch=1, losses=(1 / 3, 2e-308, 0.1 + 0.2), rate=1 / 7, pictures_per_second=1, seconds_per_step=1
    )
    assert decode(encode(event)) == event


@given(st.integers(0), st.lists(st.sampled_from(ONE_OF_EACH), max_size=6))
def test_a_file_that_was_cut_anywhere_gives_every_whole_line(place, history):
    content = b"".join(map(encode, history))
    cut = place % (len(content) + 1)
    whole = content[:cut].count(b"\n")
    assert list(decode_all(content[:cut])) == history[:whole]


def test_the_ends_are_those_that_nothing_follows():
    assert {kind.__name__ for kind in events.ENDS} == {"Stopped", "Finished", "Failed"}
