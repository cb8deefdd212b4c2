"""The base's blocks as fused kernels, each kind compiled once for each shape; only training uses them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

KINDS = ("BasicTransformerBlock", "ResnetBlock2D")
"""In SDXL 70 and 17 of them, and nearly all of the time; a whole UNet takes far longer to compile and gains little."""
_VARIANTS = 256
"""Shapes and places that one piece of code may be compiled for. Beyond torch's own 8 it would quietly stop."""


class Compiled:
    """The blocks of one UNet, compiled when they are first called and in use only inside `working`.

    Previews and fixed losses have other shapes: compiled too, they would cost more than they could ever save.
    """

    def __init__(self, unet: nn.Module) -> None:
        from torch._dynamo import config

        config.recompile_limit = max(config.recompile_limit, _VARIANTS)
        config.accumulated_recompile_limit = max(config.accumulated_recompile_limit, 16 * _VARIANTS)
        self._calls: dict[nn.Module, Any] = {}
        for module in unet.modules():
            if type(module).__name__ in KINDS:
                module.compile(dynamic=False)
                self._calls[module] = module._compiled_call_impl
        self._use(False)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Blocks are the compiled ones; the backward pass, which may call them again, belongs in here too."""
        self._use(True)
        try:
            yield
        finally:
            self._use(False)

    def forget(self) -> None:
        """Give back what was compiled."""
        self._calls.clear()
        torch._dynamo.reset()

    def _use(self, compiled: bool) -> None:
        for module, call in self._calls.items():
            module._compiled_call_impl = call if compiled else None
