"""Captions that other tools left in a dataset's folder, in files of their own shape."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from core.captions.caption import joined
from core.errors import Problem, Severity
from core.images.formats import EXTENSIONS
from core.language import _

Kind = Literal["caption", "jsonl", "json"]

METADATA = "metadata.jsonl"
_ENDING = ".caption"
_NAMES = ("file_name", "file", "image", "image_path", "path")
_TEXTS = ("text", "caption", "prompt", "additional_feature", "description", "captions", "tags")
"""Columns that hold the caption, the most usual first (Hugging Face, `imagefolder`; `train_text_to_image_lora.py`)."""
_LARGEST = 500_000_000
"""Bytes. No list of captions is as long."""
_LARGEST_CAPTION = 1_000_000


class Source(Struct, frozen=True):
    """Something that captions can be taken from."""

    kind: Kind
    path: Path
    """The file; for `.caption` files, the folder they lie in."""
    folder: Path
    """The dataset's folder."""
    count: int
    """How many captions it seems to hold; some may fit no drawing."""


def sources(folder: Path) -> list[Source]:
    """Everything in `folder` and below that captions can be taken from, the simplest kind first."""
    beside = 0
    tables: list[Source] = []
    for path in _files(folder):
        if path.suffix == _ENDING:
            beside += 1
        elif path.name == METADATA and (count := _lines(path)):
            tables.append(Source("jsonl", path, folder, count))
        elif path.suffix.lower() == ".json" and (count := len(_table(path))):
            tables.append(Source("json", path, folder, count))
    return [*([Source("caption", folder, folder, beside)] if beside else []), *tables]


def read(source: Source) -> Iterator[tuple[str, str] | Problem]:
    """Each drawing's name with its caption, and a problem for what cannot be read or fits no drawing."""
    names = _Names(source.folder)
    if source.kind == "caption":
        yield from _beside(source.folder, names)
    elif source.kind == "jsonl":
        yield from _rows(source, names)
    else:
        for key, entry in _table(source.path).items():
            yield from _fitted(key, _together(entry), names, source.path)


class _Names:
    """The drawings of a folder, by everything that another tool may call them."""

    def __init__(self, folder: Path) -> None:
        self._whole: dict[str, set[str]] = defaultdict(set)
        self._last: dict[str, set[str]] = defaultdict(set)
        for path in _files(folder):
            if path.suffix.lower() in EXTENSIONS:
                name = path.relative_to(folder).as_posix()
                for called in (name, _without_ending(name)):
                    self._whole[called].add(name)
                    self._last[called.rpartition("/")[2]].add(name)

    def of(self, called: str) -> set[str]:
        """The drawings that are meant: by their path below the folder, by ever shorter ends of it, by name alone."""
        parts = [part for part in called.replace("\\", "/").split("/") if part not in {"", "."}]
        ends = ["/".join(parts[start:]) for start in range(len(parts))]
        for known, names in ((self._whole, ends), (self._last, ends[-1:])):
            for name in names:
                if found := known.get(name) or known.get(_without_ending(name)):
                    # Where a.png and a.jpg are there, the one that is named in full is meant.
                    return {name} if name in found else found
        return set()


def _without_ending(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 - thousands of names


def _beside(folder: Path, names: _Names) -> Iterator[tuple[str, str] | Problem]:
    for path in _files(folder):
        if path.suffix == _ENDING:
            try:
                text = _decoded(path)
            except OSError as error:
                yield _unreadable(path, error.strerror or str(error))
            else:
                yield from _fitted(path.relative_to(folder).with_suffix("").as_posix(), text, names, path)


def _rows(source: Source, names: _Names) -> Iterator[tuple[str, str] | Problem]:
    below = source.path.parent.relative_to(source.folder).as_posix()
    try:
        with source.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip(b" \t\r\n\xef\xbb\xbf"):
                    continue
                row = _row(line)
                name = _first(row, _NAMES)
                text = _text(next((row[key] for key in _TEXTS if row.get(key)), None))
                if not name or text is None:
                    yield _bad_line(source.path, number)
                else:
                    yield from _fitted(name if below == "." else f"{below}/{name}", text, names, source.path)
    except OSError as error:
        yield _unreadable(source.path, error.strerror or str(error))


def _fitted(called: str, text: str | None, names: _Names, path: Path) -> Iterator[tuple[str, str] | Problem]:
    """The caption with the name of the one drawing it is for; nothing for an empty caption."""
    found = names.of(called)
    words = {"file": _shown(path.name), "drawing": _shown(called)}
    if text is None:
        yield _problem("import-bad", _("“{file}” has no caption for “{drawing}” that can be read.").format(**words))
    elif not found:
        yield _problem(
            "import-unknown",
            _("“{file}” has a caption for “{drawing}”, and no drawing is called that.").format(**words),
        )
    elif len(found) > 1:
        yield _problem(
            "import-ambiguous",
            _("“{file}” has a caption for “{drawing}”, and several drawings may be meant.").format(**words),
        )
    elif text.strip():
        yield next(iter(found)), text


def _bad_line(path: Path, number: int) -> Problem:
    return _problem(
        "import-bad",
        _("Line {number} of “{file}” is no drawing with its caption.").format(number=number, file=_shown(path.name)),
    )


def _unreadable(path: Path, reason: str) -> Problem:
    return _problem(
        "import-unreadable", _("“{file}” cannot be read: {reason}.").format(file=_shown(path.name), reason=reason)
    )


def _problem(code: str, message: str) -> Problem:
    return Problem(Severity.NOTE, "", code, message, _("The other captions are taken; write this one by hand."))


def _shown(name: str) -> str:
    from core.images.scan import shown

    return shown(name)


def _together(entry: Any) -> str | None:
    """Caption and tags of one entry, joined as sd-scripts does."""
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, dict):
        return None
    parts = [text for key in ("caption", "tags") if (text := _text(entry.get(key)))]
    return joined(parts) if parts else None


def _text(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = joined([one.strip() for one in value if one.strip()])
    return value if isinstance(value, str) and _is_writable(value) else None


def _is_writable(text: str) -> bool:
    try:
        return len(text.encode()) <= _LARGEST_CAPTION
    except UnicodeEncodeError:
        return False


def _row(line: bytes) -> Mapping[str, Any]:
    try:
        row = msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _first(row: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((value for key in keys if isinstance(value := row.get(key), str) and value), "")


def _table(path: Path) -> dict[str, Any]:
    """The entries of a JSON file of sd-scripts (`meta_cap.json`, `meta_clean.json`); none for any other."""
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        table = msgspec.json.decode(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    entries = table if isinstance(table, dict) else {}
    captioned = sum(isinstance(entry, dict) and ("caption" in entry or "tags" in entry) for entry in entries.values())
    return entries if 2 * captioned > len(entries) else {}


def _lines(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(bool(line.strip()) for line in file)
    except OSError:
        return 0


def _decoded(path: Path) -> str:
    from core.captions.store import holding

    if path.stat().st_size > _LARGEST_CAPTION:
        raise OSError(_("it is too long for a caption"))
    return holding(path, path.read_bytes()).text


def _files(folder: Path) -> list[Path]:
    """Every file below a folder but hidden ones, in the order of their names."""
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(here) / name for name in sorted(files) if not name.startswith(".")]
    return found
