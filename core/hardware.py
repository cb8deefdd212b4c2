"""What this machine has: GPUs as the driver sees them, memory and disk; no torch."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from msgspec import Struct

from core.language import _

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


class Memory(Struct, frozen=True):
    """Main memory in bytes."""

    total: int
    available: int


class Gpu(Struct, frozen=True, kw_only=True):
    """One NVIDIA GPU at this moment. What the driver does not tell is None."""

    index: int
    """Its number in the driver's order, which may be another than CUDA's; the `uuid` is the same in both."""
    uuid: str
    name: str
    memory_total: int
    memory_used: int
    memory_free: int
    """Bytes, like total and used."""
    capability: tuple[int, int] | None = None
    """CUDA's compute capability: (8, 0) and up have bf16."""
    utilisation: int | None = None
    """Percent of the time that anything ran on it, lately."""
    temperature: int | None = None
    """Degrees Celsius."""
    power: float | None = None
    """Watts."""


def gpus() -> list[Gpu]:
    """The GPUs of this machine; none is a list without any."""
    return gpus_or_reason()[0]


def gpus_or_reason() -> tuple[list[Gpu], str]:
    """The GPUs of this machine, or why none can be seen, as a sentence."""
    reason = _start()
    if reason:
        return [], reason
    nvml, found = _nvml(), []
    for index in range(_asked(nvml, nvml.nvmlDeviceGetCount) or 0):
        try:
            found.append(_look(nvml, index))
        except nvml.NVMLError as error:  # a card that is lost must not hide the others
            reason = _("The NVIDIA driver does not answer: {error}.").format(error=error)
    return found, "" if found else reason or _("The NVIDIA driver is there, but it sees no GPU.")


def memory_used_by(pid: int) -> int | None:
    """Bytes of GPU memory that a process holds, on all GPUs; None when the driver does not say.

    Inside a container the driver counts by the host's process ids and may not know ours.
    """
    if _start():
        return None
    nvml, held = _nvml(), []
    for index in range(_asked(nvml, nvml.nvmlDeviceGetCount) or 0):
        with suppress(nvml.NVMLError):  # this card does not say
            processes = nvml.nvmlDeviceGetComputeRunningProcesses(nvml.nvmlDeviceGetHandleByIndex(index))
            held += [process.usedGpuMemory for process in processes if process.pid == pid and process.usedGpuMemory]
    return sum(held) if held else None


def memory() -> Memory:
    """Main memory: the machine's, or what the container or the batch system leaves of it."""
    machine = psutil.virtual_memory()
    total, available = int(machine.total), int(machine.available)
    for limit, used in _limits():
        if limit < total:
            total, available = limit, min(available, max(0, limit - used))
    return Memory(total, available)


def process_memory(pid: int) -> int | None:
    """Bytes of main memory that a process holds; None when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


def disk_free(path: Path) -> int:
    """Bytes that may still be written where `path` is or will be."""
    there = path.expanduser().absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def _nvml() -> Any:
    import pynvml

    return pynvml


@cache
def _start() -> str:
    """Open the driver's library once for this process; the reason when that fails."""
    try:
        nvml = _nvml()
    except ImportError:
        return _("The package nvidia-ml-py is not installed: pip install nvidia-ml-py")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError_LibraryNotFound:
        return _("This machine has no NVIDIA driver.")
    except nvml.NVMLError as error:
        return _("The NVIDIA driver does not answer: {error}.").format(error=error)
    return ""


def _look(nvml: Any, index: int) -> Gpu:
    device = nvml.nvmlDeviceGetHandleByIndex(index)
    held = _asked(nvml, nvml.nvmlDeviceGetMemoryInfo, device)
    if held is None:  # one memory for both, as on a DGX Spark or a Jetson
        shared = memory()
        total, used, free = shared.total, shared.total - shared.available, shared.available
    else:
        total, used, free = held.total, held.used, held.free
    rates = _asked(nvml, nvml.nvmlDeviceGetUtilizationRates, device)
    milliwatts = _asked(nvml, nvml.nvmlDeviceGetPowerUsage, device)
    capability = _asked(nvml, nvml.nvmlDeviceGetCudaComputeCapability, device)
    return Gpu(
        index=index,
        uuid=nvml.nvmlDeviceGetUUID(device),
        name=nvml.nvmlDeviceGetName(device),
        memory_total=total,
        memory_used=used,
        memory_free=free,
        capability=capability and tuple(capability),
        utilisation=rates and rates.gpu,
        temperature=_asked(nvml, nvml.nvmlDeviceGetTemperature, device, nvml.NVML_TEMPERATURE_GPU),
        power=milliwatts and milliwatts / 1000,
    )


def _asked(nvml: Any, question: Callable[..., Any], *about: Any) -> Any:
    """The driver's answer, or None where this GPU or this user has no such thing."""
    try:
        return question(*about)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_NoPermission, nvml.NVMLError_Unknown):
        return None


def _limits() -> list[tuple[int, int]]:
    """Limit and use, in bytes, of every control group around this process (Linux, version 2 and 1)."""
    found = []
    try:
        lines = _OWN_CGROUP.read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _number, controllers, own = line.split(":", 2)
        if controllers == "":
            top, names = _CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top, names = _CGROUPS / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = Path(os.path.normpath(f"/{own}"))
        for folder in (top / str(part).lstrip("/") for part in (group, *group.parents)):
            found += _limit(folder, *names)
    return found


def _limit(folder: Path, limit: str, used: str, cache: str) -> list[tuple[int, int]]:
    try:
        most, now = (folder / limit).read_text().strip(), int((folder / used).read_text())
        details = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return []
    # Pages of files that were read are given back on demand.
    return [(int(most), now - int(details.get(cache, 0)))] if most.isdecimal() else []
