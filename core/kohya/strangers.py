"""Options of sd-scripts that change a training and that no plan of ours has, and options that nobody has."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from core.kohya.reader import Reader, brief
from core.kohya.terms import OWN, TERMS
from core.language import _

_NOISE = {
    "adaptive_noise_scale": 0,
    "noise_offset_random_strength": False,
    "ip_noise_gamma_random_strength": False,
    "min_timestep": 0,
    "max_timestep": 1000,
    "scale_v_pred_loss_like_noise_pred": False,
    "v_pred_like_loss": 0,
    "loss_type": "l2",
}
_CAPTIONS = {
    "caption_prefix": "",
    "caption_suffix": "",
    "caption_dropout_every_n_epochs": 0,
    "token_warmup_step": 0,
    "keep_tokens_separator": "",
    "secondary_separator": "",
    "enable_wildcard": False,
    "weighted_captions": False,
    "no_token_padding": False,
}
_DRAWINGS = {
    "color_aug": False,
    "random_crop": False,
    "face_crop_aug_range": "",
    "bucket_no_upscale": False,
    "stop_text_encoder_training": 0,
    "stop_text_encoder_training_pct": 0,
}
_BASES = {"v2": False, "base_weights": "", "fp8_base": False, "fp8_base_unet": False}
# Understood elsewhere, or without any weight in what is learned: machines, folders, logs, names.
_SILENT = frozenset(
    """
    unet_lr text_encoder_lr learning_rate network_module network_args network_dropout network_train_unet_only
    network_train_text_encoder_only dim_from_weights optimizer_type optimizer_args use_8bit_adam use_lion_optimizer
    lr_scheduler lr_scheduler_type lr_scheduler_args lr_scheduler_power lr_warmup_steps lr_decay_steps
    lr_scheduler_timescale lr_scheduler_min_lr_ratio max_train_steps gradient_accumulation_steps min_snr_gamma
    max_token_length seed mixed_precision full_fp16 full_bf16 save_precision resolution pretrained_model_name_or_path
    output_name output_dir metadata_trigger_phrase sample_every_n_epochs sample_every_n_steps sample_prompts
    sample_sampler sample_at_first image_dir class_tokens is_reg caption_extension caption_extention caption_separator
    enable_bucket min_bucket_reso max_bucket_reso bucket_reso_steps resize_interpolation network_multiplier cache_info
    v_parameterization zero_terminal_snr clip_skip vae tokenizer_cache_dir no_half_vae sdpa xformers mem_eff_attn lowram
    highvram cache_latents cache_latents_to_disk cache_text_encoder_outputs cache_text_encoder_outputs_to_disk
    skip_cache_check vae_batch_size text_encoder_batch_size torch_compile dynamo_backend max_data_loader_n_workers
    persistent_data_loader_workers cpu_offload_checkpointing disable_mmap_load_safetensors blocks_to_swap
    fused_backward_pass ddp_timeout ddp_gradient_as_bucket_view ddp_static_graph save_model_as save_n_epoch_ratio
    save_last_n_steps save_last_n_epochs_state save_last_n_steps_state save_state save_state_on_train_end
    save_state_to_huggingface resume resume_from_huggingface initial_epoch initial_step skip_until_initial_step
    huggingface_repo_id huggingface_repo_type huggingface_path_in_repo huggingface_token huggingface_repo_visibility
    async_upload no_metadata training_comment logging_dir log_with log_prefix log_tracker_name log_tracker_config
    log_config wandb_run_name wandb_api_key validation_seed validation_split validate_every_n_steps
    validate_every_n_epochs max_validation_steps train_data_dir reg_data_dir in_json dataset_class dataset_config
    dataset_repeats config_file output_config debug_dataset huber_schedule huber_c huber_scale token_warmup_min
    base_weights_multiplier custom_attributes batch_size prior_loss_weight multires_noise_discount console_log_level
    console_log_file console_log_simple metadata_title metadata_author metadata_description metadata_license
    metadata_tags metadata_usage_hint metadata_thumbnail metadata_merged_from metadata_preprocessor
    metadata_is_negative_embedding conditioning_data_dir weighting_scheme logit_mean logit_std mode_scale deepspeed
    zero_stage offload_optimizer_device offload_optimizer_nvme_path offload_param_device offload_param_nvme_path
    masked_loss alpha_mask zero3_init_flag zero3_save_16bit_model fp16_master_weights_and_gradients
    """.split()
)
_KNOWN = {term.key for term in TERMS} | _SILENT


def strangers(reader: Reader) -> None:
    """Say what is passed over."""
    groups: tuple[tuple[str, dict[str, Any], Callable[[], str]], ...] = (
        ("noise", _NOISE, lambda: _("Of the noise and the loss, Boceto does not know {options}.")),
        ("caption-options", _CAPTIONS, lambda: _("Of the captions, Boceto does not know {options}.")),
        ("drawing-options", _DRAWINGS, lambda: _("Of the drawings, Boceto does not know {options}.")),
        ("base-options", _BASES, lambda: _("Of the base, Boceto does not know {options}.")),
    )
    options = {key: reader.said.get(key) for key in reader.said.options}
    for code, group, words in groups:
        found = [
            f"{key} = {brief(options[key])}"
            for key, usual in group.items()
            if options.get(key) is not None and not _alike(options[key], usual)
        ]
        if found:
            reader.tell(code, words().format(options=", ".join(found)), _("It is passed over."))
    _folders(reader)
    known = _KNOWN.union(*(group for _code, group, _words in groups))
    told = {key for key, value in options.items() if value is not None and not key.startswith(OWN)}
    unknown = sorted(told - known)
    if unknown and not reader.said.loose:
        reader.note(
            "unknown",
            _("Neither sd-scripts nor Boceto knows {keys}.").format(keys=", ".join(map(brief, unknown[:8]))),
            _("See whether a name is misspelt: sd-scripts passes over what it does not know, and says nothing."),
        )


def _folders(reader: Reader) -> None:
    folders = reader.said.folders
    beside = [folder.path for folder in folders if folder.regularisation]
    if len(beside) == 1 and beside[0] and Path(beside[0]).is_dir():
        reader.take("regularisation", beside[0], "image_dir")
        reader.choices.pop("prior_pictures", None)
    elif beside:
        reader.tell(
            "regularisation",
            _("It has regularisation images in several folders, or in one that is not on this disk."),
            _("Name one with --regularisation, or let the base make such pictures: --prior-pictures says how many."),
        )
    # A folder “10_hands” with 10 repeats is read so here as well.
    repeats = Counter(
        folder.repeats
        for folder in folders
        if not folder.regularisation
        and folder.repeats is not None
        and (len(folders) == 1 or not PurePath(folder.path).name.startswith(f"{folder.repeats}_"))
    )
    usual = repeats.most_common(1)[0][0] if repeats else None
    if "repeats" in reader.choices:
        reader.take("repeats", usual, "num_repeats")
    if len(repeats) > 1:
        reader.take("repeats", usual, "num_repeats")
    if len(repeats) > 1:
        reader.tell(
            "repeats",
            _("Its folders have repeats of their own ({repeats}); here all have {usual}.").format(
                repeats=", ".join(map(str, sorted(repeats))), usual=usual
            ),
            _("Call a folder “10_hands”, and its drawings are seen 10 times in an epoch."),
        )


def _alike(value: Any, usual: Any) -> bool:
    """Whether a value is the usual one, written in any of the ways that JSON, TOML and metadata have."""
    empty = ("", "none", "false", "0", "0.0", "[]", "()")
    text = str(value).strip().lower()
    return text == str(usual).lower() or (text in empty and str(usual).lower() in empty)
