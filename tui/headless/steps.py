"""`boceto steps`: the calculator."""

from argparse import Namespace
from collections import Counter

from rich.console import Console
from rich.text import Text

from core.bases import find
from core.language import _
from core.plan.frozen import settle, survey
from core.plan.steps import TARGET, count, obstacle, suggestions
from tui.headless.train import project_of


def steps(options: Namespace) -> int:
    """Print the guide's number, the real one, and choices that land in the target."""
    place, project = project_of(options)
    base = find.resolve(project.base)
    seen = survey(place, project, base)
    usable = seen.usable(project)
    plan, _reasons = settle(project.plan, project.kind, base, len(usable))
    buckets = list(Counter(seen.placements[index].bucket for index in usable).values())
    console = Console()
    reckoned = count(buckets, plan.repeats, plan.batch_size, plan.epochs)
    console.print(Text(reckoned.why))
    console.print(Text(_("Each drawing is seen {seen} times.").format(seen=reckoned.seen)))
    if plan.held_out:
        console.print(
            Text(
                _("{held_out} drawings are held out, so the training itself is a little shorter.").format(
                    held_out=plan.held_out
                )
            )
        )
    console.print(
        Text(
            _("That is within the guide's {least} to {most} steps.").format(least=TARGET.start, most=TARGET.stop - 1)
            if reckoned.in_target
            else _("The guide aims for {least} to {most} steps:").format(least=TARGET.start, most=TARGET.stop - 1)
        )
    )
    if not reckoned.in_target:
        for one in suggestions(buckets, plan.batch_size, (plan.repeats, plan.epochs)):
            line = f"  --repeats {one.repeats} --epochs {one.epochs} --batch-size {one.batch_size}   → {one.real}"
            console.print(Text(line))
        if why := obstacle(buckets, plan.batch_size):
            console.print(Text(why))
    return 0
