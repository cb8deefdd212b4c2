"""Make the tagger in the box from nothing; `--help` says how."""

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from core.bases.mini.making import art, command
from core.bases.mini.making.art import Art
from core.errors import BocetoError
from core.files import write_bytes
from core.language import _
from core.paths import cache

if TYPE_CHECKING:
    from core.taggers.mini.making.measure import Tested
    from core.taggers.mini.making.vocabulary import Vocabulary

log = logging.getLogger("core.taggers.mini.making")

_DRAWINGS = Path(art.__file__).parents[1] / "drawings"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the making as the command line asks; give the exit status."""
    options = _options(arguments)
    with command.heard(log, logging.getLogger("core.bases.mini.making")):
        try:
            command.refuse_full(options.out, _("A tagger is never written over another."))
            found = [one for one in art.listed(art.fetch(options.work)) if one.group]
            with command.becoming(options.out) as unfinished:
                _make(options, found, unfinished)
                shutil.copyfile(Path(__file__).parents[1] / "LICENSES.md", unfinished / "LICENSES.md")
            log.info(_("All of it is in {folder}.").format(folder=options.out))
        except BocetoError as error:
            log.error(error)
            return 1
    return 0


def _make(options: argparse.Namespace, found: list[Art], folder: Path) -> None:
    import torch

    from core.bases.mini.making.pace import Pace
    from core.taggers.mini.making import calibration, export, learning, measure, network, pictures
    from core.taggers.mini.making.vocabulary import NAMES, Vocabulary

    torch.set_num_threads(options.threads)
    vocabulary = Vocabulary.of(found)
    lessons = learning.lessons(found, art.pixels(found, options.work, pictures.SIDE, pictures.DRAWN), vocabulary)
    school, apart, unseen = (
        lessons.some([chosen(one) for one in found])
        for chosen in (pictures.learnt, pictures.kept_apart, lambda one: one.style == pictures.HELD_OUT)
    )
    log.info(
        _("{count} drawings teach {tags} tags; {held} of “{style}” are held out.").format(
            count=len(school.names), tags=len(vocabulary.tags), held=len(unseen.names), style=pictures.HELD_OUT
        )
    )
    began = monotonic()
    new = network.new(learning.rarity(school), len(vocabulary.columns(NAMES)), options.seed)
    pace = Pace(options.steps, options.minutes * 60)
    losses, shown = learning.train(new, school, vocabulary, pace, seed=options.seed, batch=options.batch)
    taken = monotonic() - began
    shifts = calibration.shifts(*learning.scored(new, apart, vocabulary), vocabulary)
    calibration.shift(new, shifts, vocabulary)
    report: dict[str, Any] = {
        "seed": options.seed,
        **command.progress(losses, taken),
        "pictures": {"learnt": len(school.names), "kept_apart": len(apart.names), "held_out": len(unseen.names)},
        "tags": {group: len(vocabulary.columns(group)) for group in dict.fromkeys(vocabulary.groups)},
        "shifts": shifts,
        "bytes": export.save(new, vocabulary, shown, folder),
    }
    # What is written is measured, not what was learnt: its weights are rounded.
    varied = torch.Generator().manual_seed(options.seed + 1)
    report["measured"] = {
        "held_out": _told(
            _("Held out: “{style}”, as it is").format(style=pictures.HELD_OUT),
            measure.of_lessons(folder, unseen, vocabulary),
            vocabulary,
        ),
        "held_out_varied": _told(
            _("Held out: “{style}”, varied as in training").format(style=pictures.HELD_OUT),
            measure.of_lessons(folder, unseen, vocabulary, varied),
            vocabulary,
        ),
        "held_out_outlined": _told(
            _("Held out: “{style}”, redrawn as outlines").format(style=pictures.HELD_OUT),
            measure.of_lessons(folder, unseen, vocabulary, varied, outlined=True),
            vocabulary,
        ),
        "in_the_box": _told(
            _("Seen in training: the outline drawings in the box"),
            measure.of_files(folder, *measure.in_the_box(found, _DRAWINGS, vocabulary)),
            vocabulary,
        ),
    }
    write_bytes(folder / "making.json", msgspec.json.format(msgspec.json.encode(report)) + b"\n")


def _told(title: str, tested: "Tested", vocabulary: "Vocabulary") -> dict[str, Any]:
    """Say what was measured, and give it for the report."""
    from core.taggers.mini.making import measure

    scores, truth, names = tested
    found = measure.at_all(scores, truth, vocabulary)
    own = {threshold: measure.named(scores, names, threshold) for threshold in found}
    log.info("\n%s\n%s\n%s", title, measure.table(found), measure.sentence(own))
    return {
        str(threshold): {"own_name": own[threshold], "figures": msgspec.to_builtins(by_group)}
        for threshold, by_group in found.items()
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m core.taggers.mini.making", description=_("Make the tagger in the box from nothing.")
    )
    parser.add_argument("--out", type=Path, required=True, help=_("a new folder for what is made"))
    parser.add_argument(
        "--work", type=Path, default=cache() / "making", help=_("where the fetched art is kept (default: %(default)s)")
    )
    parser.add_argument("--steps", type=command.positive, default=20000, help=_("of learning (default: %(default)s)"))
    parser.add_argument(
        "--minutes",
        type=command.minutes,
        default=float("inf"),
        help=_("end the training in time, at the cost that it cannot be repeated exactly"),
    )
    parser.add_argument("--batch", type=command.positive, default=32, help=_("pictures a step (default: %(default)s)"))
    parser.add_argument(
        "--threads", type=command.positive, default=1, help=_("CPU cores to use (default: %(default)s)")
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
