"""`boceto new`: the answers of the wizard as flags, kept for later."""

from argparse import Namespace

from core.language import _
from tui.headless.train import project_of
from tui.words import plain


def new(options: Namespace) -> int:
    """Save a project."""
    place, project = project_of(options)
    place.save(project)
    print(plain(_("The project is {file}.").format(file=place.file)))
    print(plain(_("Open it with `boceto {name}`, train it with `boceto train {name}`.").format(name=place.folder.name)))
    return 0
