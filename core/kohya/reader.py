"""A plan in the making from the words of another tool."""

from typing import Any

import msgspec

from core.errors import Problem, Severity
from core.kohya.said import Said
from core.language import _
from core.settings import Plan, choices


class Reader:
    """A plan in the making, and what could not be taken into it."""

    def __init__(self, said: Said) -> None:
        self.said = said
        self.choices: dict[str, Any] = {}
        self.problems: list[Problem] = []

    def take(self, field: str, value: Any, key: str) -> None:
        """Make a choice, if it is one that a plan can hold; None is no choice."""
        if value is None:
            return
        try:
            str(value).encode()  # half a character is in no file that could keep it
            whole = msgspec.convert({field: value}, Plan, strict=False)
        except (msgspec.ValidationError, ValueError):
            message = _("“{key}” is {value}, which Boceto does not take.").format(key=key, value=brief(value))
            self.tell("limits", message, _limits(field))
            return
        self.choices[field] = getattr(whole, field)

    def tell(self, code: str, message: str, remedy: str = "", severity: Severity = Severity.WARNING) -> None:
        """Say what could not be taken over as it was."""
        self.problems.append(Problem(severity, "", code, message, remedy))

    def note(self, code: str, message: str, remedy: str = "") -> None:
        """Say what is good to know."""
        self.tell(code, message, remedy, Severity.NOTE)


def brief(value: Any) -> str:
    """A value in a sentence, whatever it is."""
    text = " ".join(str(value).split()).encode("utf-8", "replace").decode()
    return text if len(text) <= 60 else text[:57] + "…"


def _limits(field: str) -> str:
    flag = "--" + field.replace("_", "-")
    choice = next(choice for choice in choices(Plan) if choice.name == field)
    if choice.least is None or choice.most is None:
        return _("It stays as it was; choose a value with {flag}.").format(flag=flag)
    return _("It stays as it was; choose a value from {least:g} to {most:g} with {flag}.").format(
        least=choice.least, most=choice.most, flag=flag
    )
