"""The head of a LoRA's file: what it says of itself, and that it is one."""

from pathlib import Path

from core import header
from core.errors import BocetoError
from core.header import Header
from core.language import _


def read_metadata(path: Path) -> dict[str, str]:
    """What the LoRA at `path` says of itself; reads its header only."""
    return read_lora(path).metadata


def read_lora(path: Path) -> Header:
    """The header of the LoRA at `path`; an error in words for any other model."""
    found = header.read(path)
    modules = {name.removesuffix(".lora_down.weight") for name in found.shapes if name.endswith(".lora_down.weight")}
    if not modules or any(f"{module}.lora_up.weight" not in found.shapes for module in modules):
        raise BocetoError(
            _("“{path}” holds no LoRA that we know.").format(path=path),
            _("In the files of sd-scripts every layer has a “lora_down” and a “lora_up”; this one has no such pairs."),
            _("Choose another file, or convert this one to sd-scripts' names."),
        )
    return found
