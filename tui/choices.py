"""Choosing: a plan with other values, the limits of each, and how values are written."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from core.errors import BocetoError
from core.language import _
from core.settings import Choice, Plan, choices
from tui.labels import label


def with_choices(plan: Plan, chosen: Mapping[str, Any], called: Callable[[str], str] = label, hint: str = "") -> Plan:
    """`plan` with other choices. Raises BocetoError when one is outside its limits; `called` names the field."""
    try:
        return msgspec.convert({**msgspec.structs.asdict(plan), **chosen}, Plan)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("`$.")[2].rstrip("`").partition("[")[0]
        title = _("A choice of the plan is not possible: {field}.").format(field=called(name))
        raise BocetoError(title, _out_of_limits(name, chosen.get(name)) or str(error), hint) from error


def _out_of_limits(name: str, value: Any) -> str:
    choice = next((choice for choice in choices(Plan) if choice.name == name), None)
    if choice is None or choice.least is None:
        return ""
    least, given = written(choice.least), written(value)
    if choice.most is None or value == choice.least:
        return _("It is {value}, and must be more than {least}.").format(value=given, least=least)
    return _("It is {value}, and must be from {least} to {most}.").format(
        value=given, least=least, most=written(choice.most)
    )


def limits(choice: Choice) -> str:
    """From where to where a number may go."""
    if choice.least is None:
        return ""
    if choice.most is None:
        return _("more than {least}").format(least=written(choice.least))
    return _("{least} to {most}").format(least=written(choice.least), most=written(choice.most))


def written(value: Any) -> str:
    """A value of a plan as people read and type it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return (" | " if value and isinstance(value[0], str) else ", ").join(written(one) for one in value)
    return str(value)
