"""The processes of one training, one a GPU: which of them this is, what they agree on, and their common step.

Every process holds the whole LoRA. In each step it looks at its part of the pictures; one all-reduce makes the
gradients and the loss of the whole step of all parts, so that all move their weights alike. What is decided (stop) is
decided by the first; so is everything that is written.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.errors import BocetoError
from core.language import _
from core.runs import events, processes
from core.runs.events import Failed
from core.runs.job import EXIT_FAILED, failure, give_up
from core.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor

    from core.training.network import Network

_PATIENCE = timedelta(days=30)
"""How long one waits for the word of the first: it may be paused. That it has died shows in the connection at once."""
_GATHERING = 600.0
"""Seconds in which all processes must have come: each loads its libraries first, from a slow disk perhaps."""
_LEAVING = (20.0, 5.0)
"""The same once this one was told to end: the first, whom a person may have told, and another, whom torchrun tells."""
_LOOK_EVERY = 1.0
"""Seconds between two looks whether another has failed."""
_GRACE = 10.0
"""Seconds to end by itself when another has failed: a device that waits for it in vain never does."""
_FAILED, _HERE = "boceto/failed", "boceto/here"


@dataclass(frozen=True)
class Ranks:
    """This process among those of its training."""

    rank: int = 0
    world: int = 1
    words: Any = None
    """The group that talks through main memory (gloo), so that no one waits for a device."""

    @property
    def alone(self) -> bool:
        """Whether there is no other."""
        return self.world == 1

    def part(self, count: int) -> slice:
        """Which of the `count` pictures of a step are this process's; one at least, whose weight is then 0."""
        return slice(self.rank, None, self.world) if self.rank < count else slice(0, 1)

    def weight(self, count: int) -> float:
        """0 where none of the `count` pictures is this process's own, else 1."""
        return float(self.rank < count)

    def tell(self, number: int) -> int:
        """The number that the first process says here; it comes to all. Raises BocetoError when another is gone."""
        if self.alone:
            return number
        import torch
        from torch import distributed

        said = torch.tensor([number])
        with _all_there():
            distributed.broadcast(said, 0, group=self.words)
        return int(said)

    def agree(self, decided: bool) -> bool:
        """What the first process has decided."""
        return bool(self.tell(int(decided)))

    def least(self, number: int | None) -> int | None:
        """The least of the numbers that all processes have here; all have one, or none has."""
        if self.alone or number is None:
            return number
        import torch
        from torch import distributed

        found = torch.tensor([number])
        with _all_there():
            distributed.all_reduce(found, distributed.ReduceOp.MIN, group=self.words)
        return int(found)

    def meet(self) -> None:
        """Wait until all are here. Raises BocetoError when another is gone."""
        if self.alone:
            return
        from torch import distributed

        with _all_there():
            distributed.barrier(group=self.words)

    def add_up(self, network: "Network", loss: "Tensor") -> "Tensor":
        """Make of the parts' gradients and losses those of the whole step. Returns that loss, without a gradient."""
        loss = loss.detach()
        if self.alone:
            return loss
        from torch import distributed

        network.gradients[-1] = loss
        with _all_there():
            distributed.all_reduce(network.gradients)
        return network.gradients[-1].clone()


ALONE = Ranks()


def several() -> bool:
    """Whether this is one of several."""
    return _world() > 1


def number() -> int:
    """Which of the processes this is, counted from 0."""
    return int(os.environ.get("RANK", "0")) if several() else 0


@contextmanager
def joined(wanted: int, run: Run, told_to_end: Callable[[], bool]) -> Iterator[Ranks]:
    """Be one of the `wanted` processes that torchrun has started, with a device of its own, until all are done.

    Raises BocetoError when there are more or fewer, when there are fewer GPUs, and, in the first process, in the words
    of whichever failed first.
    """
    world, rank = _world(), number()
    if world != wanted:
        raise BocetoError(
            _("The run was planned for {wanted} GPUs, and there are {world} processes.").format(
                wanted=wanted, world=world
            ),
            _("One process for each GPU is started by torchrun."),
            _("Start it with `boceto resume {run}`, or on several machines with the line that --nodes prints.").format(
                run=run.folder
            ),
        )
    if world == 1:
        yield ALONE
        return
    import torch
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    # torchrun's own store under its own prefix: nothing in it is of an earlier job.
    store, _rank, _size = next(rendezvous("env://", timeout=timedelta(seconds=_GATHERING)))
    ended = threading.Event()
    end = _end_of(rank, run)
    watch = threading.Thread(target=_watch, args=(store.clone(), ended, end), name="ranks", daemon=True)
    try:
        on_gpus = _own_device()
        _gather(store, world, rank, told_to_end)
        watch.start()
        if on_gpus:
            distributed.init_process_group("nccl", store=store, rank=rank, world_size=world)
            words = distributed.new_group(backend="gloo", timeout=_PATIENCE)
            # What NCCL takes for itself it takes now, before anyone asks how much memory is left.
            distributed.all_reduce(torch.zeros(1, device="cuda"))
            torch.cuda.synchronize()
        else:
            distributed.init_process_group("gloo", store=store, rank=rank, world_size=world, timeout=_PATIENCE)
            words = distributed.group.WORLD
        ours = Ranks(rank, world, words)
        yield ours
        # The first says goodbye: until then the others' devices may still be sending it what it waits for.
        with suppress(BocetoError):  # where it is the first itself, all is done, whoever has died since
            ours.tell(0)
            distributed.destroy_process_group()
    except BaseException as error:
        first = _first_failure(store, failure(error, run))
        if rank == 0 and isinstance(error, Exception) and first != failure(error, run):
            raise BocetoError(first.title, first.detail, first.hint) from error
        raise
    finally:
        ended.set()


def _world() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _own_device() -> bool:
    """Take the GPU of this process's own number on this machine. Returns whether there are GPUs."""
    import torch

    if not torch.cuda.is_available():
        return False
    here, present = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if present < here:
        raise processes.too_few(here, present)
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return True


def _gather(store: Any, world: int, rank: int, told_to_end: Callable[[], bool]) -> None:
    """Wait until all have come this far, without being deaf to signals as the group in its making is."""
    store.add(_HERE, 1)
    until = time.monotonic() + _GATHERING
    while store.add(_HERE, 0) < world:
        if told_to_end():
            until = min(until, time.monotonic() + _LEAVING[rank > 0])
        if store.check([_FAILED]) or time.monotonic() >= until:
            raise _gone(_("Not all of them have come."))
        time.sleep(0.05)


@contextmanager
def _all_there() -> Iterator[None]:
    """Say in words what a broken connection means."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        # “[…/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:24978. This is typically …”
        raise _gone(re.sub(r"^\[[^]]*\] ", "", str(error).splitlines()[0]).partition(". ")[0] + ".") from error


def _gone(detail: str) -> BocetoError:
    return BocetoError(
        _("Another process of this training is gone."),
        detail,
        _("The log says more of it. `boceto resume` goes on from the last checkpoint."),
    )


def _first_failure(store: Any, own: Failed) -> Failed:
    """Tell the others of a failure. Returns the one that was told first."""
    try:
        # Set only where nothing is set yet.
        found = events.decode(store.compare_set(_FAILED, "", events.encode(own).decode()))
    except (RuntimeError, ValueError):  # torchrun itself is gone
        return own
    return found if isinstance(found, Failed) else own


def _watch(store: Any, ended: threading.Event, end: Callable[[Failed], None]) -> None:
    """End this process when another has failed and it cannot notice: its device waits for what never comes."""
    with suppress(RuntimeError):  # torchrun is gone: nobody can say anything any more
        while not ended.wait(_LOOK_EVERY):
            if store.check([_FAILED]):
                found = events.decode(store.get(_FAILED))
                if not ended.wait(_GRACE) and isinstance(found, Failed):
                    end(found)
                return


def _end_of(rank: int, run: Run) -> Callable[[Failed], None]:
    def end(first: Failed) -> None:
        if rank == 0:
            give_up(run, first)
        logging.error("%s", first.title)
        os._exit(EXIT_FAILED)

    return end
