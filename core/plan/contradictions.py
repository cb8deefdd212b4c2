"""Choices of a plan that cannot all be had at once."""

from core.errors import BocetoError
from core.language import _
from core.lora.parts import block_ranks
from core.settings import Settled


def refuse_contradictions(plan: Settled) -> None:
    """Raises BocetoError, in words, for a plan that asks for two things of which one excludes the other."""
    if plan.dora and plan.scale_weight_norms:
        raise BocetoError(
            _("DoRA and a limit on the strongest layer do not go together."),
            _("The limit is on what a LoRA adds to a layer; with DoRA the length of each row changes as well."),
            _("Turn DoRA off, or set --scale-weight-norms 0."),
        )
    if plan.dora and plan.nf4:
        raise BocetoError(
            _("DoRA and a base in 4 bits do not go together."),
            _("DoRA needs the length of each row of the base's layers, which 4 bits keep too coarsely."),
            _("Turn DoRA off, or set --no-nf4."),
        )
    if not any(block_ranks(plan).values()):
        raise BocetoError(
            _("Nothing of the UNet would learn."),
            _("The ranks of its first blocks, its middle and its last blocks are all 0."),
            _("Leave one of --down-rank, --mid-rank and --up-rank out."),
        )
    if plan.regularisation and not plan.prior_pictures:
        raise BocetoError(
            _("A folder of regularisation drawings is named, and none of them would be shown."),
            _("The plan wants no pictures beside a batch (--prior-pictures 0)."),
            _("Leave --prior-pictures out, or --regularisation."),
        )
