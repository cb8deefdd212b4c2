"""The memory that a training lives in, read for its meter."""

from msgspec import Struct

from core import hardware
from core.language import _
from core.runs.run import Run
from tui.words import size


class Reading(Struct, frozen=True):
    """The memory a training lives in, at this moment; bytes."""

    ours: int
    others: int
    whole: int
    words: str
    more: str = ""


def reading(run: Run, held: int) -> Reading:
    """The memory at this moment; `held` is what the job itself says that it holds."""
    found, _reason = hardware.gpus_or_reason()
    pid = run.status().pid
    if not found:
        memory = hardware.memory()
        ours = hardware.process_memory(pid) or 0 if run.is_alive() else 0
        others = max(0, memory.total - memory.available - ours)
        words = _("no GPU: {ours} of memory, {free} free").format(ours=size(ours), free=size(memory.available))
        if not ours:
            words = _("no GPU: {free} of memory free").format(free=size(memory.available))
        return Reading(ours, others, memory.total, words)
    gpu = found[0]
    ours = min(hardware.memory_used_by(pid) or held, gpu.memory_used) if run.is_alive() else 0
    others = gpu.memory_used - ours
    words = _("ours {ours} · others {others} · free {free}").format(
        ours=size(ours), others=size(others), free=size(gpu.memory_free)
    )
    more = [gpu.name]
    if gpu.utilisation is not None:
        more.append(_("{n} % busy").format(n=gpu.utilisation))
    if gpu.temperature is not None:
        more.append(f"{gpu.temperature} °C")
    if gpu.power is not None:
        more.append(f"{gpu.power:.0f} W")
    return Reading(ours, others, gpu.memory_total, words, " · ".join(more))
