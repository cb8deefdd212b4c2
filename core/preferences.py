"""What a person prefers of the screen, whatever the project: colours, keys, pictures."""

from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from core import paths, toml


class Preferences(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The answers, as `preferences.toml` keeps them."""

    theme: str = ""
    """A theme of the screen; empty for the one that goes with the terminal."""
    pictures: str = "auto"
    """`auto`, `kitty`, `sixel`, `half` or `off`."""
    keys: dict[str, str] = field(default_factory=dict)
    """Other keys for an action, by its id: `next = "ctrl+n,f2"`."""


def file() -> Path:
    """Where they are kept."""
    return paths.config() / "preferences.toml"


def load() -> Preferences:
    """What was chosen, or the defaults. Raises BocetoError for a file that cannot be read."""
    return toml.load(file(), Preferences) if file().exists() else Preferences()


def change(**chosen: object) -> Preferences:
    """Keep another choice, whole or not at all."""
    changed = replace(load(), **chosen)
    toml.save(file(), changed)
    return changed
