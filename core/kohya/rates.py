"""The optimizer of a training of another tool, its rates and its scheduler, as choices of a plan."""

from typing import Any

from core.kohya.reader import Reader
from core.kohya.said import finite
from core.kohya.terms import OPTIMIZERS, PRODIGY
from core.language import _
from core.plan.optimizers import POLYNOMIAL_POWER

_RATE = 2e-6
"""sd-scripts' own learning rate, where nobody says one."""
_DEFAULTS: dict[str, dict[str, Any]] = {
    "adamw8bit": {"weight_decay": 0.01, "betas": (0.9, 0.999)},
    "adamw": {"weight_decay": 0.01, "betas": (0.9, 0.999)},
    "prodigy": {"weight_decay": 0.0, "betas": (0.9, 0.999), "d_coef": 1.0, "d0": 1e-6},
}
"""What torch, bitsandbytes and prodigyopt take when nobody says."""
_SCHEDULERS = {
    "constant": "constant",
    "constant_with_warmup": "constant",
    "cosine": "cosine",
    "cosine_with_restarts": "cosine_with_restarts",
    "linear": "linear",
    "polynomial": "polynomial",
}


def rates(reader: Reader) -> None:
    """How far, how fast, and by whom the weights are moved."""
    _scheduler(reader)
    optimizer = _optimizer(reader)
    if optimizer is None:
        return
    reader.choices["optimizer"] = optimizer
    said = reader.said.arguments("optimizer_args")
    for name, default in _DEFAULTS[optimizer].items():
        reader.take(name, said.pop(name, default), name)
    if optimizer == "prodigy":
        if {name: said.pop(name, name == "decouple") for name in PRODIGY} != PRODIGY:
            reader.note(
                "prodigy",
                _("Boceto's Prodigy always decouples its weight decay, corrects its bias and guards its warm-up."),
                _("Its README advises all three for diffusion models."),
            )
        said.pop("growth_rate", None)
    if said:
        reader.tell(
            "optimizer-arguments",
            _("These arguments of the optimizer are passed over: {names}.").format(names=", ".join(sorted(said))),
        )
    _rates(reader, optimizer)


def _optimizer(reader: Reader) -> str | None:
    said = reader.said
    switch = "AdamW8bit" if said.is_on("use_8bit_adam") else "Lion" if said.is_on("use_lion_optimizer") else "AdamW"
    name = str(said.get("optimizer_type", switch)).rpartition(".")[2]
    known = OPTIMIZERS.get(name.lower())
    if known is None:
        reader.tell(
            "optimizer",
            _("Its optimizer {name} is none that Boceto has, and its rates go with it.").format(name=name[:40]),
            _("The optimizer is chosen by the number of drawings; choose one with --optimizer."),
        )
    return known


def _rates(reader: Reader, optimizer: str) -> None:
    said = reader.said
    rate = said.number("unet_lr", said.number("learning_rate", _RATE))
    if rate == 0:
        reader.tell(
            "no-unet",
            _("It trained the text encoders alone; Boceto always trains the UNet."),
            _("A style needs the UNet."),
        )
        return
    reader.take("learning_rate", rate, "unet_lr")
    if "text_encoder_lr" not in said and not reader.choices.get("text_encoders"):
        return
    told = said.get("text_encoder_lr", said.number("learning_rate", _RATE))
    each = [number for one in (told if isinstance(told, list) else [told]) if (number := finite(one)) is not None]
    if len(set(each)) > 1:
        reader.tell(
            "two-text-encoders",
            _("Its two text encoders have rates of their own; here both take the first, {rate}.").format(rate=each[0]),
        )
    if each and each[0] > 0:
        reader.take("text_encoder_rate", each[0], "text_encoder_lr")
    if optimizer == "prodigy" and reader.choices.get("text_encoders") and each and each[0] != rate:
        reader.tell(
            "prodigy-rates",
            _("Prodigy has one rate for all: the text encoders learn at {rate} too.").format(rate=rate),
        )
    if optimizer == "prodigy" and each and each[0] > 0:
        reader.choices["text_encoder_rate"] = reader.choices.get("learning_rate", each[0])


def _scheduler(reader: Reader) -> None:
    said = reader.said
    name = str(said.get("lr_scheduler", "constant"))
    power = said.number("lr_scheduler_power", 1)
    if name == "polynomial" and power == 1:
        name = "linear"
    other = name == "polynomial" and power != POLYNOMIAL_POWER
    if name not in _SCHEDULERS or other or "lr_scheduler_type" in said:
        reader.tell(
            "scheduler",
            _("Its scheduler {name} is none that Boceto has.").format(
                name=str(said.get("lr_scheduler_type", name)).rpartition(".")[2][:40]
            ),
            _("The optimizer's usual one is taken; choose one with --scheduler."),
        )
        return
    reader.take("scheduler", _SCHEDULERS[name], "lr_scheduler")
    if name == "constant":
        reader.take("warmup", 0.0, "lr_warmup_steps")
        return
    _warmup(reader)


def _warmup(reader: Reader) -> None:
    said = reader.said
    told = said.number("lr_warmup_steps")
    steps = said.steps or (None if "max_train_epochs" in said else int(said.number("max_train_steps", 1600)))
    if told < 1:
        reader.take("warmup", told, "lr_warmup_steps")
    elif steps:
        reader.take("warmup", round(told / steps, 6), "lr_warmup_steps")
    else:
        reader.note(
            "warmup",
            _("It warms up for {steps} steps, and does not say how many there are.").format(steps=int(told)),
            _("The optimizer's usual share is taken; choose one with --warmup."),
        )
