"""Typed records as TOML, read strictly and with errors that name the place."""

import tomllib
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import tomli_w
from msgspec import Struct

from core.errors import BocetoError
from core.files import unreadable, write_text
from core.language import _

Record = TypeVar("Record", bound=Struct)


def dump(record: Struct) -> str:
    """`record` as TOML; a field that is None is left out, as TOML has no word for it."""
    return tomli_w.dumps(_without_none(msgspec.to_builtins(record, enc_hook=_encode)), multiline_strings=False)


def save(path: Path, record: Struct) -> None:
    """Replace `path` by `record`, whole or not at all."""
    write_text(path, dump(record))


def load(path: Path, kind: type[Record]) -> Record:
    """Read a record. Raises BocetoError for a file that is missing, broken, or has unknown or wrong fields."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), kind, strict=True, dec_hook=_decode)
    except FileNotFoundError as error:
        raise BocetoError(_("“{path}” does not exist.").format(path=path)) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise unreadable(
            path, error, _("Correct the file by hand, or move it away and answer the questions again.")
        ) from error


def head(path: Path) -> dict[str, Any]:
    """What stands before the first list of tables, at once even for 10,000 drawings; none when it cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            return tomllib.loads("".join(takewhile(lambda line: not line.startswith("[["), file)))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _encode(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(value)


def _decode(kind: type, value: Any) -> Any:
    return kind(value) if issubclass(kind, Path) else value


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
