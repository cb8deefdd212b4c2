"""What a LoRA says of its own training (`ss_*`), in the names of sd-scripts."""

import json
import re
from pathlib import Path
from typing import Any

from core.header import Header
from core.kohya.said import Folder, Said, unreadable
from core.kohya.terms import OWN, literal
from core.language import _
from core.lora.header import read_lora

_OPTIMIZER = re.compile(r"^([\w.]+)(?:\((.*)\))?$", re.DOTALL)
_ARGUMENT = re.compile(r"(\w+)=((?:\[[^\]]*\]|\([^)]*\)|[^,])*)")
_NAMES = {
    "num_epochs": "max_train_epochs",
    "batch_size_per_device": "train_batch_size",
    "debiased_estimation": "debiased_estimation_loss",
}
_KEPT = frozenset(
    """
    learning_rate unet_lr text_encoder_lr network_module network_dim network_alpha network_dropout lr_scheduler
    gradient_checkpointing gradient_accumulation_steps max_grad_norm max_token_length seed noise_offset min_snr_gamma
    multires_noise_iterations multires_noise_discount adaptive_noise_scale ip_noise_gamma scale_weight_norms
    caption_dropout_rate caption_dropout_every_n_epochs caption_tag_dropout_rate prior_loss_weight loss_type v2
    full_fp16 mixed_precision noise_offset_random_strength ip_noise_gamma_random_strength resolution color_aug flip_aug
    random_crop shuffle_caption keep_tokens bucket_no_upscale num_epochs batch_size_per_device debiased_estimation
    face_crop_aug_range lr_warmup_steps max_train_steps
    """.split()
)


def said_by_lora(path: Path) -> Said:
    """What a LoRA file tells; raises BocetoError for a file that is none, or that tells nothing."""
    header = read_lora(path)
    metadata = header.metadata
    if "ss_network_dim" not in metadata and "ss_learning_rate" not in metadata:
        raise unreadable(path, _("This LoRA does not say how it was trained: that was left out or removed."))
    options: dict[str, Any] = {}
    for name, value in metadata.items():
        key = name.removeprefix("ss_")
        if name.startswith("ss_") and key in _KEPT:
            options[_NAMES.get(key, key)] = literal(value)
    options |= _optimizer(metadata.get("ss_optimizer", ""))
    options["network_args"] = _table(metadata.get("ss_network_args", ""))
    if metadata.get("ss_training_comment", "").startswith("boceto"):
        options[OWN + "held_out"] = literal(metadata.get("ss_num_validation_images", "0"))
    folders, dataset = _datasets(metadata)
    options |= dataset
    steps = literal(metadata.get("ss_max_train_steps", ""))
    return Said(
        source=path,
        options=options,
        training=True,
        dataset=bool(dataset) or "keep_tokens" in options,
        folders=tuple(folders),
        text_encoders=_text_encoders(header),
        steps=steps if isinstance(steps, int) and steps > 0 else None,
        word=metadata.get("modelspec.trigger_phrase", ""),
        model=metadata.get("ss_sd_model_name", ""),
        plan=_table(metadata.get("boceto.plan", "")),
        unsaid=_unsaid(options),
    )


def _unsaid(options: dict[str, Any]) -> frozenset[str]:
    """What no metadata tell: there sd-scripts' default would be a guess."""
    return frozenset({"lr_scheduler_num_cycles", "save_every_n_epochs", "num_repeats", "alpha_mask"} - options.keys())


def _text_encoders(header: Header) -> bool:
    return any(name.startswith(("lora_te1_", "lora_te2_", "lora_te_")) for name in header.shapes)


def _optimizer(text: str) -> dict[str, Any]:
    """`bitsandbytes.optim.adamw.AdamW8bit(weight_decay=0.1,betas=[0.9, 0.99])` in its two parts."""
    found = _OPTIMIZER.match(text[:2000])
    if not found:
        return {}
    arguments = {name: literal(value) for name, value in _ARGUMENT.findall(found.group(2) or "")}
    return {"optimizer_type": found.group(1), "optimizer_args": arguments}


def _datasets(metadata: dict[str, str]) -> tuple[list[Folder], dict[str, Any]]:
    """The folders, and what holds for all drawings: from the first subset that is no regularisation."""
    folders: list[Folder] = []
    options: dict[str, Any] = {}
    for dataset in _list(metadata.get("ss_datasets", "")):
        if "batch_size_per_device" in dataset:
            options.setdefault("train_batch_size", dataset["batch_size_per_device"])
        if "resolution" in dataset:
            options.setdefault("resolution", dataset["resolution"])
        for subset in _records(dataset.get("subsets")):
            regularisation = bool(subset.get("is_reg"))
            folders.append(Folder("", _count(subset.get("num_repeats")), regularisation))
            if not regularisation:
                for key, value in subset.items():
                    if key not in ("img_count", "image_dir", "is_reg", "class_tokens", "metadata_file"):
                        options.setdefault(key, value)
    if not folders:
        for folder in _table(metadata.get("ss_dataset_dirs", "")).values():
            if isinstance(folder, dict):
                folders.append(Folder("", _count(folder.get("n_repeats"))))
                options.setdefault("num_repeats", folder.get("n_repeats"))
    return folders, options


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _table(text: str) -> dict[str, Any]:
    found = _json(text)
    return found if isinstance(found, dict) else {}


def _list(text: str) -> list[dict[str, Any]]:
    return _records(_json(text))


def _records(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
