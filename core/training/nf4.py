"""The UNet in 4 bits (NF4, arXiv 2305.14314): a third of the memory for some time and a little exactness."""

from typing import Any

import torch
from torch import nn

from core.bases import load
from core.bases.base import Base
from core.errors import BocetoError
from core.language import _


def unet(base: Base, place: torch.device, dtype: torch.dtype) -> Any:
    """The network that draws, frozen, every linear layer in 4 bits; it computes in `dtype` as before."""
    return shrunk(load.unet(base, torch.device("cpu"), dtype), place, dtype)


def shrunk(whole: Any, place: torch.device, dtype: torch.dtype) -> Any:
    """A frozen UNet with its linear layers in 4 bits. Raises BocetoError without bitsandbytes.

    Layers go to the device one by one, so that the whole need never be there.
    """
    try:
        from bitsandbytes.nn import Linear4bit, Params4bit
    except (ImportError, RuntimeError, OSError) as error:
        raise BocetoError(
            _("The base cannot be kept in 4 bits here."),
            str(error).splitlines()[0],
            _("Install what it needs with `pip install bitsandbytes`, or give the training more memory."),
        ) from error
    for parent in list(whole.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear:
                small = Linear4bit(layer.in_features, layer.out_features, False, compute_dtype=dtype, device="meta")
                small.weight = Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4")
                small.bias = layer.bias
                # Where the CPU has bf16 it would be packed anew, which loses the gradient and fails at odd widths.
                small.support_avx512bf16_for_cpu = False
                setattr(parent, name, small.to(place))
    nn.Module.to(whole, place)  # diffusers' own refuses what it has not made small itself
    whole.is_loaded_in_4bit = True  # peft asks
    return whole.eval().requires_grad_(False)
