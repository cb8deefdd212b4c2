"""Where the training runs and in which arithmetic, with the reason."""

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from core.errors import BocetoError
from core.hardware import process_memory
from core.language import _
from core.plan.memory import CONTEXT, GIB
from core.runs.job import is_out_of_memory
from core.settings import Precision

T = TypeVar("T")

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Device:
    """One processor and the arithmetic of the frozen base; the LoRA and the optimizer are always fp32."""

    name: str
    place: torch.device
    dtype: torch.dtype
    reason: str

    @property
    def scaled(self) -> bool:
        """Whether the loss needs scaling: fp16 has no numbers below 6e-8, and gradients are often smaller."""
        return self.dtype == torch.float16

    @property
    def precision(self) -> str:
        """The arithmetic of the base, as the plan calls it."""
        return next(name for name, dtype in _TYPES.items() if dtype == self.dtype)

    def wait(self) -> None:
        """Until it has done all that it was given."""
        if self.place.type == "cuda":
            torch.cuda.synchronize(self.place)

    def after_now(self) -> Callable[[], None]:
        """What waits until it has done all that it was given before this call."""
        if self.place.type != "cuda":
            return lambda: None
        now = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        now.record(torch.cuda.current_stream(self.place))
        return now.synchronize

    def memory_used(self) -> int:
        """Bytes this process holds there; of a GPU the most since that was forgotten."""
        if self.place.type == "cuda":
            return int(torch.cuda.max_memory_reserved(self.place))
        return process_memory(os.getpid()) or 0

    def limit(self, memory: float | None) -> int | None:
        """Hold this process to `memory` GB of the GPU, or to what is free of it, and never let it spill over.

        Returns the bytes that tensors may take; None on a CPU, which has no such limit.
        """
        if self.place.type != "cuda":
            return None
        unused, total = torch.cuda.mem_get_info(self.place)
        most = unused + torch.cuda.memory_reserved(self.place)
        if memory is not None:
            most = min(most, int(memory * GIB) - CONTEXT)
        torch.cuda.set_per_process_memory_fraction(most / total, self.place)
        return most


def room(place: torch.device) -> int | None:
    """Bytes that tensors may still take on a GPU, within the limit that it was given; None on a CPU."""
    if place.type != "cuda":
        return None
    unused, total = torch.cuda.mem_get_info(place)
    reserved = torch.cuda.memory_reserved(place)
    allowed = int(torch.cuda.get_per_process_memory_fraction(place) * total) - reserved
    return max(0, min(unused, allowed)) + reserved - torch.cuda.memory_allocated(place)


def free(forget: bool = True) -> None:
    """Give back what the last phase held, and `forget` how much it was."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        if forget:
            torch.cuda.reset_peak_memory_stats()


def attempted(work: Callable[[], T]) -> T | None:
    """What `work` gives; None where the memory is not enough for it, with all given back that it held."""
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Not in the `except`: there the error still holds on to what the work had in memory.
    free(forget=False)
    return None


def choose(precision: Precision = "auto") -> Device:
    """The first GPU when there is one, else the CPU. Raises BocetoError for an arithmetic it has not."""
    if not torch.cuda.is_available():
        dtype = torch.float32 if precision == "auto" else _TYPES[precision]
        if dtype == torch.float16:
            raise BocetoError(
                _("This machine cannot train in fp16."),
                _("There is no GPU here, and the CPU computes fp16 slower than fp32."),
                _("Leave the precision on “auto”."),
            )
        return Device("CPU", torch.device("cpu"), dtype, _("no GPU was found; the CPU is as fast in fp32"))
    place = torch.device("cuda", torch.cuda.current_device())
    name = torch.cuda.get_device_name(place)
    # Before compute capability 8.0 bf16 is emulated, far slower than fp16.
    has_bf16 = torch.cuda.get_device_capability(place) >= (8, 0)
    if precision == "bf16" and not has_bf16:
        raise BocetoError(
            _("{gpu} cannot train in bf16.").format(gpu=name), hint=_("Leave the precision on “auto”: it takes fp16.")
        )
    if precision == "auto":
        dtype = torch.bfloat16 if has_bf16 else torch.float16
        reason = _("{gpu} has bf16") if has_bf16 else _("{gpu} has no bf16; the loss is scaled to keep fp16 exact")
        return Device(name, place, dtype, reason.format(gpu=name))
    return Device(name, place, _TYPES[precision], _("as the plan says"))
