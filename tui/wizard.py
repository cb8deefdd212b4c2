"""The order of the screens."""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from core.errors import BocetoError
from core.language import _
from tui.work import Work

if TYPE_CHECKING:
    from tui.screens.step import StepScreen

ORDER = ("welcome", "folder", "drawings", "captions", "base", "steps", "optimizer", "review", "training", "result")
END = ""


class Asker(Protocol):
    """Whoever shows a screen."""

    def show_error(self, error: BocetoError) -> None:
        """Say what went wrong."""
        ...

    async def ask(self, screen: "StepScreen") -> tuple[Work, str]:
        """Show a screen until it is answered: the work as it then is, and the screen to show next."""
        ...


async def wizard(app: Asker, work: Work, at: str) -> None:
    """Show one screen after the other; each writes its answers down when it is left."""
    while at != END:
        try:
            shown = screen(at, work)
        except BocetoError as error:  # what it needs cannot be read
            app.show_error(error)
            at = "review" if at in ("training", "result") else before(at)
            continue
        work, at = await app.ask(shown)


def screen(at: str, work: Work) -> "StepScreen":
    """The screen of this name. It is loaded now, so that the first one need not wait for all."""
    made: StepScreen = import_module(f"tui.screens.{at}").SCREEN(work)
    return made


def title(at: str) -> str:
    """A screen's name as people read it."""
    return {
        "welcome": _("Welcome"),
        "folder": _("Folder"),
        "drawings": _("Drawings"),
        "captions": _("Captions"),
        "base": _("Base"),
        "steps": _("Steps"),
        "optimizer": _("Optimizer"),
        "review": _("Review"),
        "training": _("Training"),
        "result": _("Result"),
    }[at]


def before(at: str) -> str:
    """The screen that comes before."""
    return ORDER[max(0, ORDER.index(at) - 1)]


def after(at: str) -> str:
    """The screen that comes next."""
    return ORDER[min(len(ORDER) - 1, ORDER.index(at) + 1)]
