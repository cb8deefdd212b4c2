"""The names of a plan's choices as people read them."""

from typing import get_args

from core.language import _
from core.settings import OptimizerName

OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)


def label(name: str) -> str:
    """What a field of `Plan` is called on a screen."""
    return {
        "repeats": _("Repeats"),
        "folder_repeats": _("Repeats by folder"),
        "epochs": _("Epochs"),
        "batch_size": _("Batch size"),
        "gpus": _("GPUs"),
        "optimizer": _("Optimizer"),
        "learning_rate": _("Learning rate"),
        "text_encoder_rate": _("Text encoders' rate"),
        "weight_decay": _("Weight decay"),
        "betas": _("Betas"),
        "d_coef": _("Factor on the pace"),
        "d0": _("Pace to start from"),
        "scheduler": _("Scheduler"),
        "restarts": _("Restarts"),
        "warmup": _("Warm-up"),
        "max_grad_norm": _("Longest gradient"),
        "rank": _("Rank"),
        "alpha": _("Alpha"),
        "layers": _("Layers"),
        "down_rank": _("Rank in first blocks"),
        "mid_rank": _("Rank in the middle"),
        "up_rank": _("Rank in last blocks"),
        "conv_rank": _("Convolutions' rank"),
        "conv_alpha": _("Convolutions' alpha"),
        "dora": _("DoRA"),
        "text_encoders": _("Train text encoders"),
        "text_encoder_rank": _("Text encoders' rank"),
        "text_encoder_alpha": _("Text encoders' alpha"),
        "init_lora": _("Begin from this LoRA"),
        "scale_weight_norms": _("Strongest layer"),
        "ema": _("Average (EMA)"),
        "min_snr_gamma": _("Min-SNR gamma"),
        "debiased": _("Debiased weights"),
        "noise_offset": _("Noise offset"),
        "multires_iterations": _("Coarser noises"),
        "multires_discount": _("Their discount"),
        "ip_noise_gamma": _("Input perturbation"),
        "masked_loss": _("Only opaque parts"),
        "prior_pictures": _("Base's own pictures"),
        "regularisation": _("Folder in their place"),
        "prior_weight": _("Their weight"),
        "shuffle_tags": _("Shuffle tags"),
        "keep_tokens": _("Tags kept in front"),
        "tag_orders": _("Orders of tags"),
        "caption_dropout": _("Caption dropout"),
        "tag_dropout": _("Tag dropout"),
        "caption_chunks": _("Caption pieces"),
        "flip": _("Mirror drawings"),
        "held_out": _("Held out"),
        "resolution": _("Resolution"),
        "precision": _("Precision"),
        "memory": _("Most GPU memory (GB)"),
        "checkpointing": _("Save memory"),
        "nf4": _("Base in 4 bits"),
        "gear": _("Gear"),
        "attention": _("Attention"),
        "layout": _("Memory layout"),
        "fp32_products": _("Products in fp32"),
        "seed": _("Seed"),
        "save_every": _("Save every … epochs"),
        "save_every_steps": _("Save every … steps"),
        "keep_last": _("Keep the last … files"),
        "save_precision": _("File's precision"),
        "preview_every": _("Preview every … epochs"),
        "preview_prompts": _("Preview prompts"),
        "preview_steps": _("Preview steps"),
        "checkpoint_seconds": _("Checkpoint seconds"),
        "time_budget": _("Time budget (minutes)"),
        "tag_counts": _("Tag counts in the file"),
        "file_names": _("File names in the file"),
    }.get(name, name)


def optimizer_name(name: OptimizerName) -> str:
    """An optimizer as it is written."""
    return {"adamw8bit": "AdamW8bit", "prodigy": "Prodigy", "adamw": "AdamW"}[name]
