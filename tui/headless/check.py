"""`boceto check`: what is in a folder of drawings, and what is wrong with it."""

import sys
from argparse import Namespace
from collections import Counter

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.bases import find
from core.errors import Problem, Severity
from core.language import _
from core.plan.survey import Survey, survey
from tui.headless.train import project_of
from tui.words import plain

MARKS = {Severity.NOTE: "·", Severity.WARNING: "!", Severity.BLOCK: "✗", Severity.ERROR: "✗"}


def check(options: Namespace) -> int:
    """Show every drawing's bucket and problems. Returns 1 when none could be trained."""
    place, project = project_of(options)
    base = find.resolve(project.base)
    seen = survey(place, project, base)
    usable = seen.usable(project)
    if options.json:
        for line in _lines(seen):
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        return 0 if usable else 1
    console = Console()
    by_drawing: dict[str, list[Problem]] = {}
    for problem in seen.problems:
        by_drawing.setdefault(problem.drawing, []).append(problem)
    for name, problems in by_drawing.items():
        console.print(Text(plain(name) or _("The folder"), style="bold"))
        for problem in problems:
            console.print(Text(f"  {MARKS[problem.severity]} {plain(problem.message)} {plain(problem.remedy)}"))
    console.print(_buckets(seen, usable))
    console.print(
        Text(
            _("{usable} of {count} drawings can be trained on {base}.").format(
                usable=len(usable), count=len(seen.drawings), base=base.name
            )
        )
    )
    return 0 if usable else 1


def _buckets(seen: Survey, usable: list[int]) -> Table:
    counts = Counter((seen.placements[index].bucket.width, seen.placements[index].bucket.height) for index in usable)
    table = Table(box=None, pad_edge=False)
    table.add_column(_("bucket"))
    table.add_column(_("drawings"), justify="right")
    for (width, height), number in sorted(counts.items()):
        table.add_row(f"{width} × {height}", str(number))
    return table


def _lines(seen: Survey) -> list[dict[str, object]]:
    drawings: list[dict[str, object]] = [
        {
            "drawing": drawing.name,
            "width": drawing.width,
            "height": drawing.height,
            "bucket": [placement.bucket.width, placement.bucket.height],
            "enlargement": round(placement.enlargement, 3),
            "cropped": round(placement.cropped, 3),
        }
        for drawing, placement in zip(seen.drawings, seen.placements, strict=True)
    ]
    return drawings + [{"problem": problem} for problem in seen.problems]
