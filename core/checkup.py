"""What this machine has for a training, and what it lacks, in sentences."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from msgspec import Struct

from core import hardware, paths
from core.bases import find
from core.bases.base import Base
from core.language import _
from core.settings import OptimizerName
from core.taggers import find as taggers

_NEEDED = ("torch", "diffusers", "transformers", "peft", "safetensors")
_PACKAGES: dict[OptimizerName, str] = {"adamw8bit": "bitsandbytes", "prodigy": "prodigyopt"}
_ROOM = 20e9
"""Bytes: an SDXL base of 7 GB, its download, and a few runs with their checkpoints."""


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    good: bool
    words: str
    remedy: str = ""
    """What to do, often a command."""


def checkup() -> Iterator[Finding]:
    """Everything a training needs, one after the other; nothing heavy is loaded to find out."""
    yield from _gpus()
    yield _memory()
    yield _disk()
    yield _bases()
    yield _taggers()
    yield from _packages()


def _gpus() -> Iterator[Finding]:
    found, reason = hardware.gpus_or_reason()
    for gpu in found:
        yield Finding(
            True,
            _("GPU: {name}, {total:.0f} GB, {free:.0f} GB free").format(
                name=gpu.name, total=gpu.memory_total / 1e9, free=gpu.memory_free / 1e9
            ),
        )
    if not found:
        yield Finding(False, _("GPU: none. {reason}").format(reason=reason), _("The small base trains without one."))
    elif _version("torch").endswith("+cpu"):
        yield Finding(
            False,
            _("PyTorch is the build without CUDA: the GPU would not be used."),
            "pip install --force-reinstall torch",
        )


def _memory() -> Finding:
    memory = hardware.memory()
    return Finding(
        memory.available > 8e9,
        _("Memory: {available:.0f} of {total:.0f} GB free").format(
            available=memory.available / 1e9, total=memory.total / 1e9
        ),
        "" if memory.available > 8e9 else _("An SDXL base needs about 8 GB while it is loaded."),
    )


def _disk() -> Finding:
    free = hardware.disk_free(paths.projects())
    return Finding(
        free > _ROOM,
        _("Disk: {free:.0f} GB free in {folder}").format(free=free / 1e9, folder=paths.shown(paths.projects())),
        "" if free > _ROOM else _("An SDXL base and its runs take about 20 GB."),
    )


def _bases() -> Finding:
    found: list[Base] = find.find()
    large = any(base.native >= find.FOR_WORK for base in found)
    return Finding(
        bool(found),
        _("Bases on this disk: {names}").format(names=", ".join(base.name for base in found)),
        "" if large else _("For real work put an SDXL base on this disk: `boceto bases` shows which can be fetched."),
    )


def _taggers() -> Finding:
    found = taggers.find()
    large = any(not tagger.in_the_box for tagger in found)
    return Finding(
        bool(found),
        _("Taggers on this disk: {names}").format(names=", ".join(tagger.name for tagger in found) or _("none")),
        "" if large else _("For real work fetch one: T among the captions, or `boceto caption --fetch`."),
    )


def _packages() -> Iterator[Finding]:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        yield Finding(
            False,
            _("Missing for the training: {names}").format(names=", ".join(missing)),
            "pip install " + " ".join(missing),
        )
    yield from (finding for optimizer in _PACKAGES if (finding := lacking(optimizer)))


def lacking(optimizer: OptimizerName) -> Finding | None:
    """What an optimizer needs and this machine lacks."""
    name = _PACKAGES.get(optimizer)
    if name is None or find_spec(name):
        return None
    return Finding(
        False,
        _("Missing for the optimizer {optimizer}: the package {name}").format(optimizer=optimizer, name=name),
        f"pip install {name}",
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
