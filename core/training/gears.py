"""How the steps of a run are carried out: in the plan's gear, or in the fastest that repays its warm-up."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from statistics import median
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend

from core.language import _
from core.plan.gear import FEWEST, Gear, Verdict, room_for_graphs, shapes_worth, worth_keeping, worth_trying
from core.plan.schedule import Step
from core.runs.events import Chosen, Event, Noted
from core.training.compiled import Compiled
from core.training.device import room
from core.training.graphs import WARM, Graphs
from core.training.step import Batch
from core.training.tuning import preferring, tuned

if TYPE_CHECKING:
    from core.training.studio import Studio

Shape = tuple[int, int, int]
"""Width and height of the pictures in a step, and how many."""
_TIMED = 6
"""Steps of one gear that are timed before it is judged."""
_FIRST: dict[Gear | None, int] = {None: 2, "compiled": 2, "graphs": WARM + 1}
"""Steps of each shape that are not: memory is claimed, kernels are compiled, graphs captured."""


class Gears:
    """The gear of a run. Until it is told to begin, and wherever a faster one fails, a step is made as it is written.

    A gear is tried on the run's own steps, never on steps that are thrown away, and each makes the same step up to the
    rounding of its kernels.
    """

    def __init__(self) -> None:
        self.now: Gear = "eager"
        self._left: Counter[Shape] = Counter()
        self._compiled: Compiled | None = None
        self._graphs: Graphs | None = None
        self._trial: _Trial | None = None
        self._attention: list[SDPBackend] = []
        self._events: list[Event] = []

    def begin(self, studio: "Studio", done: int = 0) -> None:
        """Take up the plan's gear for the steps after the first `done`; “auto” begins to look for the best."""
        self.now, self._compiled, self._graphs, self._trial, self._events = "eager", None, None, None, []
        self._attention, steps = [], studio.schedule.steps[done:]
        if studio.device.place.type == "cuda" and steps:
            self._tune(studio, max(steps, key=lambda step: len(step.sights)))
            torch.cuda.reset_peak_memory_stats(studio.device.place)  # from here on it is that of steps
        self._left = Counter(shape(step) for step in steps)
        wanted = studio.frozen.plan.gear
        why_not = no_graphs(studio)
        if wanted == "auto":
            # On a CPU the work itself takes the time, not telling it what to do.
            if studio.device.place.type == "cuda":
                self._trial = _Trial(("compiled",) if why_not else ("compiled", "graphs"), studio.device.place)
        elif wanted == "graphs" and why_not:
            self._events.append(Chosen(field="gear", value="eager", reason=why_not))
        else:
            self.shift(wanted, studio)
            self._events.append(Chosen(field="gear", value=wanted, reason=_("as the plan says")))

    def step(self, studio: "Studio", step: Step) -> Tensor:
        """Make one step. Returns its loss, still on the device."""
        batch = studio.data.batch(step, studio.ranks)
        studio.optimizer.pace(step.index)
        if self._trial:
            self._trial.starts()
        told = self._made(studio, step, batch)
        self._left[shape(step)] -= 1
        if self._trial:
            self._trial.ends(shape(step))
            if self._trial.is_due:
                self._judge(studio)
        return told

    def events(self) -> Iterator[Event]:
        """What was chosen since, and why."""
        events, self._events = self._events, []
        yield from events

    def _made(self, studio: "Studio", step: Step, batch: Batch) -> Tensor:
        with preferring(self._attention) if self._attention else nullcontext():
            told, moved = self._gradients(studio, step, batch)
        if not moved:
            studio.optimizer.move()
        return told

    def _gradients(self, studio: "Studio", step: Step, batch: Batch) -> tuple[Tensor, bool]:
        """In the gear that is engaged; in the next slower one where it fails, which has then moved nothing."""
        if self._graphs and (self._graphs.knows(batch) or self._left[shape(step)] >= FEWEST):
            try:
                with self._blocks():
                    return self._graphs.gradients(studio, batch)
            except Exception as error:
                self._fell_back(_("A step could not be captured as a CUDA graph: {cause}."), error)
        if self._compiled:
            try:
                with self._blocks():
                    return studio.optimizer.gradients(studio.losses(batch)), False
            except Exception as error:
                self._fell_back(_("The base could not be compiled here: {cause}."), error)
        return studio.optimizer.gradients(studio.losses(batch)), False

    def _tune(self, studio: "Studio", step: Step) -> None:
        try:
            self._attention, chosen = tuned(studio, step)
        except RuntimeError as error:
            words = _("What is fastest on this GPU could not be measured: {cause}.")
            self._events.append(Noted(message=words.format(cause=_first_line(error))))
        else:
            self._events += chosen

    def _blocks(self) -> AbstractContextManager[None]:
        return self._compiled.working() if self._compiled else nullcontext()

    def shift(self, gear: Gear, studio: "Studio") -> None:
        """Engage `gear` from the next step on; graphs hold compiled blocks where these are engaged already."""
        if gear == "compiled":
            self._compiled = Compiled(studio.unet)
        elif gear == "graphs":
            self._graphs = Graphs(studio.device.place)
        self.now = gear

    def _fell_back(self, words: str, error: Exception) -> None:
        """Leave the gear that failed. It has moved nothing: the step can be made again."""
        if self._graphs:
            self._graphs, self.now = None, "compiled" if self._compiled else "eager"
        else:
            assert self._compiled
            self._compiled.forget()
            self._compiled, self.now = None, "eager"
        self._events.append(Noted(message=words.format(cause=_first_line(error))))
        if self._trial:
            self._trial.given_up()

    def _judge(self, studio: "Studio") -> None:
        """Keep or leave the gear that was timed, and shift to the next that may be worth it."""
        trial = self._trial
        assert trial
        seconds, warm_up = trial.seconds()
        if trial.trying:
            left = sum(self._left.values())
            verdict = worth_keeping(trial.trying, *trial.compared(seconds), left, warm_up)
            if verdict.yes:
                self._events.append(Chosen(field="gear", value=self.now, reason=verdict.reason))
                trial.best = seconds
            else:
                self._leave(trial.trying, verdict)
        else:
            trial.best = seconds
        typical = median(trial.best.values())
        for gear in trial.rest():
            left_of = shapes_worth(gear, [count for count in self._left.values() if count > 0])
            verdict = worth_trying(gear, typical, left_of)
            if verdict.yes and gear == "graphs":
                verdict = _room(studio.device.place)
            if verdict.yes:
                self.shift(gear, studio)
                return
            self._events.append(Chosen(field="gear", value=self.now, reason=verdict.reason))
        self._trial = None

    def _leave(self, gear: Gear, verdict: Verdict) -> None:
        if gear == "graphs":
            self._graphs = None
        elif self._compiled:
            self._compiled.forget()
            self._compiled = None
        self.now = "compiled" if self._compiled else "eager"
        self._events.append(Chosen(field="gear", value=self.now, reason=verdict.reason))


class _Trial:
    """Which gears are still to be tried, and how long steps take in the one that is engaged."""

    def __init__(self, gears: tuple[Gear, ...], place: torch.device) -> None:
        self._gears, self._place = list(gears), place
        self.trying: Gear | None = None
        """None: the gear that the run began in."""
        self.best: dict[Shape, float] = {}
        """Seconds of a step of each shape, in the best gear so far."""
        self._marks: list[tuple[Shape, _Mark, _Mark]] = []
        self._start: _Mark | None = None

    def starts(self) -> None:
        self._start = _Mark(self._place)

    def ends(self, shape: Shape) -> None:
        assert self._start
        self._marks.append((shape, self._start, _Mark(self._place)))

    @property
    def is_due(self) -> bool:
        """Whether enough steps were made: of each shape only those count that come after its first few."""
        return sum(1 for _mark in self._warm()) >= _TIMED

    def seconds(self) -> tuple[dict[Shape, float], float]:
        """Of a step of each shape, and those that warming up took beside them. Waits for the device, once."""
        if self._place.type == "cuda":
            torch.cuda.synchronize(self._place)
        by_shape = defaultdict(list)
        for shape, start, end in self._warm():
            by_shape[shape].append(end.since(start))
        found = {shape: median(times) for shape, times in by_shape.items()}
        whole = sum(end.wall - start.wall for _shape, start, end in self._marks)
        usual = median(found.values()) * len(self._marks)
        return found, max(0.0, whole - usual)

    def compared(self, seconds: dict[Shape, float]) -> tuple[float, float]:
        """What a step took before and takes now: of the shapes that both have seen, else of any."""
        both = self.best.keys() & seconds.keys()
        before, after = (
            [times[shape] for shape in both] if both else list(times.values()) for times in (self.best, seconds)
        )
        return median(before), median(after)

    def rest(self) -> Iterator[Gear]:
        """The gears that are left, one after the other; the last one taken is the one that is timed next."""
        self._marks = []
        while self._gears:
            self.trying = self._gears.pop(0)
            yield self.trying

    def given_up(self) -> None:
        """The gear that is being tried has failed: what was timed is not its own."""
        self._marks, self.trying = [], None

    def _warm(self) -> Iterator[tuple[Shape, "_Mark", "_Mark"]]:
        seen: Counter[Shape] = Counter()
        for mark in self._marks:
            seen[mark[0]] += 1
            if seen[mark[0]] > _FIRST[self.trying]:
                yield mark


class _Mark:
    """A moment of the device's own time, which nobody waits for until it is read."""

    def __init__(self, place: torch.device) -> None:
        self.wall = time.perf_counter()
        self._event = None
        if place.type == "cuda":
            self._event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            self._event.record()

    def since(self, other: "_Mark") -> float:
        """Seconds from `other` to here."""
        if self._event and other._event:
            return float(other._event.elapsed_time(self._event)) / 1000
        return self.wall - other.wall


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _room(place: torch.device) -> Verdict:
    used, most = torch.cuda.memory_allocated(place), torch.cuda.max_memory_allocated(place)
    return room_for_graphs(most - used, room(place) or 0)


def shape(step: Step) -> Shape:
    """What makes one step need another graph, or other kernels, than the next."""
    return step.bucket.width, step.bucket.height, len(step.sights)


def no_graphs(studio: "Studio") -> str:
    """Why this training cannot be captured in CUDA graphs; empty where it can."""
    if studio.device.place.type != "cuda":
        return _("CUDA graphs need an NVIDIA GPU")
    if not studio.ranks.alone:
        return _("several GPUs exchange their gradients in the middle of each step")
    if studio.device.scaled:
        return _("the loss of fp16 is scaled anew after each step, which a CUDA graph cannot do")
    if studio.frozen.plan.text_encoders:
        return _("the text encoders are trained too, and their part of a step is not in CUDA graphs")
    return ""
