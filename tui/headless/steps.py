"""`boceto steps`: the calculator."""

from argparse import Namespace

from rich.console import Console
from rich.text import Text

from core.language import _
from core.plan.frozen import freeze
from core.plan.steps import TARGET, count, obstacle, suggestions
from tui.headless.train import project_of


def steps(options: Namespace) -> int:
    """Print the guide's number, the real one, and choices that land in the target."""
    frozen = freeze(*project_of(options))
    plan = frozen.plan
    buckets, numbered = frozen.per_bucket
    reckoned = count(buckets, plan.repeats, plan.batch_size, plan.epochs, numbered, plan.gpus)
    lines = [reckoned.why, _("Each drawing is seen {seen} times.").format(seen=reckoned.seen)]
    if plan.held_out:
        lines.append(
            _("{held_out} of {drawings} drawings are held out, and are not counted.").format(
                held_out=plan.held_out, drawings=len(frozen.drawings)
            )
        )
    if reckoned.in_target:
        words = _("That is within the guide's {least} to {most} steps. Others that are:")
    else:
        words = _("The guide aims for {least} to {most} steps:")
    lines.append(words.format(least=TARGET.start, most=TARGET.stop - 1))
    for one in suggestions(buckets, plan.batch_size, (plan.repeats, plan.epochs), numbered, plan.gpus):
        if one.real != reckoned.real:
            flags = f"--repeats {one.repeats} --epochs {one.epochs} --batch-size {one.batch_size}"
            lines.append(_("  {flags}  → {real} steps").format(flags=flags, real=one.real))
    if why := obstacle(buckets, plan.whole_batch, numbered):
        lines.append(why)
    console = Console()
    for line in lines:
        console.print(Text(line))
    return 0
