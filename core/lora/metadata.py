"""What a LoRA file says about itself, in the words of sd-scripts (`ss_*`) and of Stability's model spec.

Times and session numbers are left out, as they would make two files of the same training differ.
"""

import json
from collections import Counter
from importlib.metadata import version

import msgspec
from msgspec.structs import replace

from core.bases.base import fingerprint
from core.captions.caption import tags_of
from core.lora.module import network_args, network_module
from core.plan.frozen import FrozenPlan
from core.settings import Plan, Settled

_OPTIMIZERS = {
    "adamw8bit": "bitsandbytes.optim.adamw.AdamW8bit",
    "adamw": "torch.optim.adamw.AdamW",
    "prodigy": "prodigyopt.prodigy.Prodigy",
}
_DATASET = "dataset"
"""Stands for the folder's name, which stays at home unless asked for."""
_REGULARISATION = {"num_repeats": 1, "image_dir": "regularisation", "is_reg": True}


def metadata(frozen: FrozenPlan, *, step: int, epoch: int, total: int, chunks: int, precision: str) -> dict[str, str]:
    """Everything about a LoRA file saved after `step` steps; every value is text, as the format wants it."""
    plan, base = frozen.plan, frozen.base
    images = sum(one.repeats or plan.repeats for one in frozen.trained)
    folder = frozen.dataset.rstrip("/").rsplit("/", 1)[-1] if plan.file_names else _DATASET
    said: dict[str, object] = {
        "ss_output_name": frozen.project,
        "ss_base_model_version": "sdxl_base_v1-0",
        # Not `ss_sd_model_hash`: that is the hash of one file, and a base in the layout of diffusers has several.
        "boceto.base": fingerprint(base, "unet"),
        "ss_network_module": network_module(plan),
        "ss_network_dim": plan.rank,
        "ss_network_alpha": plan.alpha,
        "ss_network_dropout": None,
        "ss_learning_rate": plan.learning_rate,
        "ss_unet_lr": plan.learning_rate,
        "ss_text_encoder_lr": plan.text_encoder_rate if plan.text_encoders else None,
        "ss_optimizer": _optimizer(plan),
        "ss_lr_scheduler": plan.scheduler,
        "ss_lr_warmup_steps": round(plan.warmup * total),
        "ss_max_grad_norm": plan.max_grad_norm,
        "ss_max_train_steps": total,
        "ss_num_epochs": plan.epochs,
        "ss_num_batches_per_epoch": total // plan.epochs,
        "ss_steps": step,
        "ss_epoch": epoch,
        "ss_num_train_images": images,
        "ss_num_validation_images": len(frozen.drawings) - len(frozen.trained),
        "ss_num_reg_images": len(frozen.regularisation),
        "ss_prior_loss_weight": plan.prior_weight,
        "ss_gradient_checkpointing": plan.checkpointing,
        "ss_gradient_accumulation_steps": 1,
        "ss_mixed_precision": {"fp32": "no"}.get(precision, precision),
        "ss_full_fp16": False,
        "ss_v2": False,
        "ss_clip_skip": None,
        "ss_max_token_length": 75 * chunks,
        "ss_cache_latents": True,
        "ss_seed": plan.seed,
        "ss_lowram": False,
        "ss_noise_offset": plan.noise_offset or None,
        "ss_multires_noise_iterations": plan.multires_iterations or None,
        "ss_multires_noise_discount": plan.multires_discount if plan.multires_iterations else None,
        "ss_ip_noise_gamma": plan.ip_noise_gamma or None,
        "ss_min_snr_gamma": None if plan.debiased else plan.min_snr_gamma or None,
        "ss_debiased_estimation": plan.debiased,
        "ss_scale_weight_norms": plan.scale_weight_norms or None,
        "ss_zero_terminal_snr": base.zero_terminal_snr,
        "ss_caption_dropout_rate": plan.caption_dropout,
        "ss_caption_tag_dropout_rate": plan.tag_dropout,
        "ss_loss_type": "l2",
        "ss_training_comment": f"boceto {version('boceto')}",
        "ss_datasets": json.dumps([_dataset(frozen, folder)]),
        "ss_dataset_dirs": json.dumps({folder: {"n_repeats": plan.repeats, "img_count": len(frozen.trained)}}),
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": frozen.project,
        "modelspec.resolution": f"{plan.resolution}x{plan.resolution}",
        "modelspec.prediction_type": "epsilon" if base.prediction == "epsilon" else "v",
        "modelspec.trigger_phrase": frozen.activation_word,
        "modelspec.usage_hint": f"Begin the prompt with “{frozen.activation_word}”." if frozen.activation_word else "",
    }
    if plan.file_names:
        said["ss_sd_model_name"] = base.name
    if plan.tag_counts:
        said["ss_tag_frequency"] = json.dumps({folder: _tag_counts(frozen)}, ensure_ascii=False)
    if arguments := network_args(plan):
        said["ss_network_args"] = json.dumps({name: str(value) for name, value in arguments.items()})
    said["boceto.plan"] = msgspec.json.encode(_shown(plan)).decode()
    return {name: str(value) for name, value in said.items() if value != ""}


def _shown(plan: Settled) -> Settled:
    """Without the prompts, which are captions of drawings, a path on this disk, and what shapes nothing of the file."""
    usual = Plan()
    return replace(
        plan,
        preview_prompts=(),
        init_lora="",
        regularisation="",
        checkpoint_seconds=usual.checkpoint_seconds,
        time_budget=usual.time_budget,
    )


def _optimizer(plan: Settled) -> str:
    arguments: dict[str, object] = {"weight_decay": plan.weight_decay, "betas": list(plan.betas)}
    if plan.optimizer == "prodigy":
        arguments |= {
            "d_coef": plan.d_coef,
            "d0": plan.d0,
            "decouple": True,
            "use_bias_correction": True,
            "safeguard_warmup": True,
        }
    return f"{_OPTIMIZERS[plan.optimizer]}({','.join(f'{name}={value}' for name, value in arguments.items())})"


def _dataset(frozen: FrozenPlan, folder: str) -> dict[str, object]:
    plan = frozen.plan
    buckets = Counter((drawing.placement.bucket.width, drawing.placement.bucket.height) for drawing in frozen.trained)
    return {
        "is_dreambooth": True,
        "batch_size_per_device": plan.batch_size,
        "num_train_images": sum(one.repeats or plan.repeats for one in frozen.trained),
        "num_reg_images": len(frozen.regularisation),
        "resolution": [plan.resolution, plan.resolution],
        "enable_bucket": True,
        "bucket_info": {
            "buckets": {
                str(index): {"resolution": list(size), "count": count * plan.repeats}
                for index, (size, count) in enumerate(sorted(buckets.items()))
            }
        },
        "subsets": [
            {
                "img_count": len(frozen.trained),
                "num_repeats": plan.repeats,
                "flip_aug": plan.flip,
                "shuffle_caption": plan.shuffle_tags,
                "keep_tokens": plan.keep_tokens,
                "image_dir": folder,
                "is_reg": False,
            },
            *([_REGULARISATION | {"img_count": len(frozen.regularisation)}] if frozen.regularisation else []),
        ],
    }


def _tag_counts(frozen: FrozenPlan) -> dict[str, int]:
    counts = Counter(tag.lower() for drawing in frozen.trained for tag in tags_of(drawing.caption))
    return dict(counts.most_common())
