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
