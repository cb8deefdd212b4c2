"""Which of a GPU's ways to do the same sum is fastest for this training: attention, memory layout, products in fp32."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from core.language import _
from core.plan.schedule import Step
from core.runs.events import Chosen

if TYPE_CHECKING:
    from core.training.studio import Studio

ATTENTIONS = {
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
}
LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
_TIMES = 3
"""Tries of which the fastest counts."""

Attention = tuple[torch.Size, torch.Size, torch.dtype]
"""Shapes of queries and keys (batch, heads, length, width), and their arithmetic."""
Resnet = tuple[int, tuple[tuple[torch.Size, torch.dtype], ...]]
"""Channels that come out of a residual block, and what goes in."""


class Seen(TorchFunctionMode):
    """What one step asks of attention, and what goes into its residual blocks."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.attention: Counter[Attention] = Counter()
        self.resnets: dict[Resnet, nn.Module] = {}
        self.times: Counter[Resnet] = Counter()
        self._unet = unet

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is functional.scaled_dot_product_attention:
            given = dict(zip(("query", "key"), args, strict=False)) | (kwargs or {})
            query, key = given["query"], given["key"]
            self.attention[query.shape, key.shape, query.dtype] += 1
        return func(*args, **(kwargs or {}))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """All that is called inside."""
        with ExitStack() as hooks:
            for module in self._unet.modules():
                if type(module).__name__ == "ResnetBlock2D":
                    hooks.callback(module.register_forward_pre_hook(self._resnet).remove)
            with self:
                yield

    def _resnet(self, module: Any, inputs: tuple[Tensor, ...]) -> None:
        kind = module.out_channels, tuple((one.shape, one.dtype) for one in inputs)
        self.times[kind] += 1
        self.resnets.setdefault(kind, module)


def tuned(studio: "Studio", step: Step) -> tuple[list[SDPBackend], list[Chosen]]:
    """The attention to prefer, first to last, and everything that was chosen; the layout is already in use.

    Looks at one forward and backward pass of `step`, whose gradients are forgotten.
    """
    chosen, place = [], studio.device.place
    seen = Seen(studio.unet)
    with seen.watching():
        # Of a step in pieces the first is enough: all together they may not fit.
        found = next(studio.losses(studio.data.batch(step, studio.ranks)))
    found.backward()  # type: ignore[no-untyped-call]
    del found
    order, taken = attention(seen.attention, place)
    if order:
        chosen.append(_chosen("attention", taken))
    taken = layout(studio.unet, seen, place)
    if taken:
        chosen.append(_chosen("layout", taken))
    studio.network.zero_grad()
    if studio.device.dtype == torch.float32 and torch.cuda.get_device_capability(place) >= (8, 0):
        torch.backends.cuda.matmul.allow_tf32 = True
        reason = _("convolutions already are by torch's own choice, so exact products would make no step more exact")
        chosen.append(Chosen(field="fp32_products", value="TF32", reason=reason))
    return order, chosen


def attention(calls: Counter[Attention], place: torch.device) -> tuple[list[SDPBackend], dict[str, float]]:
    """The kinds of attention, the fastest first, with the seconds of each in one step; only those that can run."""
    taken = {}
    for name, backend in ATTENTIONS.items():
        try:
            with sdpa_kernel(backend):
                taken[name] = sum(times * _attended(call, place) for call, times in calls.items())
        except RuntimeError:
            continue  # not for this GPU, or not for these shapes
    taken = dict(sorted(taken.items(), key=lambda one: one[1]))
    return [ATTENTIONS[name] for name in taken], taken


def layout(unet: nn.Module, seen: Seen, place: torch.device) -> dict[str, float]:
    """Bring the frozen convolutions into the faster layout; what each takes in the residual blocks of one step."""
    taken = {}
    for name, kind in LAYOUTS.items():
        taken[name] = 0.0
        for which, block in seen.resnets.items():
            lay_out(block, kind)
            inputs = [torch.randn(shape, dtype=dtype, device=place) for shape, dtype in which[1]]
            inputs = [one.contiguous(memory_format=kind) if one.dim() == 4 else one for one in inputs]
            taken[name] += seen.times[which] * _seconds(_passes(block, inputs), place)
    taken = dict(sorted(taken.items(), key=lambda one: one[1]))
    lay_out(unet, LAYOUTS[next(iter(taken))])
    return taken


def lay_out(module: nn.Module, kind: torch.memory_format) -> None:
    """Lay out the frozen convolutions; a LoRA's weights are views into one buffer and stay what they are."""
    for weight in module.parameters():
        if weight.dim() == 4 and not weight.requires_grad:
            weight.data = weight.data.contiguous(memory_format=kind)


def preferring(order: list[SDPBackend]) -> Any:
    """A context in which attention is of the first kind in `order` that can do it."""
    return sdpa_kernel([*order, SDPBackend.MATH], set_priority=True)


def _attended(call: Attention, place: torch.device) -> float:
    (batch, heads, length, width), keys, dtype = call
    query, key, value = (
        # As the UNet has them: heads side by side, seen from another side.
        torch.randn(batch, one, heads, width, device=place, dtype=dtype).transpose(1, 2).requires_grad_()
        for one in (length, keys[2], keys[2])
    )
    return _seconds(_passes(functional.scaled_dot_product_attention, [query, key, value]), place)


def _passes(work: Callable[..., Tensor], inputs: list[Tensor]) -> Callable[[], None]:
    """Forward and backward; in training every picture has a way back."""
    inputs = [one.detach().requires_grad_() for one in inputs]

    def once() -> None:
        answer = work(*inputs)
        torch.autograd.grad(answer, inputs, torch.ones_like(answer))

    return once


def _seconds(work: Callable[[], None], place: torch.device) -> float:
    work()
    found = []
    for _time in range(_TIMES):
        _wait(place)
        began = time.perf_counter()
        work()
        _wait(place)
        found.append(time.perf_counter() - began)
    return min(found)


def _wait(place: torch.device) -> None:
    if place.type == "cuda":
        torch.cuda.synchronize(place)


def _chosen(field: str, taken: dict[str, float]) -> Chosen:
    (best, least), *others = taken.items()
    reason = _("it takes {seconds:.3g} ms of a step").format(seconds=1000 * least)
    for name, seconds in others:
        reason += _(", {name} {seconds:.3g} ms").format(name=name, seconds=1000 * seconds)
    return Chosen(field=field, value=best, reason=reason)
