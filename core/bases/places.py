"""Where models lie on a disk: the hub's cache, and the folders of other programs that draw."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROGRAMS = (
    "ComfyUI/models/checkpoints",
    "comfyui/models/checkpoints",
    "comfy/ComfyUI/models/checkpoints",
    "stable-diffusion-webui/models/Stable-diffusion",
    "stable-diffusion-webui-forge/models/Stable-diffusion",
    "stable-diffusion-webui-reForge/models/Stable-diffusion",
    "sd-webui-forge-classic/models/Stable-diffusion",
    "SwarmUI/Models/Stable-Diffusion",
    "Fooocus/models/checkpoints",
    "StabilityMatrix/Data/Models/StableDiffusion",
)
_MIXED = ("invokeai/models", "InvokeAI/models")
"""Where InvokeAI keeps bases beside everything else."""
_RENTED = Path("/workspace")
"""Where rented GPU servers have their disk."""
_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".gguf")
_DEEP, _MANY = 4, 2000
"""Folders below one another, and entries, that are looked at: somebody may name a whole disk."""


def hub() -> Path:
    """Where huggingface_hub keeps what it downloaded; its own rules, without importing it."""
    for variable, below in (("HF_HUB_CACHE", "."), ("HUGGINGFACE_HUB_CACHE", "."), ("HF_HOME", "hub")):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser() / below
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "hub"


def programs() -> Iterator[tuple[Path, bool]]:
    """The folders of other programs that exist, each once; and whether only bases lie there."""
    seen: set[Path] = set()
    for root in (Path.home(), Path.cwd(), _RENTED):
        for names, only in ((_PROGRAMS, True), (_MIXED, False)):
            for name in names:
                place = root / name
                real = place.resolve()
                with suppress(OSError):  # one that may not be read holds nothing for us
                    if real not in seen and place.is_dir():
                        seen.add(real)
                        yield place, only


def models(folder: Path) -> Iterator[Path]:
    """What may be a model in a folder: files by their ending, and folders in the layout of diffusers."""
    left = _MANY
    below = [(folder, 0)]
    while below and left:
        here, depth = below.pop(0)
        try:
            with os.scandir(here) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:  # a folder that may not be read holds nothing for us
            continue
        if any(entry.name == "model_index.json" for entry in found):
            yield here
            continue
        for entry in found[:left]:
            left -= 1
            path = here / entry.name
            with suppress(OSError):  # a link that leads in a circle
                if path.suffix.lower() in _FILES and entry.is_file():
                    yield path
                elif depth < _DEEP and not entry.name.startswith(".") and entry.is_dir():
                    below.append((path, depth + 1))
