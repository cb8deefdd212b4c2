"""Steps as CUDA graphs: captured once for each shape, then carried out without being told each operation."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.training.step import Batch

if TYPE_CHECKING:
    from core.training.studio import Studio

WARM = 2
"""Steps of each shape on the capturing stream beforehand: libraries set up what they need, the optimizer its state."""


@dataclass(frozen=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    batch: Batch
    """What it reads. Held here, so that this memory is no one else's."""
    told: Tensor
    broken: Tensor


class Graphs:
    """One graph for each batch that steps share; all use one pool of memory, since only one runs at a time.

    Inside are the forward and the backward pass, the clipping and, where it can be, the optimizer with all that
    follows from it; the rates lie on the device. The batch is filled, the average taken and the loss copied outside.
    """

    def __init__(self, place: torch.device) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(place)  # type: ignore[no-untyped-call]
        self._captured: dict[int, _Captured] = {}
        self._warmed: dict[int, int] = {}

    def knows(self, batch: Batch) -> bool:
        """Whether steps with this batch are, or soon will be, a single call."""
        return id(batch) in self._warmed

    def gradients(self, studio: "Studio", batch: Batch) -> tuple[Tensor, bool]:
        """The loss of a step whose rates are set, and whether the weights have been moved too.

        When this raises, nothing has been moved.
        """
        place = id(batch)
        if self._warmed.get(place, 0) < WARM:
            self._warmed[place] = self._warmed.get(place, 0) + 1
            return self._beside(studio, batch), False
        if place not in self._captured:
            self._captured[place] = self._capture(studio, batch)
        captured = self._captured[place]
        captured.graph.replay()
        studio.optimizer.broken = captured.broken
        # The next replay writes its own loss where this one is.
        return captured.told.clone(), studio.optimizer.capturable

    def _beside(self, studio: "Studio", batch: Batch) -> Tensor:
        """The gradients of a step as usual, on the stream that will be captured."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        try:
            with torch.cuda.stream(self._stream):
                told = studio.optimizer.gradients(studio.losses(batch))
        finally:
            # After a failure too: the step is made again at once, and must not meet what this one still writes.
            current.wait_stream(self._stream)
        # Made on one stream and used on another: not to be given away before that is over.
        told.record_stream(current)
        studio.optimizer.broken.record_stream(current)
        return told

    def _capture(self, studio: "Studio", batch: Batch) -> _Captured:
        graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._stream.device)
        # Not "global": the thread that draws the next steps' numbers asks for pinned memory meanwhile.
        capture = torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local")
        try:
            with studio.optimizer.in_capture(), capture:
                told = studio.optimizer.gradients(studio.losses(batch))
                if studio.optimizer.capturable:
                    studio.optimizer.move()
        finally:
            # After a capture that failed, torch leaves its stream in place.
            torch.cuda.set_stream(current)
        return _Captured(graph, batch, told, studio.optimizer.broken)
