"""Choices of a plan that cannot all be had at once."""

from core.errors import BocetoError
from core.language import _
from core.settings import Settled


def refuse_contradictions(plan: Settled) -> None:
    """Raises BocetoError, in words, for a plan that asks for two things of which one excludes the other."""
    if plan.dora and plan.scale_weight_norms:
        raise BocetoError(
            _("DoRA and a limit on the strongest layer do not go together."),
            _("The limit is on what a LoRA adds to a layer; with DoRA the length of each row changes as well."),
            _("Turn DoRA off, or set --scale-weight-norms 0."),
        )
