"""What the commands that make a model share: their numbers, their progress, and a folder whole or not at all."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import BocetoError
from core.language import _


@contextmanager
def heard(*logs: logging.Logger) -> Iterator[None]:
    """Meanwhile all that these say stands in the terminal, with the time of day."""
    progress = logging.StreamHandler(sys.stderr)
    progress.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    for log in logs:
        log.setLevel(logging.INFO)
        log.addHandler(progress)
    try:
        yield
    finally:
        for log in logs:
            log.removeHandler(progress)


def refuse_full(out: Path, why: str) -> None:
    """Raise BocetoError when something lies in the folder that is to be made."""
    if out.exists() and any(out.iterdir()):
        raise BocetoError(_("“{folder}” is not empty.").format(folder=out), why, _("Name a new folder with --out."))


@contextmanager
def becoming(out: Path) -> Iterator[Path]:
    """Give a folder to fill, which becomes `out` when all went well and is gone otherwise."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as temporary:
        unfinished = Path(temporary) / "unfinished"
        unfinished.mkdir()
        yield unfinished
        if out.exists():
            out.rmdir()
        unfinished.rename(out)


def progress(losses: Sequence[float], seconds: float) -> dict[str, Any]:
    """How a training went, for the report: the mean losses of its first and of its last tenth."""
    tenth = max(1, len(losses) // 10)
    first, last = (sum(part) / tenth for part in (losses[:tenth], losses[-tenth:]))
    return {"steps": len(losses), "seconds": round(seconds), "loss_first_tenth": first, "loss_last_tenth": last}


def positive(text: str) -> int:
    """An argument above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(_("“{text}” is not a whole number above 0.").format(text=text))
    return int(text)


def minutes(text: str) -> float:
    """An argument above 0, whole or not."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise argparse.ArgumentTypeError(_("“{text}” is not a number above 0.").format(text=text))
    return number
