"""In which gear a training runs: how its steps are carried out, and when a faster way repays its warm-up."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from core.language import _

Gear = Literal["eager", "compiled", "graphs"]
"""`eager`: one operation after the other. `compiled`: the blocks of the base as fused kernels. `graphs`: the whole step
as one CUDA graph, which the GPU goes through without being told each operation."""

FEWEST = 4
"""Steps of one shape that a graph must still have before it: two to warm up, one to be captured, one to gain."""
_MARGIN = 1.02
"""How many times faster a gear must be to be kept: less is the noise of a few timed steps."""


class Expected(Struct, frozen=True):
    """What is known of a gear before it has been tried."""

    share: float
    """Of a step's time that it saves, cautiously."""
    seconds: float
    """To warm up, for each shape of batches."""
    steps: float
    """As much again for each shape, in steps."""


EXPECTED: dict[Gear, Expected] = {
    # Published for the UNet of SDXL: 1.6 times as fast on cards of 2025, hardly faster on those of 2020. A shape
    # compiles some dozen kinds of blocks, forward and backward.
    "compiled": Expected(share=0.15, seconds=45.0, steps=0),
    # To capture is to issue one step without carrying it out.
    "graphs": Expected(share=0.1, seconds=1.0, steps=2),
}


class Verdict(Struct, frozen=True):
    """Yes or no, and why."""

    yes: bool
    reason: str


def worth_trying(gear: Gear, seconds: float, left: Sequence[int]) -> Verdict:
    """Whether `gear` can be expected to repay its warm-up.

    `seconds` is what a step takes now, `left` how many steps there are still of each shape that would be warmed up.
    """
    expected, steps = EXPECTED[gear], sum(left)
    saved, warm_up = expected.share * seconds, len(left) * (expected.seconds + expected.steps * seconds)
    yes = saved * steps > warm_up
    words = (
        _("“{gear}” may save {saved:.2g} s on each of {steps} steps, and takes about {warm_up:.0f} s to warm up")
        if yes
        else _(
            "“{gear}” would save some {saved:.2g} s on each of {steps} steps, less than the {warm_up:.0f} s that it "
            "takes to warm up"
        )
    )
    return Verdict(yes, words.format(gear=gear, saved=saved, steps=steps, warm_up=warm_up))


def worth_keeping(gear: Gear, before: float, after: float, left: int, warm_up: float) -> Verdict:
    """Whether `gear`, now that it is warm, makes a step in enough less than `before` seconds."""
    yes = before > _MARGIN * after
    words = (
        _("saves {saved:.2g} s of {before:.3g} s on each of {left} steps, and took {warm_up:.0f} s to warm up")
        if yes
        else _("“{gear}” was tried, but a step takes {after:.3g} s with it and {before:.3g} s without")
    )
    saved = before - after
    return Verdict(yes, words.format(gear=gear, saved=saved, before=before, after=after, left=left, warm_up=warm_up))


def room_for_graphs(step: int, free: int) -> Verdict:
    """Whether graphs may hold the memory of a whole step, `step` bytes, beside all that is done between two steps."""
    words = _("CUDA graphs keep the memory of a step ({step:.1f} GB) to themselves, and only {free:.1f} GB are free")
    # As much again for previews and fixed losses, which cannot use that of the graphs.
    return Verdict(free >= 2 * step, words.format(step=step / 2**30, free=free / 2**30))


def shapes_worth(gear: Gear, left: Sequence[int]) -> list[int]:
    """Of the steps left of each shape, those of shapes that are worth warming up at all."""
    return [steps for steps in left if gear != "graphs" or steps >= FEWEST]
