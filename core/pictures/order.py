"""What pictures are wanted: rows of prompts, columns of seeds."""

from pathlib import Path

from msgspec import Struct

from core.bases.base import Base


class Row(Struct, frozen=True):
    """Pictures that are to be compared with those of the other rows, column by column."""

    label: str
    prompts: tuple[str, ...]
    """One a column."""
    strength: float = 1.0
    """Of the LoRA; 0 is the base alone."""


class Order(Struct, frozen=True, kw_only=True):
    """A job for the picture maker."""

    version: int = 1
    base: Base
    lora: str = ""
    """The LoRA's file; none for the base alone."""
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    """One a column, the same in every row."""
    width: int
    height: int
    steps: int = 25
    guidance: float = 5.0
    folder: str
    """Where the pictures go."""

    def picture(self, row: int, column: int) -> Path:
        """The file of one picture."""
        return Path(self.folder) / f"{row + 1:02d}-{column + 1:02d}.png"

    @property
    def sheet(self) -> Path:
        """The contact sheet of all of them."""
        return Path(self.folder) / "sheet.png"
