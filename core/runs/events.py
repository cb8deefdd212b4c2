"""The events of a run: one line each in `events.jsonl`, typed and versioned."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

VERSION = 1


class _Event(Struct, frozen=True, kw_only=True, tag_field="event"):
    """Something that happened in a run."""

    t: float = 0.0
    """When, in seconds since 1970; set by the writer."""


class Started(_Event, frozen=True, kw_only=True, tag="started"):
    """A job took the run up, for the first time or again."""

    pid: int
    host: str
    device: str
    total: int
    """Steps of the whole run."""
    version: int = VERSION
    step: int = 0
    """Steps that were already done: more than 0 when the run goes on after a stop."""


class Chosen(_Event, frozen=True, kw_only=True, tag="chosen"):
    """An automatic choice and its reason."""

    field: str
    value: str
    reason: str


class Phase(_Event, frozen=True, kw_only=True, tag="phase"):
    """What the job is doing, and how far it is."""

    name: str
    """`load`, `captions`, `prior`, `drawings`, `probe`, `train`, `save`, `preview`, `pictures`."""
    done: int = 0
    total: int = 0


class Stepped(_Event, frozen=True, kw_only=True, tag="stepped"):
    """Some steps were made since the last such event."""

    step: int
    """Steps that are done now."""
    epoch: int
    losses: tuple[float, ...]
    """One a step, oldest first."""
    rate: float
    """The learning rate of the UNet (Prodigy: d × lr)."""
    pictures_per_second: float
    seconds_per_step: float
    memory: int = 0
    """Bytes the job holds: on the GPU, or of the process where there is none."""


class Evaluated(_Event, frozen=True, kw_only=True, tag="evaluated"):
    """The loss on fixed (drawing, noise, timestep) triples."""

    step: int
    trained: float
    """On drawings that are learned from."""
    held_out: float | None = None
    """On drawings that are not."""


class Checkpointed(_Event, frozen=True, kw_only=True, tag="checkpointed"):
    """From here the run can go on after anything."""

    step: int


class Saved(_Event, frozen=True, kw_only=True, tag="saved"):
    """A LoRA file is there."""

    step: int
    epoch: int
    path: str
    final: bool = False


class Previewed(_Event, frozen=True, kw_only=True, tag="previewed"):
    """Preview pictures are there."""

    step: int
    paths: tuple[str, ...]
    prompts: tuple[str, ...]


class Noted(_Event, frozen=True, kw_only=True, tag="noted"):
    """Something a person should know."""

    message: str


class Paused(_Event, frozen=True, kw_only=True, tag="paused"):
    """The job waits, keeping what it has in memory."""

    step: int


class Resumed(_Event, frozen=True, kw_only=True, tag="resumed"):
    """The job goes on after a pause."""

    step: int


class Stopped(_Event, frozen=True, kw_only=True, tag="stopped"):
    """The run ended before its last step, by request or by the time budget; it can go on."""

    step: int
    reason: Literal["asked", "budget"]


class Finished(_Event, frozen=True, kw_only=True, tag="finished"):
    """The run did all it had to."""

    step: int = 0
    path: str = ""
    """The LoRA file, or the pictures."""


class Failed(_Event, frozen=True, kw_only=True, tag="failed"):
    """The run ended by an error."""

    title: str
    detail: str = ""
    hint: str = ""
    log: str = ""


Event: TypeAlias = (
    Started
    | Chosen
    | Phase
    | Stepped
    | Evaluated
    | Checkpointed
    | Saved
    | Previewed
    | Noted
    | Paused
    | Resumed
    | Stopped
    | Finished
    | Failed
)
ENDS = (Stopped, Finished, Failed)

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """One line, with its end."""
    return msgspec.json.encode(event) + b"\n"


def decode(line: bytes) -> Event:
    """The event of one line; fields that a newer version added are ignored."""
    return _decoder.decode(line)


def decode_lines(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of whole lines; one of a kind that a newer version added, or that is damaged, is passed over."""
    for line in lines:
        with suppress(msgspec.DecodeError):
            yield decode(line)


def decode_all(content: bytes) -> Iterator[Event]:
    """The events of a whole file; a last line that a crash cut off is left out."""
    return decode_lines(line for line in content.splitlines(keepends=True) if line.endswith(b"\n"))
