"""What a training leaves behind, written on a thread of its own while the device goes on."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from core.runs.events import Event

T = TypeVar("T")
Work = Callable[[], Iterable[Event]]
"""Writes something, and tells what is there now."""
_MOST = 8
"""Works under way, some two ends of an epoch: what each holds must not fill the memory when the disk is slow."""
_PINNED = 2**30
"""Bytes that are copied to pinned memory: torch rounds each tensor up to a power of two there, and keeps it. More, as
of Prodigy at rank 64, is waited for, some 0.5 s a minute."""


class Writer:
    """Does its work in the order in which it was given; nothing more once something went wrong."""

    def __init__(self) -> None:
        # With a team of its own there would be more threads than cores: OpenMP then lets none of them wait awake, and
        # each step on a CPU takes twice as long. The training's own team stays as it is.
        self._thread = ThreadPoolExecutor(1, "writer", torch.set_num_threads, (1,))
        self._waiting: deque[tuple[Work, bool]] = deque()
        self._under_way: deque[Future[list[Event]]] = deque()
        self._failed = False

    def add(self, work: Work, once_told: bool = False) -> Iterator[Event]:
        """Have `work` done soon; perhaps only `once_told` of all before it. Tells what was written since."""
        self._waiting.append((work, once_told))
        yield from self.events()

    def events(self, most: int = _MOST) -> Iterator[Event]:
        """What was written since; waits until no more than so many works are left. Raises what went wrong."""
        self._hand_over()
        while self._under_way and (len(self._waiting) + len(self._under_way) > most or self._under_way[0].done()):
            yield from self._under_way.popleft().result()
            self._hand_over()

    def finish(self) -> Iterator[Event]:
        """The same, when all is written."""
        yield from self.events(most=0)

    def _hand_over(self) -> None:
        while self._waiting and not (self._waiting[0][1] and self._under_way):
            work, _once_told = self._waiting.popleft()
            self._under_way.append(self._thread.submit(self._done, work))

    def _done(self, work: Work) -> list[Event]:
        if self._failed:
            return []
        try:
            return list(work())
        except BaseException:
            self._failed = True
            raise


class Snapshot(Generic[T]):
    """Tensors in dicts, lists and tuples as they are now, on their way to main memory; no later step changes them."""

    def __init__(self, held: T) -> None:
        pinned = torch.cuda.is_available() and _size(held) <= _PINNED
        self._held: T = _copied(held, pinned)
        self._there: Any = None
        if pinned:
            self._there = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._there.record()

    def take(self) -> T:
        """The copies, once they have arrived."""
        if self._there:
            self._there.synchronize()
        return self._held


def _copied(held: Any, pinned: bool) -> Any:
    match held:
        case Tensor():
            # Into pinned memory the device copies when it comes to that, and the CPU goes on at once.
            pin = pinned and held.is_cuda
            return torch.empty_like(held.detach(), device="cpu", pin_memory=pin).copy_(held.detach(), non_blocking=pin)
        case dict():
            return {name: _copied(value, pinned) for name, value in held.items()}
        case list() | tuple():
            return type(held)(_copied(value, pinned) for value in held)
        case _:
            return held


def _size(held: Any) -> int:
    """Bytes on a GPU."""
    match held:
        case Tensor():
            return held.nbytes if held.is_cuda else 0
        case dict():
            return sum(map(_size, held.values()))
        case list() | tuple():
            return sum(map(_size, held))
        case _:
            return 0
