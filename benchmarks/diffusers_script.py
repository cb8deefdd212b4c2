"""diffusers' own LoRA script for SDXL, of the version that is installed: fetched, given what it needs, and called."""

import hashlib
import json
import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct
from packages import TORCHVISION, shelf

from core.errors import BocetoError
from core.files import replacing, write_bytes

NAME = "train_text_to_image_lora_sdxl.py"
ADDRESS = "https://raw.githubusercontent.com/huggingface/diffusers/v{version}/examples/text_to_image/" + NAME
LAUNCHER = Path(__file__).with_name("peer_launcher.py")
NEEDS = (
    "datasets==5.2.0",
    "pyarrow==26.0.1",
    "pandas==3.1.1",
    "python-dateutil==2.9.0.post0",
    "six==1.17.0",
    "dill==0.4.1",
    "multiprocess==0.70.19",
    "xxhash==4.1.0",
    # Its wheel wants the CUDA build of torch; the launcher does without.
    TORCHVISION,
)
"""What the script imports beyond our own packages. None of these may bring others: pip would replace torch."""
PROGRESS = re.compile(rb"Steps:[^\r\n]*?\| *(\d+)/\d+ ")
"""Its progress bar, and in it the steps that are done."""
LORA = "pytorch_lora_weights.safetensors"
_PATIENCE = 30.0
"""Seconds for a file of 60 kB."""


class Script(Struct, frozen=True):
    """A script that was found."""

    text: str
    source: str

    @property
    def digest(self) -> str:
        """sha256, so that what was measured can be known again."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def find(given: Path | None, address: str = ADDRESS) -> Script:
    """The given script, the one kept from last time, or the one of the installed diffusers' tag.

    Raises BocetoError when it cannot be had.
    """
    installed = version("diffusers")
    kept = shelf() / f"diffusers-{installed}" / NAME
    if given or kept.is_file():
        path = given or kept
        try:
            return Script(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise BocetoError(f"The script “{path}” could not be read.", str(error)) from error
    where = address.format(version=installed)
    try:
        with urllib.request.urlopen(where, timeout=_PATIENCE) as answer:
            content = answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise BocetoError(
            f"The script of diffusers {installed} could not be fetched.",
            f"{where}: {error}",
            "Give a copy of it with --script PATH.",
        ) from error
    write_bytes(kept, content)
    return Script(content.decode("utf-8"), where)


def lay_out(drawings: Iterable[Path], folder: Path) -> Path:
    """A dataset as the script reads it: the drawings, and their captions in `metadata.jsonl`."""
    folder.mkdir(parents=True)
    lines = []
    for drawing in drawings:
        shutil.copyfile(drawing, folder / drawing.name)
        caption = drawing.with_suffix(".txt").read_text("utf-8").strip()
        lines.append(json.dumps({"file_name": drawing.name, "text": caption}, ensure_ascii=False))
    with replacing(folder / "metadata.jsonl") as file:
        file.write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def flags(options: Mapping[str, object]) -> list[str]:
    """Options as the script's arguments; one that is True stands alone."""
    return [
        part
        for name, value in options.items()
        for part in ([f"--{name}"] if value is True else [f"--{name}", str(value)])
    ]


def check(script: Script, options: Iterable[str]) -> None:
    """Raises BocetoError for options that the script does not declare."""
    declared = set(re.findall(r'add_argument\(\s*"--(\w+)"', script.text))
    if missing := [name for name in options if name not in declared]:
        raise BocetoError(
            f"This script has no --{missing[0]}.", script.source, "It is of another version of diffusers."
        )


def environment(packages: Path, hub: Path) -> dict[str, str]:
    """What it is to find, and that nothing may be fetched."""
    return {"PYTHONPATH": str(packages), "HF_HOME": str(hub), "HF_HUB_OFFLINE": "1"}


def command(path: Path, options: Mapping[str, object]) -> list[str]:
    """What starts the script at `path`."""
    return [sys.executable, str(LAUNCHER), str(path), *flags(options)]
