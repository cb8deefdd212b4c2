"""The choices of a plan in the words of sd-scripts, declared once for writing and for reading.

Names, meanings and defaults are those of sd-scripts' `sdxl_train_network.py` and of its dataset configuration.
"""

import ast
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from core.settings import OptimizerName

Table = Literal["network_arguments", "optimizer_arguments", "training_arguments", "saving_arguments", "dataset"]
"""The tables of the notebook's `training_config.toml` (sd-scripts itself passes their names over), and the dataset's
own file."""

OWN = "boceto_"
"""What stands before a choice that sd-scripts has no word for. It takes any key and passes over those it does not
know, so the whole plan comes back from a file that it can train with."""


class Term(Struct, frozen=True):
    """One choice that means the same here and there."""

    field: str
    key: str
    table: Table
    default: Any = None
    """What sd-scripts takes when the key is missing; None where it takes nothing that a plan could hold."""
    off: float | bool | str | None = None
    """The choice that is written by leaving the key out."""


TERMS = (
    Term("rank", "network_dim", "network_arguments", default=4),
    Term("alpha", "network_alpha", "network_arguments", default=1.0),
    Term("init_lora", "network_weights", "network_arguments", default="", off=""),
    Term("scale_weight_norms", "scale_weight_norms", "network_arguments", default=0.0, off=0),
    Term("max_grad_norm", "max_grad_norm", "optimizer_arguments", default=1.0),
    Term("restarts", "lr_scheduler_num_cycles", "optimizer_arguments", default=1),
    Term("epochs", "max_train_epochs", "training_arguments"),
    Term("batch_size", "train_batch_size", "training_arguments", default=1),
    Term("debiased", "debiased_estimation_loss", "training_arguments", default=False, off=False),
    Term("noise_offset", "noise_offset", "training_arguments", default=0.0, off=0),
    Term("multires_iterations", "multires_noise_iterations", "training_arguments", default=0, off=0),
    Term("multires_discount", "multires_noise_discount", "training_arguments", default=0.3),
    Term("ip_noise_gamma", "ip_noise_gamma", "training_arguments", default=0.0, off=0),
    Term("prior_weight", "prior_loss_weight", "training_arguments", default=1.0),
    Term("checkpointing", "gradient_checkpointing", "training_arguments", default=False),
    Term("save_every", "save_every_n_epochs", "saving_arguments"),
    Term("save_every_steps", "save_every_n_steps", "saving_arguments", default=0, off=0),
    Term("keep_last", "save_last_n_epochs", "saving_arguments", default=0, off=0),
    Term("repeats", "num_repeats", "dataset", default=1),
    Term("shuffle_tags", "shuffle_caption", "dataset", default=False),
    Term("keep_tokens", "keep_tokens", "dataset", default=0),
    Term("caption_dropout", "caption_dropout_rate", "dataset", default=0.0),
    Term("tag_dropout", "caption_tag_dropout_rate", "dataset", default=0.0),
    Term("flip", "flip_aug", "dataset", default=False),
)
OPTIMIZERS: Mapping[str, OptimizerName] = {
    "adamw8bit": "adamw8bit",
    "pagedadamw8bit": "adamw8bit",
    "adamw": "adamw",
    "pagedadamw": "adamw",
    "pagedadamw32bit": "adamw",
    "prodigy": "prodigy",
}
"""sd-scripts' optimizers, in small letters, and what they are here."""
OPTIMIZER_WORDS: Mapping[OptimizerName, str] = {"adamw8bit": "AdamW8bit", "adamw": "AdamW", "prodigy": "Prodigy"}
PRODIGY = {"decouple": True, "use_bias_correction": True, "safeguard_warmup": True}
"""What Prodigy is told here in every training."""

MIXED = {"fp32": "no", "fp16": "fp16", "bf16": "bf16", "auto": "bf16"}
"""Our precision as `mixed_precision`. bf16 for “auto”: every card since 2020 has it."""
SAVED = {"fp32": "float", "fp16": "fp16", "bf16": "bf16"}
"""Our save precision as `save_precision`."""

DRAWINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
"""Endings that sd-scripts opens (`IMAGE_EXTENSIONS`) without packages it does not ask for."""


def pairs(words: Iterable[str]) -> dict[str, Any]:
    """`["weight_decay=0.1", "betas=[0.9,0.99]"]` with each value as Python reads it, or as text where it cannot."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = str(word).partition("=")
        if equals and name.strip():
            found[name.strip()] = literal(value)
    return found


def literal(text: str) -> Any:
    """A value as Python reads it (`0.1`, `[0.9, 0.99]`, `True`, `None`), or the text itself."""
    # Beyond this nothing is a value of ours, and Python's parser gives out at deep nesting.
    if len(text) > 1000:
        return text
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text.strip()


def unpaired(values: Mapping[str, Any]) -> list[str]:
    """The way back: sd-scripts splits each at its only `=` and reads the value as Python does."""
    return [f"{name}={list(value) if isinstance(value, tuple) else value}" for name, value in values.items()]
