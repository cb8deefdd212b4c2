"""Plans and drawings without files, for what only needs to be reckoned."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from core.bases.base import Base
from core.images.buckets import Bucket, Placement
from core.images.treatment import Treatment
from core.plan.frozen import FrozenDrawing, FrozenPlan
from core.plan.optimizers import with_preset
from core.settings import Plan, Settled

BASE = Base(
    id="paper",
    name="Paper",
    path=Path("/nowhere"),
    native=64,
    vae_factor=4,
    multiple=16,
    latent_channels=4,
    prediction="epsilon",
    zero_terminal_snr=False,
    force_zeros_for_empty_prompt=True,
    text_widths=(8, 8),
    pooled_width=8,
)
OPEN = {
    "repeats": 2,
    "epochs": 2,
    "optimizer": "adamw",
    "prior_pictures": 0,
    "held_out": 0,
    "resolution": 64,
}
"""What a plan without drawings cannot settle by itself."""


def settled(**choices: object) -> Settled:
    """A plan with nothing left open: what is not chosen is the default, or its optimizer's."""
    plan = msgspec.convert({**OPEN, **choices}, Plan)
    return msgspec.convert(msgspec.structs.asdict(with_preset(plan)), Settled)


def drawing(number: int, bucket: Bucket, caption: str, held_out: bool = False) -> FrozenDrawing:
    """One drawing that fills its bucket."""
    size = bucket.width, bucket.height
    return FrozenDrawing(
        name=f"{number:04d}.png",
        digest=f"{number:064x}",
        caption=caption,
        treatment=Treatment(),
        placement=Placement(*size, bucket, *size, 0, 0, 0, 0, 1.0, 0.0),
        held_out=held_out,
    )


def frozen(plan: Settled, drawings: Sequence[FrozenDrawing], word: str = "houtline") -> FrozenPlan:
    """A frozen plan of these drawings."""
    return FrozenPlan(
        project="paper",
        kind="style",
        activation_word=word,
        dataset="/nowhere/dataset",
        output="/nowhere/output/paper",
        base=BASE,
        fingerprint="",
        plan=plan,
        drawings=tuple(drawings),
    )
