"""Where things live."""

import os
from pathlib import Path

import platformdirs

_APP = "boceto"


def projects() -> Path:
    """The folder of all projects, `~/Loras` as in the guide; `BOCETO_PROJECTS` moves it."""
    return Path(os.environ.get("BOCETO_PROJECTS") or "~/Loras").expanduser()


def cache() -> Path:
    """Latents, embeddings, pictures of the base: everything that can be made again. `BOCETO_CACHE` moves it."""
    return Path(os.environ.get("BOCETO_CACHE") or platformdirs.user_cache_path(_APP)).expanduser()


def config() -> Path:
    """What a person prefers: keys, colours. `BOCETO_CONFIG` moves it."""
    return Path(os.environ.get("BOCETO_CONFIG") or platformdirs.user_config_path(_APP)).expanduser()


def logs() -> Path:
    """What the libraries of the screen's own process had to say. `BOCETO_STATE` moves it."""
    return Path(os.environ.get("BOCETO_STATE") or platformdirs.user_state_path(_APP)).expanduser()


def shown(path: Path) -> str:
    """`path` as people write it, with `~` for their home."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path != home and path.is_relative_to(home) else str(path)
