"""Which layers a training of another tool has, as choices of a plan."""

from typing import Any

from core.kohya.reader import Reader
from core.kohya.said import finite
from core.kohya.terms import OWN
from core.language import _
from core.lora.module import blocks_of

_OURS = ("networks.lora", "lycoris.kohya", "networks.lora_sdxl")
_LIKE_LORA = ("", "lora", "locon", "none")
_LAYERS = ("dropout", "rank_dropout", "module_dropout", "use_cp", "use_tucker", "train_norm")
_BLOCKS = ("block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas")
_FIELDS = {"down": "down_rank", "mid": "mid_rank", "up": "up_rank"}
_BLOCK_RATES = ("down_lr_weight", "mid_lr_weight", "up_lr_weight", "block_lr_zero_threshold")
_LORA_PLUS = ("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio")


def network(reader: Reader) -> None:
    """Ranks, alphas, and which of the base's parts are trained."""
    said = reader.said
    arguments = said.arguments("network_args")
    module, kind = str(said.get("network_module", "networks.lora")), str(arguments.get("algo", "")).lower()
    if module not in _OURS or kind not in _LIKE_LORA:
        reader.tell(
            "other-network",
            _("It trained layers of another kind ({kind}); Boceto trains a LoRA.").format(kind=kind or module),
            _("Ranks of another kind do not compare: 8 is a good beginning for a style."),
        )
        for field in ("rank", "alpha"):
            reader.choices.pop(field, None)
    else:
        conv = arguments.get("conv_dim", arguments.get("conv_rank", 0))
        reader.take("conv_rank", conv or 0, "conv_dim")
        if reader.choices.get("conv_rank"):
            reader.take("conv_alpha", arguments.get("conv_alpha") or 1.0, "conv_alpha")
    reader.take("dora", _is_on(arguments.get("dora_wd")), "dora_wd")
    if reader.choices.get("dora") and arguments.get("wd_on_output") in (False, "False"):
        reader.note("dora", _("Its DoRA goes by the columns of a layer; Boceto's goes by the rows."))
    alone = str(said.get("network_alpha")) in ("0", "0.0")
    if alone and "rank" in reader.choices:  # 0 stands for the rank there
        reader.problems = [problem for problem in reader.problems if "network_alpha" not in problem.message]
        reader.take("alpha", reader.choices["rank"], "network_alpha")
    if arguments.get("preset") in ("attn-only", "attn-mlp"):
        reader.take("layers", arguments["preset"], "preset")
    if _parts(reader, arguments):
        arguments = {name: value for name, value in arguments.items() if name not in _BLOCKS}
    _told(reader, arguments)
    trained = _text_encoders(reader)
    reader.choices["text_encoders"] = trained
    if said.is_on("network_train_text_encoder_only"):
        reader.tell(
            "no-unet",
            _("It trained the text encoders alone; Boceto always trains the UNet."),
            _("A style needs the UNet."),
        )


def _parts(reader: Reader, arguments: dict[str, object]) -> bool:
    """Ranks of the UNet's blocks as ranks of its parts; whether they say nothing more than that."""
    dims = arguments.get("block_dims")
    if not isinstance(dims, tuple):
        return False
    found = blocks_of(dims)
    rank, alpha = reader.choices.get("rank"), reader.choices.get("alpha")
    if found is None or not rank or not alpha:
        return False
    for part, own in found.items():
        before = reader.said.get(OWN + _FIELDS[part])
        if own != (rank if before is None else before):
            reader.take(_FIELDS[part], own, "block_dims")
    conv = _one(arguments.get("conv_block_dims"))
    if conv:
        reader.take("conv_rank", conv, "conv_block_dims")
        reader.take("conv_alpha", _one(arguments.get("conv_block_alphas")) or 1.0, "conv_block_alphas")
    alphas = arguments.get("block_alphas", ())
    given = {finite(one) for dim, one in zip(dims, alphas if isinstance(alphas, tuple) else (), strict=False) if dim}
    if given - {float(alpha)}:
        reader.note(
            "block-alphas",
            _("Its blocks have alphas of their own; here all have {alpha}.").format(alpha=alpha),
            _("Choose one alpha with --alpha."),
        )
    return conv is not None or "conv_block_dims" not in arguments


def _one(values: object) -> Any:
    """The one value beside 0 of a list of blocks."""
    found = {value for value in values if value} if isinstance(values, tuple) else set()
    return found.pop() if len(found) == 1 else None


def _text_encoders(reader: Reader) -> bool:
    said = reader.said
    if said.text_encoders is not None:
        return said.text_encoders
    if said.is_on("network_train_unet_only") or said.is_on("cache_text_encoder_outputs"):
        return False
    rate = said.get("text_encoder_lr")
    each = rate if isinstance(rate, list) else [rate]
    return not (rate is not None and all(str(one) in ("0", "0.0") for one in each))


def _told(reader: Reader, arguments: dict[str, object]) -> None:
    found = {
        "blocks": [name for name in (*_BLOCKS, *_BLOCK_RATES) if arguments.get(name)],
        "lora-plus": [name for name in _LORA_PLUS if arguments.get(name)],
        "layers": [name for name in _LAYERS if _is_on(arguments.get(name))],
    }
    if reader.said.number("network_dropout"):
        found["layers"].append("network_dropout")
    words = {
        "blocks": _("It gives blocks of the UNet ranks or rates of their own ({names}); Boceto gives all the same."),
        "lora-plus": _("It has two rates for the halves of a layer, LoRA+ ({names}); Boceto has one."),
        "layers": _("It changes how the layers learn ({names}); Boceto does not know this."),
    }
    for code, names in found.items():
        if names:
            reader.tell(code, words[code].format(names=", ".join(names)), _("It is passed over."))


def _is_on(value: object) -> bool:
    return value not in (None, 0, 0.0, "", "0", "0.0", False, "False", "false", "None")
