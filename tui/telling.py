"""A run's events and phases in a few words."""

from pathlib import Path

from core.language import _, ngettext
from core.runs import events
from core.runs.events import Event
from tui.headless.progress import sentence


def line(event: Event) -> str:
    """An event in the log: names of files without the folder, which is always the same."""
    match event:
        case events.Chosen():
            return ""  # the review has shown them
        case events.Saved(path=path):
            return _("Saved {path}").format(path=Path(path).name)
        case events.Previewed(paths=several):
            return ngettext("{n} preview", "{n} previews", len(several)).format(n=len(several))
        case events.Finished(path=path):
            return _("Finished: {path}").format(path=Path(path).name)
        case _:
            return sentence(event)


def phase_word(phase: str) -> str:
    """A phase in a word, as all of them stand in one line."""
    return {
        "load": _("loading"),
        "captions": _("captions"),
        "drawings": _("drawings"),
        "prior": _("base's pictures"),
        "probe": _("memory"),
        "train": _("training"),
        "preview": _("preview"),
        "save": _("saving"),
    }.get(phase, phase)
