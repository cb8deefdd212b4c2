"""Optimizer presets: arguments that belong together, who they suit, and how the rate runs.

The numbers are those of the notebooks the guide uses (hollowstrawberry/kohya-colab, “recommended values”), with their
traps mended: Prodigy gets one rate and a plain cosine (its README advises against restarts), and never switches the
text encoders on.
"""

from math import cos, pi

from msgspec import Struct
from msgspec.structs import replace

from core.language import _
from core.settings import OptimizerName, Plan, SchedulerName, Settled

FEW_DRAWINGS = 50
"""Below this the guide's advice is Prodigy: finding a rate by trial costs more than the memory it saves."""

POLYNOMIAL_POWER = 3
"""How steeply the scheduler “polynomial” falls: the notebooks' own number; with 1 it would be “linear”."""
POLYNOMIAL_END = 1e-7
"""The learning rate that it ends at (transformers, `get_polynomial_decay_schedule_with_warmup`)."""

ARGUMENTS = ("learning_rate", "weight_decay", "betas", "d_coef", "d0", "scheduler", "warmup")
"""The choices that belong to an optimizer and change with it."""


class Preset(Struct, frozen=True):
    """What an optimizer is set to when nobody says otherwise."""

    learning_rate: float
    text_encoder_rate: float
    weight_decay: float
    betas: tuple[float, float]
    scheduler: SchedulerName
    warmup: float
    alpha_per_rank: float
    d_coef: float | None = None
    d0: float | None = None


_ADAMW = Preset(
    learning_rate=3e-4,
    text_encoder_rate=6e-5,
    weight_decay=0.1,
    betas=(0.9, 0.99),
    scheduler="cosine_with_restarts",
    warmup=0.05,
    alpha_per_rank=0.5,
)

PRESETS: dict[OptimizerName, Preset] = {
    "adamw8bit": _ADAMW,
    "adamw": _ADAMW,
    "prodigy": Preset(
        learning_rate=1.0,
        text_encoder_rate=1.0,
        weight_decay=0.01,
        betas=(0.9, 0.999),
        scheduler="cosine",
        warmup=0.0,
        alpha_per_rank=1.0,
        d_coef=2.0,
        # prodigyopt starts at 1e-6 and names 1e-5 to 1e-4 for when that is too low: of 300 to 500 steps none
        # should go to getting started.
        d0=1e-5,
    ),
}


class Recommendation(Struct, frozen=True):
    """An optimizer and why."""

    optimizer: OptimizerName
    reason: str


def recommend(drawings: int) -> Recommendation:
    """The optimizer for a dataset of this size (the guide: AdamW8bit for many drawings, Prodigy for few)."""
    if drawings < FEW_DRAWINGS:
        return Recommendation(
            "prodigy",
            _("{drawings} drawings are few, and Prodigy finds the learning rate by itself").format(drawings=drawings),
        )
    return Recommendation(
        "adamw8bit",
        _("with {drawings} drawings its known rate works, and it takes the least memory").format(drawings=drawings),
    )


def with_preset(plan: Plan) -> Plan:
    """`plan` with every argument the artist left open taken from the preset of its optimizer."""
    if plan.optimizer is None:
        raise ValueError("an optimizer comes before its arguments")
    preset = PRESETS[plan.optimizer]
    prodigy = plan.optimizer == "prodigy"
    learning_rate = plan.learning_rate or preset.learning_rate
    return replace(
        plan,
        learning_rate=learning_rate,
        # Prodigy estimates one pace for all weights: two different rates are an error in prodigyopt.
        text_encoder_rate=learning_rate if prodigy else plan.text_encoder_rate or preset.text_encoder_rate,
        weight_decay=_or(plan.weight_decay, preset.weight_decay),
        betas=plan.betas or preset.betas,
        scheduler=plan.scheduler or preset.scheduler,
        warmup=_or(plan.warmup, preset.warmup),
        d_coef=(plan.d_coef or preset.d_coef) if prodigy else None,
        d0=(plan.d0 or preset.d0) if prodigy else None,
        alpha=plan.alpha or plan.rank * preset.alpha_per_rank,
        conv_alpha=(plan.conv_alpha or plan.conv_rank * preset.alpha_per_rank) if plan.conv_rank else None,
    )


def rate_factor(plan: Settled, step: int, steps: int) -> float:
    """What the learning rate is multiplied by at `step` (counted from 0) of `steps`.

    The formulas are those of transformers' schedulers: linear warm-up from zero, then the chosen fall.
    """
    warmup = round(plan.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    match plan.scheduler:
        case "linear":
            return 1 - progress
        case "polynomial":
            end = min(1.0, POLYNOMIAL_END / plan.learning_rate)
            return float((1 - end) * (1 - progress) ** POLYNOMIAL_POWER + end)
        case "cosine":
            return 0.5 * (1 + cos(pi * progress))
        case "cosine_with_restarts":
            return 0.5 * (1 + cos(pi * (progress * plan.restarts % 1)))
        case _:
            return 1.0


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
