"""The wizard's start: what the terminal can do first, then Textual, which reads its settings when it is imported."""

import os
import sys
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from core import paths, preferences
from core.errors import BocetoError
from core.language import _
from core.project import Project, begin, place_of
from tui import terminal
from tui.cli import EXIT_ERROR, EXIT_USAGE, tell
from tui.work import Work, opened


def start(options: Namespace) -> int:
    """Open the wizard in this terminal."""
    if options.plain:
        return _plain(options.target)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        tell(
            BocetoError(
                _("The wizard needs a terminal, and there is none here."),
                hint=_(
                    "Without one: `boceto new`, `boceto check`, `boceto train`, `boceto ls`, `boceto attach`, "
                    "`boceto stop`, `boceto logs`; most understand --json. `boceto --plain` asks line by line."
                ),
            )
        )
        return EXIT_USAGE
    if terminal.is_dumb():
        print(_("This terminal cannot show screens (TERM={term}), so Boceto asks line by line.").format(
            term=os.environ.get("TERM", "")))  # fmt: skip
        return _plain(options.target)
    work, at = begun(options.target)
    chosen = preferences.load()
    if options.theme:
        chosen = replace(chosen, theme=options.theme)
    found = terminal.look(ascii=options.ascii, no_color=options.no_color, images=options.images or chosen.pictures)
    terminal.prepare(found)
    log = paths.logs() / "screen.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with terminal.guarded(log):
        from tui.app import BocetoApp

        app = BocetoApp(found, work, at, chosen)
        status = app.run(mouse=not options.no_mouse)
    if status is None and app.return_code:
        tell(
            BocetoError(
                _("The wizard ended by an error that Boceto does not know."),
                _("The whole story is at the end of {log}.").format(log=paths.shown(log)),
                _("Your answers are kept, and a training that runs goes on: `boceto` opens it again."),
            )
        )
        return EXIT_ERROR
    return status or 0


def begun(target: str) -> tuple[Work, str]:
    """The work and the screen to begin with: a project where one was, a folder of drawings as a new one."""
    if not target:
        return Work(project=Project(name="")), "welcome"
    place = place_of(target)
    if place.file.is_file():
        return opened(place)
    folder = Path(target).expanduser().absolute()
    if not folder.is_dir():
        raise BocetoError(
            _("There is no folder and no project called “{target}”.").format(target=target),
            hint=_("Give the folder your drawings are in. `boceto ls` shows the projects there are."),
        )
    with suppress(BocetoError):  # the screen says what is wrong with a name, and lets one choose another
        known, _project = begin(folder)
        if known.file.is_file():
            return opened(known)
    return Work(project=Project(name="", dataset=str(folder))), "folder"


def _plain(target: str) -> int:
    from tui.plain import ask

    return ask(target)
