"""The flat JSON of the kohya_ss program in the names of sd-scripts."""

from pathlib import Path
from typing import Any

from core.kohya.said import Folder, Said, finite

_NAMES = {
    "epoch": "max_train_epochs",
    "optimizer": "optimizer_type",
    "max_resolution": "resolution",
    "lora_network_weights": "network_weights",
    "sdxl_no_half_vae": "no_half_vae",
    "sdxl_cache_text_encoder_outputs": "cache_text_encoder_outputs",
}
_MODULES = {"standard": "networks.lora", "lycoris/locon": "lycoris.kohya", "kohya locon": "networks.lora"}
_CONV = ("kohya locon", "lycoris/locon")
_ARGUMENTS = (
    *("block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas", "down_lr_weight", "mid_lr_weight"),
    *("up_lr_weight", "rank_dropout", "module_dropout", "loraplus_lr_ratio", "loraplus_unet_lr_ratio"),
    "loraplus_text_encoder_lr_ratio",
)


def is_gui(table: dict[str, Any]) -> bool:
    """Whether a table is one of kohya_ss: these names are its own."""
    return any(name in table for name in ("LoRA_type", "max_resolution", "sdxl_no_half_vae"))


def said_by_gui(source: Path, table: dict[str, Any]) -> Said:
    """What a file of kohya_ss says; its names beyond sd-scripts' are those of a form, and need no mention."""
    options = {_NAMES.get(name, name): value for name, value in table.items() if value not in ("", None, [])}
    kind = str(table.get("LoRA_type", "Standard")).lower()
    options["network_module"] = _MODULES.get(kind, table.get("LoRA_type"))
    arguments = {name: table[name] for name in _ARGUMENTS if table.get(name) not in ("", None)}
    if kind in _CONV:  # with the others the form keeps numbers that are not used
        arguments |= {"conv_dim": table.get("conv_dim") or 0, "conv_alpha": table.get("conv_alpha") or 1}
    if kind == "lycoris/locon":
        arguments |= {"dora_wd": table.get("dora_wd", False), "preset": table.get("LyCORIS_preset") or "full"}
    options["network_args"] = arguments
    if (percent := table.get("lr_warmup")) not in ("", None) and not table.get("lr_warmup_steps"):
        options["lr_warmup_steps"] = (finite(percent) or 0.0) / 100
    # The form writes 0 for “off” where sd-scripts knows no 0.
    for name in ("max_train_epochs", "max_train_steps", "seed", "save_every_n_steps", "sample_every_n_epochs"):
        if str(options.get(name)) in ("0", "0.0"):
            options.pop(name)
    # A number of steps counts before the number of epochs; 0 epochs at most are none.
    if options.get("max_train_steps") and str(table.get("max_train_epochs") or 0) in ("0", "0.0"):
        options.pop("max_train_epochs", None)
    if str(options.get("sdxl", True)).lower() == "false":
        options["v2"] = options.get("v2") or "SD 1.5"
    return Said(
        source=source,
        options=options,
        training=True,
        dataset=True,
        folders=tuple(folders_of(str(table.get("train_data_dir") or ""))),
        loose=True,
    )


def folders_of(parent: str) -> list[Folder]:
    """The folders `10_name` below the one that kohya_ss and sd-scripts' oldest way are given, where they are here."""
    if not parent or not Path(parent).is_dir():
        return []
    found = []
    for folder in sorted(path for path in Path(parent).iterdir() if path.is_dir()):
        number = folder.name.partition("_")[0]
        if number.isascii() and number.isdigit() and int(number) > 0:
            found.append(Folder(str(folder), int(number)))
    return found
