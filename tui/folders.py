"""Folders in words, and as people type them."""

import os
from pathlib import Path

from core.images.folder import Contents, contents
from core.language import _, ngettext


def tally(holds: Contents) -> str:
    """What a folder holds, in words."""
    if holds.trouble:
        return holds.trouble
    words = [ngettext("{n} drawing", "{n} drawings", holds.drawings).format(n=holds.drawings)]
    if holds.drawings:
        words.append(ngettext("{n} caption", "{n} captions", holds.captions).format(n=holds.captions))
    if holds.unreadable:
        words.append(_("{n} to be exported first").format(n=holds.unreadable))
    return ", ".join(words)


def held(folder: Path) -> Contents:
    """What a dataset's folder holds, or the folder `dataset` in it when it holds no drawing itself."""
    holds, own = contents(folder), folder / "dataset"
    return contents(own) if not holds.drawings and own.is_dir() else holds


def unfit(holds: Contents, nested: bool) -> str:
    """Why a folder cannot be a dataset; `nested`, its drawings may all lie in folders below."""
    if holds.trouble:
        return _("This folder cannot be read: {reason}.").format(reason=holds.trouble)
    if holds.drawings or nested:
        return ""
    if holds.unreadable:
        return _("This folder holds only files that must be exported first, as PNG or JPEG.")
    return _("There are no drawings in this folder (PNG, JPEG, WebP …).")


def expanded(text: str) -> Path:
    """The folder that a person means: `~` and variables are understood, and a path from here is made whole."""
    # Not `Path.expanduser`, which gives up on a user there is not: every `~` that is typed begins like one.
    return Path(os.path.expanduser(os.path.expandvars(text.strip() or "."))).absolute()  # noqa: PTH111


def completions(text: str) -> list[str]:
    """Every folder that what was typed could become, as it was begun (`~` and variables stay)."""
    head, slash, tail = text.rpartition("/")
    try:
        with os.scandir(expanded(head + slash)) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if entry.name.startswith(tail)
                and entry.name.isprintable()
                and (tail.startswith(".") or entry.name[0] != ".")
                and entry.is_dir()
            )
    except (OSError, ValueError):
        return []
    return [f"{head}{slash}{name}/" for name in names]
