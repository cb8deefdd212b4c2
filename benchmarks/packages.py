"""Packages that only another's training needs: in a folder of their own outside the repository, never in `.venv`."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from core import paths
from core.errors import BocetoError

# A release of the one is made for one of the other: 0.28 for 2.13.
TORCHVISION = f"torchvision==0.{int(version('torch').split('.')[1]) + 15}.0"


def shelf() -> Path:
    """Where what was fetched for the benchmarks is kept."""
    return paths.cache() / "benchmarks" / "peer"


def overlay(needs: Sequence[str]) -> Path:
    """A folder with these packages and nothing that they would bring, made when it is not there.

    Raises BocetoError when it cannot be.
    """
    mark = hashlib.sha256("\n".join((sys.version, *needs)).encode()).hexdigest()[:12]
    folder = shelf() / f"packages-{mark}"
    if folder.is_dir():
        return folder
    making = folder.with_suffix(f".{os.getpid()}")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target"]
    try:
        subprocess.run([*pip, str(making), *needs], check=True, capture_output=True, text=True)
        making.rename(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise BocetoError(
            "The packages that the other training needs could not be installed.",
            said[-1] if said else "",
            f"They are {', '.join(needs)}.",
        ) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return folder
