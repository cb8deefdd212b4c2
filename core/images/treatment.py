"""What an artist wants done to a drawing before it is trained."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Treatment(Struct, frozen=True, forbid_unknown_fields=True):
    """What is done to a drawing on its way into the training; the file itself is never touched."""

    background: Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")] = "#ffffff"
    """The paper under a drawing's transparent parts."""
    fit: Literal["crop", "pad"] = "crop"
    """Fill the bucket and cut what stands over, or keep everything and fill up with the background."""
    excluded: bool | None = None
    """Left out of the training; False takes it in although a check would leave it out."""
