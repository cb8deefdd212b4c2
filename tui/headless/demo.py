"""`boceto demo`: the whole road on what is in the box."""

from argparse import Namespace
from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from core import demo as demonstration
from core import paths
from core.language import _
from core.pictures.style import Style
from core.plan.frozen import freeze
from core.plan.schedule import schedule
from core.plan.steps import count
from core.runs import events
from core.runs.launch import launch
from core.runs.run import Run
from tui.headless.progress import status_of, watch


def demo(options: Namespace) -> int:
    """Train on the drawings in the box, draw what they do not show, and say how much of the style is there."""
    folder = Path(options.folder).expanduser().absolute() if options.folder else paths.projects() / "demo"
    place, project = demonstration.begin(folder, options.optimizer, options.seed)
    frozen = freeze(place, project)
    console = Console(stderr=options.json)
    steps = len(schedule(frozen).steps)
    plan = frozen.plan
    reckoned = count([len(frozen.trained)], plan.repeats, plan.batch_size, plan.epochs)
    console.print(
        Text(
            _("{drawings} line drawings in {folder}, activation word “{word}”.").format(
                drawings=len(frozen.drawings), folder=place.dataset(project), word=project.activation_word
            )
        )
    )
    console.print(Text(reckoned.why))
    assert reckoned.real == steps
    run = Run.create(place.runs, frozen)
    launch(run)
    last = watch(run, options.json)
    if not isinstance(last, events.Finished):
        return status_of(last)

    order = demonstration.order(frozen, Path(last.path), place.folder / "pictures" / run.name)
    pictures = Run.create(place.folder / "pictures", order)
    launch(pictures, "core.pictures.job")
    drawn = watch(pictures, options.json)
    if not isinstance(drawn, events.Finished):
        return status_of(drawn)
    found = demonstration.figures(frozen, order)
    console.print(_table(found))
    console.print(
        Text(
            _(
                "With the word the pictures went {with_word:.0%} of the way from the base to the drawings, "
                "without it {without:.0%}."
            ).format(with_word=found.way_with_word.mean, without=found.way_without_word.mean)
        )
    )
    for line in (
        _("Contact sheet: {path}").format(path=order.sheet),
        _("LoRA: {path}").format(path=last.path),
        _('Draw more with it: boceto draw {path} "a rocket"').format(path=quote(last.path)),
        _("Train on your own drawings: boceto train FOLDER --word YOURWORD"),
    ):
        console.print(Text(line))
    if options.json:
        import sys

        import msgspec

        said = {
            "figures": found,
            "way_with_word": found.way_with_word.mean,
            "way_without_word": found.way_without_word.mean,
            "sheet": str(order.sheet),
            "lora": last.path,
        }
        sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
    return 0


def _table(found: demonstration.Figures) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", _("colour"), _("coloured"), _("paper")):
        table.add_column(heading, justify="right")
    for label, style in (
        (_("the base"), found.base),
        (_("LoRA without the word"), found.without_word),
        (_("LoRA with the word"), found.with_word),
        (_("the drawings"), found.drawings),
    ):
        table.add_row(label, *_cells(style))
    return table


def _cells(style: Style) -> tuple[str, str, str]:
    return f"{style.chroma:.3f}", f"{style.coloured:.3f}", f"{style.white:.3f}"
