"""A TOML file that people read: tables of keys, each with the reason above it."""

from collections.abc import Iterable
from textwrap import wrap
from typing import Any

import tomli_w
from msgspec import Struct

WIDTH = 100


class Row(Struct, frozen=True):
    """One key and why it has its value."""

    key: str
    value: Any
    why: str = ""


def comment(text: str, indent: str = "") -> str:
    """`text` as comment lines; nothing in it can end the comment, whatever it holds."""
    return "".join(f"{indent}# {line}\n" for part in text.splitlines() for line in wrap(_visible(part), WIDTH) or [""])


def table(header: str, rows: Iterable[Row], indent: str = "") -> str:
    """The lines of one table; a row that is None is left out, as TOML has no word for it."""
    lines = [f"{indent}{header}\n" if header else ""]
    for row in rows:
        if row.value is not None:
            lines.append(comment(row.why, indent) if row.why else "")
            lines += (f"{indent}{line}\n" for line in tomli_w.dumps({row.key: row.value}).rstrip("\n").split("\n"))
    return "".join(lines)


def _visible(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
