"""The job that looks at drawings: `python -m core.taggers.job RUN`, whose plan is an `Order`."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Cancelled

from core import toml
from core.errors import Problem
from core.language import _
from core.runs.events import Event, Finished, Noted, Phase, Started, Stopped
from core.runs.job import Requests, carry_out
from core.runs.run import Run
from core.taggers import results
from core.taggers.find import Found
from core.taggers.order import Order
from core.taggers.tagger import Tagged, Tagger


def work(run: Run, requests: Requests) -> Iterator[Event]:
    """Let every tagger of the order look at what it has not seen yet; what is seen is kept at once."""
    yield from look(toml.load(run.plan_file, Order), requests)


def look(order: Order, requests: Requests) -> Iterator[Event]:
    """Carry out an order; ends with Finished, whose path is the folder of scores, or Stopped."""
    done, told = 0, set[str]()
    for number, found in enumerate(order.taggers):
        with results.opened(order.scores(found), found.fingerprint()) as scores:
            new = [drawing for drawing in order.drawings if not scores.has(drawing)]
            done += len(order.drawings) - len(new)
            tagger = opened(found) if new else None
            if number == 0:
                device = tagger.device if tagger else ""
                yield Started(pid=os.getpid(), host=socket.gethostname(), device=device, total=order.total, step=done)
            yield Phase(name="caption", done=done, total=order.total)
            cancelled = Cancelled()
            for seen in tagger.tag(new, cancelled) if tagger else ():
                scores.add(item for item in seen if isinstance(item, Tagged))
                done += len(seen)
                yield Phase(name="caption", done=done, total=order.total)
                for problem in (item for item in seen if isinstance(item, Problem)):
                    if problem.drawing not in told:  # the next tagger cannot open it either
                        told.add(problem.drawing)
                        yield Noted(message=_("“{name}”: {what}").format(name=problem.drawing, what=problem.message))
                if requests.stop:
                    cancelled.set()
            if cancelled.is_set() and done < order.total:
                yield Stopped(step=done, reason="asked")
                return
        tagger = None  # before the next one is loaded: two large models need not fit side by side
    yield Finished(step=done, path=str(order.folder))


def opened(found: Found) -> Tagger:
    """Load a tagger."""
    if found.kind == "tags" and found.tags:
        from core.taggers.wd import Wd

        return Wd.open(found.model, found.tags)
    from core.taggers.blip import Blip

    return Blip.open(found.model)


if __name__ == "__main__":
    sys.exit(carry_out(Path(sys.argv[1]), work))
