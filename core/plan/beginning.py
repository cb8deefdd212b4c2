"""The LoRA file that a training begins from: known to be one, and to fit the plan, before anything is loaded."""

from hashlib import file_digest
from pathlib import Path

from msgspec.structs import replace

from core.errors import BocetoError
from core.language import _
from core.lora.header import read_lora
from core.lora.keys import TEXT_ENCODERS
from core.lora.parts import block_ranks, text_encoder_rank
from core.settings import Settled


def beginning(plan: Settled) -> tuple[Settled, str]:
    """The plan with the whole path of its LoRA file, and the file's sha256; empty where it begins from nothing.

    Raises BocetoError for what is no LoRA file, and for one that has more than the plan trains.
    """
    if not plan.init_lora:
        return plan, ""
    path = Path(plan.init_lora).expanduser().absolute()
    rank, conv_rank, texts = 0, 0, False
    tensors = read_lora(path).shapes
    if not plan.dora and any(name.endswith(".dora_scale") for name in tensors):
        raise BocetoError(
            _("The LoRA “{path}” holds more than this plan can.").format(path=path.name),
            _("It is a DoRA."),
            _("Train a DoRA (--dora), or begin from another LoRA."),
        )
    for name, shape in tensors.items():
        if name.endswith(".lora_down.weight") and shape:
            texts = texts or name.startswith(tuple(TEXT_ENCODERS.values()))
            if len(shape) == 4 and shape[-1] > 1:
                conv_rank = max(conv_rank, shape[0])
            else:
                rank = max(rank, shape[0])
    most = max(*block_ranks(plan).values(), text_encoder_rank(plan)[0] if plan.text_encoders else 0)
    if rank > most or conv_rank > plan.conv_rank:
        given, own, flag = (rank, most, "--rank") if rank > most else (conv_rank, plan.conv_rank, "--conv-rank")
        raise BocetoError(
            _("The LoRA “{path}” holds more than this plan can.").format(path=path.name),
            _("It has rank {given} where the plan has {own}.").format(given=given, own=own),
            _("Set {flag} {given}, or begin from another LoRA.").format(flag=flag, given=given),
        )
    if texts and not plan.text_encoders:
        raise BocetoError(
            _("The LoRA “{path}” holds more than this plan can.").format(path=path.name),
            _("It changes the text encoders, which the plan leaves alone."),
            _("Train the text encoders too (--text-encoders), or begin from another LoRA."),
        )
    with path.open("rb") as content:
        return replace(plan, init_lora=str(path)), file_digest(content, "sha256").hexdigest()
