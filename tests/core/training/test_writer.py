"""Files are written beside the training, in their order, and what goes wrong with one is not passed over."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from core.runs.events import Checkpointed, Event
from core.training.writer import Snapshot, Writer


def telling(step: int, before: Callable[[], object] = lambda: None) -> Callable[[], Iterator[Event]]:
    def work() -> Iterator[Event]:
        before()
        yield Checkpointed(step=step)

    return work


def test_nobody_waits_for_a_file_and_all_are_told_in_their_order() -> None:
    writer, may = Writer(), threading.Event()
    assert not list(writer.add(telling(1, may.wait)))
    assert not list(writer.add(telling(2)))
    assert not list(writer.events()), "the first is still being written"
    may.set()
    assert list(writer.finish()) == [Checkpointed(step=1), Checkpointed(step=2)]


def test_after_a_failure_nothing_more_is_written() -> None:
    writer, done = Writer(), []
    may = threading.Event()

    def fail() -> None:
        may.wait()
        raise OSError("disk full")

    told = [*writer.add(telling(1)), *writer.add(telling(2, fail)), *writer.add(telling(3, lambda: done.append(3)))]
    may.set()
    with pytest.raises(OSError, match="disk full"):
        for event in writer.finish():
            told.append(event)  # noqa: PERF402  # what came before the failure counts too
    assert told == [Checkpointed(step=1)]
    assert not list(writer.finish())
    assert not done, "a checkpoint would say that all before it was written"


def test_a_checkpoint_is_written_once_all_before_it_is_told() -> None:
    writer, begun = Writer(), threading.Event()
    may = threading.Event()
    list(writer.add(telling(1, may.wait)))
    list(writer.add(telling(2, begun.set), once_told=True))
    list(writer.add(telling(3)))
    may.set()
    told = writer.finish()
    assert next(told) == Checkpointed(step=1)
    assert not begun.wait(0.1), "its event could still be lost"
    assert list(told) == [Checkpointed(step=2), Checkpointed(step=3)]


def test_a_slow_disk_is_waited_for_before_memory_fills() -> None:
    writer, may, begun = Writer(), threading.Event(), []
    for step in range(8):
        list(writer.add(telling(step, may.wait)))
    thread = threading.Thread(target=lambda: begun.extend(writer.add(telling(8))))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    may.set()
    thread.join()
    assert Checkpointed(step=0) in begun
    assert [*begun, *writer.finish()] == [Checkpointed(step=step) for step in range(9)]


def test_it_leaves_the_threads_to_the_training() -> None:
    """More threads than cores make every step on a CPU twice as long."""
    before, threads = torch.get_num_threads(), []
    try:
        torch.set_num_threads(2)
        writer = Writer()
        list(writer.add(telling(1, lambda: threads.append(torch.get_num_threads()))))
        list(writer.finish())
        assert threads == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_snapshot_is_of_now() -> None:
    weights, count = torch.arange(4.0), torch.tensor(3)
    now = Snapshot({"weights": weights[:2], "state": [(count, 0.5)]})
    weights += 1
    count += 1
    held = now.take()
    assert held["weights"].tolist() == [0, 1]
    assert held["state"][0][0] == 3
    assert held["state"][0][1] == 0.5
