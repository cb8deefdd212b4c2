"""Captions that a command changes: shown, then written so that the wizard can take them back."""

import sys
from collections.abc import Mapping

import msgspec

from core.captions.desk import Desk
from core.captions.store import CaptionFile
from core.language import _, ngettext
from core.project import Place, Project
from tui.captioning import Changes
from tui.words import plain


def show(changes: Changes, json: bool) -> None:
    """Each caption as it is and as it would be."""
    for drawing, (before, after) in changes.items():
        if json:
            line = {"drawing": drawing, "before": before, "after": after}
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        else:
            print(plain(drawing))
            for sign, text in (("−", before), ("+", after)):
                if text.strip():
                    print(f"  {sign} {plain(text)}")


def make(name: str, changes: Changes, files: Mapping[str, CaptionFile], place: Place, project: Project) -> Changes:
    """Write the captions as one step called `name`. Returns those that are others now; why the rest is not is said.

    Raises BocetoError while another window is at the captions.
    """
    if not place.file.is_file():
        place.save(project)
    desk = Desk.open(place.journal, files)
    if desk.recovered.project(project) != project:  # what a wizard that was killed had no time to keep
        place.save(desk.recovered.project(place.load()))
    try:
        changed = desk.change(name, {drawing: after for drawing, (_before, after) in changes.items()})
    finally:
        settled = desk.close()
    refused = {**changed.refused, **settled.refused}
    outside = {*changed.outside, *settled.outside} - refused.keys()
    for drawing, error in refused.items():
        complain(f"{drawing}: {error.title} {error.hint}".rstrip())
    for drawing in sorted(outside):
        complain(_("{drawing}: another program has just changed this caption; it was left so.").format(drawing=drawing))
    return {drawing: pair for drawing, pair in changes.items() if drawing not in {*refused, *outside}}


def summary(count: int, dry_run: bool) -> str:
    """How many captions are others now, or would be."""
    if not count:
        return _("No caption changes.")
    if dry_run:
        words = ngettext("{n} caption would change.", "{n} captions would change.", count)
    else:
        words = ngettext(
            "{n} caption is written. In the wizard, z takes it back.",
            "{n} captions are written. In the wizard, z takes them back.",
            count,
        )
    return words.format(n=count)


def complain(words: str) -> None:
    """Say what could not be done, where it does not get among the results."""
    sys.stderr.write(f"! {plain(words)}\n")
