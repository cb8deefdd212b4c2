"""Text and numbers as a terminal shows them: nothing it would obey, nothing wider than its place."""

import unicodedata

from rich.cells import cell_len, set_cell_size

from core.language import _, ngettext


def plain(text: str) -> str:
    """`text` without what a terminal would obey: control and format characters become their names.

    Line ends too: a file name may hold one, and a name is one line.
    """
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return f"\\u{{{ord(character):x}}}"
    return character


def duration(seconds: float) -> str:
    """`seconds` as people read them: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """`count` bytes in the largest unit that keeps a digit before the point."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def cells(text: str) -> int:
    """How many cells of a line `text` takes."""
    return cell_len(text)


def ago(seconds: float) -> str:
    """How long something is past, in the one unit that matters."""
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return _("{n} min ago").format(n=int(seconds // 60))
    if seconds < 86_400:
        return _("{n} h ago").format(n=int(seconds // 3600))
    return ngettext("{n} day ago", "{n} days ago", int(seconds // 86_400)).format(n=int(seconds // 86_400))


def shortened(text: str, width: int) -> str:
    """`text`, safe for a terminal, in at most `width` cells; it is cut in the middle, where names differ least."""
    safe = plain(text)
    if cell_len(safe) <= width:
        return safe
    tail = width // 3
    while cell_len(safe[-tail:]) > width // 3 and tail > 1:
        tail -= 1
    return set_cell_size(safe, max(1, width - cell_len(safe[-tail:]) - 1)).rstrip() + "…" + safe[-tail:]


def fitting(text: str, width: int) -> str:
    """`text`, safe for a terminal, in exactly `width` cells: cut at its end, or filled up with blanks."""
    safe = plain(text)
    if cell_len(safe) <= width:
        return set_cell_size(safe, width)
    return set_cell_size(safe, max(0, width - 1)) + "…" if width else ""
