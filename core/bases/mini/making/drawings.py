"""The outline drawings in the box: what the demo's LoRA learns from."""

from collections.abc import Sequence
from pathlib import Path

from core.bases.mini.making.art import OUTLINE, Art, rendered
from core.errors import BocetoError
from core.files import replacing, write_text
from core.language import _

SIDE = 1024
"""SDXL's own size, so that the demo's drawings pass the same checks as an artist's."""
WORD = "houtline"
"""The activation word: no English word, so the tokenizer takes it to pieces."""

NAMES = (
    *("baby chick", "bird", "butterfly", "candle", "castle", "cow face", "crescent moon", "crown", "deciduous tree"),
    *("dog", "door", "evergreen tree", "four leaf clover", "headphone", "helicopter", "honeybee", "lion", "locked"),
    *("magnet", "mushroom", "open book", "police car", "potted plant", "rainbow", "ring", "rose", "shark", "snake"),
    *("snowflake", "snowman", "star", "sunglasses", "television", "tiger face", "turtle"),
)
"""Animals, plants, places and things; none of the demo's eight prompts is among them."""


def write(art: Sequence[Art], folder: Path, names: Sequence[str] = NAMES) -> list[Path]:
    """Save the outlines of `names` with their captions to `folder`, as grey PNGs."""
    outlines = {one.concept: one.path for one in art if one.style == OUTLINE}
    missing = [name for name in names if name not in outlines]
    if missing:
        raise BocetoError(
            _("The art has no outline drawing of: {names}.").format(names=", ".join(missing)),
            _("It has {count} outline drawings.").format(count=len(outlines)),
            _("Delete the unpacked “openmoji” in the work folder and run this again."),
        )
    written = []
    for name in names:
        path = folder / f"{name.replace(' ', '_')}.png"
        with replacing(path) as temporary:
            rendered(outlines[name], SIDE).convert("L").save(temporary, format="PNG", optimize=True)
        write_text(path.with_suffix(".txt"), f"{WORD}, {name}")
        written.append(path)
    return written
