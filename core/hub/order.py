"""What is to be fetched from the Hugging Face hub."""

import os

from msgspec import Struct


class Order(Struct, frozen=True, kw_only=True):
    """A job for the downloader."""

    version: int = 1
    name: str
    """What people call that which is fetched."""
    repository: str
    """`owner/name` on the hub."""
    revision: str = "main"
    """A branch, a tag or a commit."""
    files: tuple[str, ...]
    """Names, or patterns such as `unet/*.json`; of several with `|` between, the first that the repository has."""
    cache: str
    """The hub's cache on this disk, where every program that uses the hub finds the files."""
    by_hand: str
    """The folder in which a person puts the files who fetched them in another way."""
    attempts: int = 6
    """How often in a row the server may send nothing new before the job gives up: a minute, with the pauses between."""

    @property
    def page(self) -> str:
        """Where a person sees the repository and its files."""
        return f"{site()}/{self.repository}"


def site() -> str:
    """The address of the hub, or of the mirror that `HF_ENDPOINT` names."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
