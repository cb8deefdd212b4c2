"""The job that downloads: `python -m core.hub.job RUN`, whose plan is an `Order`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from core import toml
from core.runs.events import Event
from core.runs.job import Requests, carry_out
from core.runs.run import Run


def work(run: Run, requests: Requests) -> Iterator[Event]:
    """Fetch every file of the order that is not here yet."""
    from core.hub.download import download
    from core.hub.order import Order

    yield from download(toml.load(run.plan_file, Order), requests)


if __name__ == "__main__":
    sys.exit(carry_out(Path(sys.argv[1]), work))
