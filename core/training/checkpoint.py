"""Checkpoints: from each the run goes on exactly as if it had never stopped."""

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from core.files import replacing

KEEP = 2
"""The newest and the one before it, should the disk have failed under the newest."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights and the optimizer after `step` steps; every random number follows from the step itself."""

    step: int
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    threads: int
    """CPU threads that computed it: sums over another number of them differ in their last bits."""

    def is_sound(self) -> bool:
        """Whether all weights are numbers."""
        return all(bool(torch.isfinite(weights).all()) for weights in self.weights.values())


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, whole or not at all, then drop those that are too old."""
    path = folder / f"{checkpoint.step:08d}.pt"
    with replacing(path) as temporary:
        torch.save(vars(checkpoint), temporary)
    for old in sorted(folder.glob("*.pt"))[:-KEEP]:
        old.unlink(missing_ok=True)
    return path


def tidy(folder: Path) -> None:
    """Drop what a kill left of a checkpoint in the making."""
    for half in folder.glob(".*.tmp"):
        half.unlink(missing_ok=True)


def last(folder: Path) -> int:
    """Steps that were done at the newest checkpoint; 0 without one."""
    return max((int(path.stem) for path in folder.glob("*.pt") if path.stem.isdigit()), default=0)


def newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that can be read, or None."""
    for path in sorted(folder.glob("*.pt"), reverse=True):
        try:
            return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
        except (OSError, RuntimeError, EOFError, UnpicklingError, TypeError):
            continue
    return None
