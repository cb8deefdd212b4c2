"""What a run has told so far, gathered for a screen."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from core.runs import events
from core.runs.events import Event

_ORDER = ("load", "captions", "prior", "drawings", "train", "save")
"""Phases in the order in which a training goes through them; previews come in between."""


class Story(Struct, frozen=True, kw_only=True):
    """Everything that a run's events say, so far."""

    total: int = 0
    step: int = 0
    epoch: int = 0
    phase: str = ""
    phases: tuple[str, ...] = ()
    """Those it went through, the present one last."""
    done: int = 0
    """How far the present phase is, of `of`."""
    of: int = 0
    device: str = ""
    losses: tuple[float, ...] = ()
    last: events.Stepped | None = None
    warm: bool = False
    """Enough steps were made for their pace to mean something."""
    measured: tuple[events.Evaluated, ...] = ()
    saved: tuple[events.Saved, ...] = ()
    previews: tuple[events.Previewed, ...] = ()
    checkpoint: events.Checkpointed | None = None
    paused: bool = False
    said: tuple[Event, ...] = ()
    """Events that are worth a line, the newest last."""
    end: events.Stopped | events.Finished | events.Failed | None = None

    def with_events(self, batch: Iterable[Event]) -> "Story":
        """The story after some more events."""
        told, losses, said = self, list(self.losses), list(self.said)
        for event in batch:
            match event:
                case events.Stepped():
                    # A run that goes on after a crash makes its last steps again.
                    del losses[max(0, event.step - len(event.losses)) :]
                    losses += event.losses
                case events.Phase():
                    pass
                case _:
                    said.append(event)
            told = told._after(event)
        return replace(told, losses=tuple(losses), said=tuple(said))

    def _after(self, event: Event) -> "Story":
        match event:
            case events.Started():
                return replace(
                    self,
                    total=event.total,
                    step=event.step,
                    device=event.device,
                    end=None,
                    paused=False,
                    warm=False,
                    phases=(),
                    phase="load",
                )
            case events.Phase():
                new = event.name in _ORDER and event.name not in self.phases
                phases = (*self.phases, event.name) if new else self.phases
                # After its end a run only says something when it goes on.
                return replace(self, end=None, phase=event.name, phases=phases, done=event.done, of=event.total)
            case events.Stepped():
                warm = self.warm or bool(self.last and event.step > self.last.step)
                return replace(
                    self, step=event.step, epoch=event.epoch, last=event, warm=warm, done=event.step, of=self.total
                )
            case events.Evaluated():
                kept = tuple(one for one in self.measured if one.step < event.step)
                return replace(self, measured=(*kept, event))
            case events.Checkpointed():
                return replace(self, checkpoint=event)
            case events.Saved():
                return replace(self, saved=(*(one for one in self.saved if one.path != event.path), event))
            case events.Previewed():
                return replace(self, previews=(*self.previews, event))
            case events.Paused():
                return replace(self, paused=True)
            case events.Resumed():
                return replace(self, paused=False)
            case events.Stopped() | events.Finished() | events.Failed():
                return replace(self, end=event)
            case _:
                return self

    @property
    def seconds_left(self) -> float | None:
        """Until the last step, at the pace of the last ones; None before that means something."""
        return (self.total - self.step) * self.last.seconds_per_step if self.last and self.warm else None

    @property
    def held_out(self) -> tuple[float, ...]:
        """The loss on drawings that are not learned from, over the run."""
        return tuple(one.held_out for one in self.measured if one.held_out is not None)

    @property
    def best(self) -> events.Evaluated | None:
        """Where the loss on what is not learned by heart was least: held-out drawings, or the fixed noise."""
        return min(
            self.measured[1:], key=lambda one: one.trained if one.held_out is None else one.held_out, default=None
        )
