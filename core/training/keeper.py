"""What a run leaves behind: LoRA files, previews and checkpoints, in the order in which they came about."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from core.language import _
from core.lora import file as lora
from core.lora.metadata import metadata
from core.runs.events import Checkpointed, Event, Noted, Saved
from core.runs.run import Run
from core.training import checkpoint as checkpoints
from core.training.checkpoint import Checkpoint
from core.training.device import attempted
from core.training.meter import Meter
from core.training.preview import draw, keep
from core.training.studio import Studio
from core.training.writer import Snapshot, Writer

AT_STEP, AT_EPOCH = "-step{:08d}", "-{:06d}"
"""How LoRA files are numbered that are not the final one."""
_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Keeper:
    """Takes what there is after a step and has it written while the next ones are made; tells of it once it is there.

    What went wrong with a file is raised by whatever is asked of it next.
    """

    def __init__(self, studio: Studio, run: Run, meter: Meter) -> None:
        self._studio, self._run, self._meter = studio, run, meter
        self._writer = Writer()
        self._keeping = False
        """Whether a checkpoint is not written yet: each is several times as large as the LoRA."""
        self.events = self._writer.events
        self.finish = self._writer.finish

    def lora(self, done: int, epoch: int, suffix: str = "") -> Iterator[Event]:
        """A LoRA file; without a suffix to its name it is the final one."""
        path, now = self._path(suffix), Snapshot(self._studio.leaving)

        def written() -> Iterator[Saved]:
            studio, plan = self._studio, self._studio.frozen.plan
            words = metadata(
                studio.frozen,
                step=done,
                epoch=epoch,
                total=studio.total,
                chunks=studio.chunks,
                precision=studio.device.precision,
            )
            lora.save(path, studio.network.tensors(now.take()), words, _PRECISIONS[plan.save_precision])
            yield Saved(step=done, epoch=epoch, path=str(path), final=not suffix)

        yield from self._writer.add(written)

    def only_last(self, numbered: str, number: int, every: int) -> Iterator[Event]:
        """Remove the files before the last ones that the plan keeps; they lie `every` so many epochs or steps."""
        keep = self._studio.frozen.plan.keep_last

        def removed() -> Iterator[Noted]:
            for old in range(number - keep * every, 0, -every) if keep else ():
                path = self._path(numbered.format(old))
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    words = _("“{path}” could not be removed: {error}.")
                    yield Noted(message=words.format(path=path, error=error.strerror))

        yield from self._writer.add(removed)

    def previews(self, done: int) -> Iterator[Event]:
        """Pictures of the preview prompts."""
        prompts = [prompt for prompt, _number, _seed in self._studio.previews]
        pictures = attempted(partial(draw, self._studio, self._studio.frozen.plan.preview_steps))
        if pictures is None:  # no training should end by its pictures
            words = _("The previews of step {step} were left out: the memory is not enough.")
            yield Noted(message=words.format(step=done))
        else:
            yield from self._writer.add(partial(keep, pictures, prompts, self._run, done))

    def checkpoint(self, done: int) -> Iterator[Event]:
        """All that the run goes on from. Waits for the one before, should the disk be that slow."""
        studio = self._studio
        if self._keeping:
            yield from self.finish()
        self._keeping = True
        weights = studio.network.buffers | (studio.average.state() if studio.average else {})
        now, threads = Snapshot((weights, studio.optimizer.state())), torch.get_num_threads()

        def written() -> Iterator[Checkpointed]:
            checkpoint = Checkpoint(done, *now.take(), threads)
            if not checkpoint.is_sound():
                raise self._meter.came_apart(done)
            checkpoints.save(self._run.checkpoints, checkpoint)
            self._keeping = False
            yield Checkpointed(step=done)

        # What came before a checkpoint is never made, nor told, again.
        yield from self._writer.add(written, once_told=True)

    @property
    def kept(self) -> int:
        """Steps that were done at the newest checkpoint."""
        return checkpoints.last(self._run.checkpoints)

    def _path(self, suffix: str) -> Path:
        return Path(f"{self._studio.frozen.output}{suffix}.safetensors")
