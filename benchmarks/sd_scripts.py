"""sd-scripts (kohya-ss), in a checkout beside this project: given what it needs, and our plan as we export it."""

import re
import shutil
import sys
from pathlib import Path

from packages import TORCHVISION

from core.bases.single_file import LIKE
from core.errors import BocetoError
from core.kohya.export import DATASET, TRAINING, export
from core.plan.frozen import FrozenPlan

SCRIPT = "sdxl_train_network.py"
NEEDS = (
    "accelerate==1.6.0",
    "transformers==4.54.1",
    "tokenizers==0.21.4",
    "huggingface-hub==0.34.3",
    "diffusers==0.32.1",
    "safetensors==0.4.5",
    "opencv-python-headless==4.10.0.84",
    "toml==0.10.2",
    "voluptuous==0.15.2",
    "imagesize==1.4.1",
    "einops==0.7.0",
    "requests==2.32.5",
    "urllib3==2.5.0",
    "charset-normalizer==3.4.3",
    "importlib-metadata==8.7.0",
    "zipp==3.23.0",
    TORCHVISION,
)
"""What its requirements.txt pins and SDXL needs, and what that needs that we have not. torch is ours."""
PROGRESS = re.compile(rb"steps:[^\r\n]*?\| *(\d+)/\d+ \[")
"""Its progress bar, and in it the steps that are done."""
_TOKENIZERS = ("openai/clip-vit-large-patch14", "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k")
"""It fetches both by name, unless a folder has them under that name."""


def find(folder: Path) -> Path:
    """The script in a checkout. Raises BocetoError when there is none."""
    path = folder.absolute() / SCRIPT
    if not path.is_file():
        raise BocetoError(f"“{folder}” is no checkout of sd-scripts.", f"There is no {SCRIPT} in it.")
    return path


def command(script: Path, launcher: Path, frozen: FrozenPlan, folder: Path) -> list[str]:
    """Write the plan's files into `folder`. Returns what trains by them."""
    export(frozen, folder)
    for name in _TOKENIZERS:
        tokenizer = folder / "tokenizers" / name.replace("/", "_")
        shutil.copytree(LIKE["sdxl"] / "tokenizer", tokenizer)
    files = {"config_file": folder / TRAINING, "dataset_config": folder / DATASET}
    flags = [f"--{name}={path}" for name, path in (files | {"tokenizer_cache_dir": folder / "tokenizers"}).items()]
    return [sys.executable, str(launcher), str(script), *flags]


def environment(packages: Path, script: Path, hub: Path) -> dict[str, str]:
    """What it is to find, and that nothing may be fetched."""
    return {"PYTHONPATH": f"{packages}:{script.parent}", "HF_HOME": str(hub), "HF_HUB_OFFLINE": "1"}
