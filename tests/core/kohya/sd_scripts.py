"""What sd-scripts allows in its dataset configuration and reads from its training one, as its `ConfigSanitizer` and its
`read_config_from_file` have it; any other key of a dataset is an error there.
"""

import tomllib
from pathlib import Path
from typing import Any

_SUBSET = {
    "num_repeats": int,
    "shuffle_caption": bool,
    "caption_separator": str,
    "keep_tokens": int,
    "keep_tokens_separator": str,
    "secondary_separator": str,
    "enable_wildcard": bool,
    "caption_prefix": str,
    "caption_suffix": str,
    "color_aug": bool,
    "flip_aug": bool,
    "random_crop": bool,
    "token_warmup_min": int,
    "token_warmup_step": (int, float),
    "caption_dropout_rate": (int, float),
    "caption_dropout_every_n_epochs": int,
    "caption_tag_dropout_rate": (int, float),
    "caption_extension": str,
    "class_tokens": str,
    "cache_info": bool,
}
_DATASET = {
    "batch_size": int,
    "resolution": int,
    "enable_bucket": bool,
    "min_bucket_reso": int,
    "max_bucket_reso": int,
    "bucket_reso_steps": int,
    "bucket_no_upscale": bool,
    "network_multiplier": float,
}
_ONLY_SUBSET = {"image_dir": str, "is_reg": bool, "alpha_mask": bool}
_TRAINING: dict[str, Any] = {
    "pretrained_model_name_or_path": str,
    "network_module": str,
    "network_dim": int,
    "network_alpha": (int, float),
    "network_weights": str,
    "network_args": list,
    "network_train_unet_only": bool,
    "scale_weight_norms": float,
    "unet_lr": float,
    "text_encoder_lr": float,
    "learning_rate": float,
    "optimizer_type": str,
    "optimizer_args": list,
    "lr_scheduler": str,
    "lr_scheduler_num_cycles": int,
    "lr_scheduler_power": float,
    "lr_warmup_steps": (int, float),
    "max_grad_norm": float,
    "max_train_epochs": int,
    "train_batch_size": int,
    "max_token_length": int,
    "min_snr_gamma": float,
    "debiased_estimation_loss": bool,
    "noise_offset": float,
    "multires_noise_iterations": int,
    "multires_noise_discount": float,
    "ip_noise_gamma": float,
    "prior_loss_weight": float,
    "v_parameterization": bool,
    "zero_terminal_snr": bool,
    "gradient_checkpointing": bool,
    "seed": int,
    "mixed_precision": str,
    "full_fp16": bool,
    "full_bf16": bool,
    "no_half_vae": bool,
    "sdpa": bool,
    "loss_type": str,
    "masked_loss": bool,
    "cache_latents": bool,
    "cache_text_encoder_outputs": bool,
    "max_data_loader_n_workers": int,
    "persistent_data_loader_workers": bool,
    "resolution": str,
    "output_dir": str,
    "output_name": str,
    "save_model_as": str,
    "save_precision": str,
    "save_every_n_epochs": int,
    "save_every_n_steps": int,
    "save_last_n_epochs": int,
    "save_last_n_steps": int,
    "save_state": bool,
    "save_last_n_epochs_state": int,
    "no_metadata": bool,
    "metadata_trigger_phrase": str,
    "training_comment": str,
    "sample_every_n_epochs": int,
    "sample_prompts": str,
    "sample_sampler": str,
    "validation_split": float,
    "validate_every_n_epochs": int,
}
_CHOICES = {
    "max_token_length": (150, 225),
    "mixed_precision": ("no", "fp16", "bf16"),
    "save_precision": ("float", "fp16", "bf16"),
    "lr_scheduler": ("constant", "constant_with_warmup", "cosine", "cosine_with_restarts", "linear", "polynomial"),
    "optimizer_type": ("AdamW8bit", "Prodigy", "AdamW"),
}


def dataset(path: Path) -> dict[str, Any]:
    """The configuration, once every key and type is allowed."""
    config = tomllib.loads(path.read_text("utf-8"))
    assert set(config) <= {"general", "datasets"}
    _allowed(config["general"], _SUBSET | _DATASET)
    for one in config["datasets"]:
        subsets = one.pop("subsets")
        _allowed(one, _SUBSET | _DATASET)
        for subset in subsets:
            _allowed(subset, _SUBSET | _ONLY_SUBSET)
            assert "image_dir" in subset
        one["subsets"] = subsets
    # SDXL takes no other (`verify_bucket_reso_steps(32)`), nor a bucket's limits on the wrong side of the resolution.
    general = config["general"]
    assert general["min_bucket_reso"] <= general["resolution"] <= general["max_bucket_reso"]
    return config


def training(path: Path) -> dict[str, Any]:
    """Every option, in one flat table as sd-scripts makes it; Boceto's own are apart from it by their names."""
    flat: dict[str, Any] = {}
    for section in tomllib.loads(path.read_text("utf-8")).values():
        assert not set(section) & set(flat), "a later section would win"
        flat |= section
    theirs = {key: value for key, value in flat.items() if not key.startswith("boceto_")}
    _allowed(theirs, _TRAINING)
    for key, options in _CHOICES.items():
        assert theirs.get(key, options[0]) in options, key
    for key in ("optimizer_args", "network_args"):
        for argument in theirs.get(key, []):
            assert argument.count("=") == 1 and " =" not in argument
    # `get_scheduler_fix` raises for these.
    assert theirs["lr_scheduler"] != "constant" or not theirs["lr_warmup_steps"]
    assert theirs["seed"] < 2**32
    if theirs.get("cache_text_encoder_outputs"):
        assert theirs["network_train_unet_only"]
    return flat


def _allowed(table: dict[str, Any], schema: dict[str, Any]) -> None:
    for key, value in table.items():
        assert key in schema, f"sd-scripts knows no {key}"
        kinds = schema[key] if isinstance(schema[key], tuple) else (schema[key],)
        # To voluptuous True is no int.
        assert type(value) in kinds, f"{key} = {value!r}"
