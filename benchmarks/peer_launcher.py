"""Starts a script that imports torchvision, where torch is a CPU build: `peer_launcher.py SCRIPT ARGUMENTS`.

The only torchvision wheels on the plain registry are built for CUDA. Their compiled part does not load beside a CPU
torch, and the import stops at two of its operators. They are declared here and never called: the transforms that resize
and crop are plain Pillow and torch.
"""

import importlib.util
import runpy
import sys
from pathlib import Path

import torch

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def declare() -> torch.library.Library | None:
    """Declare the operators where the compiled part does not load. They last as long as what is returned."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return None
    for compiled in Path(found.origin).parent.glob("_C*"):
        try:
            torch.ops.load_library(compiled)
            return None
        except OSError:
            continue
    library = torch.library.Library("torchvision", "DEF")
    for operator in OPERATORS:
        library.define(operator)
    return library


if __name__ == "__main__":
    declared = declare()
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).parent)  # as if Python had been given the script itself
    runpy.run_path(sys.argv[0], run_name="__main__")
