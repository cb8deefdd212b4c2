"""The command line that does the same as the wizard."""

from shlex import quote
from typing import Any

from core.project import Place, Project
from core.settings import Choice, Plan, choices


def command(place: Place, project: Project) -> str:
    """`boceto train …` with every answer that is not the default; treatments of drawings are in the project itself."""
    parts = ["boceto", "train", str(place.folder)]
    parts += ["--word", project.activation_word] if project.activation_word else []
    parts += ["--kind", project.kind, "--base", project.base]
    parts += ["--nested"] if project.nested else []
    for choice in choices(Plan):
        value = getattr(project.plan, choice.name)
        if value != choice.default:
            parts += _flag(choice, value)
    return " ".join(map(quote, parts))


def _flag(choice: Choice, value: Any) -> list[str]:
    name = "--" + choice.name.replace("_", "-")
    if choice.kind is bool:
        return [name if value else name.replace("--", "--no-", 1)]
    if choice.kind == "pair":
        return [name, *map(repr, value)]
    if choice.kind == "list":
        return [part for one in value for part in (name, one)]
    return [name, str(value)]
