"""The job that makes pictures: `python -m core.pictures.job RUN`, whose plan is an `Order`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from core import toml
from core.runs.events import Event
from core.runs.job import Requests, carry_out
from core.runs.run import Run


def work(run: Run, requests: Requests) -> Iterator[Event]:
    """Make every picture of the order, row by row, then the contact sheet."""
    from core.pictures.draw import draw
    from core.pictures.order import Order

    yield from draw(toml.load(run.plan_file, Order), requests)


if __name__ == "__main__":
    sys.exit(carry_out(Path(sys.argv[1]), work))
