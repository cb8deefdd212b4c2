"""The interface in ASCII: every glyph it draws with becomes a character of the same width."""

import unicodedata
from functools import lru_cache

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

# fmt: off
_SINGLE = {
    # Levels, as in a sparkline: the lowest is the line that borders are made of, and is no blank.
    "▁": "_", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "*", "█": "#",
    "▔": "-", "▀": "=", "▏": "|", "▎": "|", "▍": "|", "▋": "|", "▊": "|", "▉": "|", "▕": "|",
    "▐": "[", "▌": "]",  # Textual draws its check boxes between them
    "░": ".", "▒": ":", "▓": "%",
    "←": "<", "→": ">", "↑": "^", "↓": "v", "↔": "-", "↕": "|", "⇧": "^", "⇥": ">", "⏎": "&", "↵": "&", "⌫": "<",
    "◀": "<", "▶": ">", "▲": "^", "▼": "v", "◂": "<", "▸": ">", "▴": "^", "▾": "v", "‹": "<", "›": ">",
    "✓": "v", "✔": "v", "✗": "x", "✘": "x", "✕": "x", "✖": "x",
    "●": "*", "○": "o", "◉": "@", "◌": "o", "⭘": "o", "•": "*", "◦": "o", "▪": "-", "‣": ">", "★": "*", "⭑": "*",
    "■": "#", "□": "o", "◆": "*", "◇": "o", "⚠": "!",
    "…": "~",  # what is cut off; a full stop would look like the end of a name
    "·": "-", "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "×": "x", "÷": "/", "±": "~", "≈": "~", "≠": "!",
    "≤": "<", "≥": ">", "°": "'", "²": "2", "³": "3", "½": "/", "∞": "8", "¿": "?", "¡": "!", "§": "S", "€": "E",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": ",", "\N{NO-BREAK SPACE}": " ",
}
# fmt: on
_BRAILLE = " .:+*oO0#"


class Ascii(LineFilter):
    """Draws without a glyph outside ASCII; letters are left as they are, whatever their language."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, as wide as before, in ASCII."""
        return [
            Segment(ascii_only(text), style, control) if not control and not text.isascii() else segment
            for segment in segments
            for text, style, control in (segment,)
        ]


@lru_cache(4096)
def ascii_only(text: str) -> str:
    """`text` with its glyphs in ASCII and its letters as they are, as wide as before."""
    return "".join(_plain(character) for character in text)


@lru_cache(1024)
def _plain(character: str) -> str:
    if character.isascii():
        return character
    if found := _SINGLE.get(character):
        return found
    if "\u2500" <= character <= "\u257f":
        return _line(unicodedata.name(character))
    if "\u2580" <= character <= "\u259f":
        return "#"
    if "\u2800" <= character <= "\u28ff":
        return _BRAILLE[(ord(character) - 0x2800).bit_count()]
    if unicodedata.category(character)[0] in "PSZ":
        return "?" * get_character_cell_size(character)
    return character


def _line(name: str) -> str:
    """A box-drawing character, told from its name, which lists the directions it goes."""
    if "DIAGONAL" in name:
        return "X" if "CROSS" in name else "/" if "UPPER RIGHT TO LOWER LEFT" in name else "\\"
    across = any(word in name for word in ("HORIZONTAL", "LEFT", "RIGHT"))
    down = any(word in name for word in ("VERTICAL", "UP", "DOWN"))
    if across and down:
        return "+"
    if down:
        return "|"
    return "=" if "HEAVY" in name or "DOUBLE" in name else "-"
