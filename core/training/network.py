"""The LoRA in training: peft's layers, whose weights are views into one flat buffer a group."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from core.errors import BocetoError
from core.language import _
from core.lora import keys
from core.lora.parts import text_encoder_layers, unet_layers
from core.randomness import key
from core.settings import Settled
from core.training import dora
from core.training.dora import ADAPTER
from core.training.linear import in_one_piece

Which = Literal[1, 2]
"""The first or the second text encoder."""


class Group:
    """LoRA layers that share a learning rate; all their weights lie in one buffer, and so do all their gradients.

    An optimizer step is then one fused call instead of 1,444 (SDXL), and a gradient exchange one all-reduce.
    """

    def __init__(self, name: str, layers: Mapping[str, LoraLayer], gradients: Tensor) -> None:
        self.name = name
        self.layers = dict(layers)
        weights = [weight for layer in self.layers.values() for weight in learned_by(layer)]
        self.flat = nn.Parameter(torch.zeros_like(gradients))
        self.flat.grad = gradients
        for weight, exact in zip(weights, self._views(self.flat.data), strict=True):
            exact.copy_(weight.data)
        self.lie_in(self.flat.data, gradients)

    def lie_in(self, weights: Tensor, gradients: Tensor) -> None:
        """Let the layers compute with these weights, and autograd put their gradients there."""
        learned = (weight for layer in self.layers.values() for weight in learned_by(layer))
        for weight, own, gradient in zip(learned, self._views(weights), self._views(gradients), strict=True):
            weight.grad = None
            weight.data = own
            # With a gradient already there, autograd adds to it in place: it stays a view.
            weight.grad = gradient
            weight.requires_grad_(True)

    def exact(self, flat: Tensor | None = None) -> Iterator[tuple[str, LoraLayer, tuple[Tensor, ...]]]:
        """Name and layer with what the optimizer moves of it: down, up, and the magnitude where there is one.

        As they are in a copy of the buffer, where one is given.
        """
        views = self._views(self.flat.data if flat is None else flat)
        for name, layer in self.layers.items():
            yield name, layer, tuple(next(views) for _weight in learned_by(layer))

    def _views(self, flat: Tensor) -> Iterator[Tensor]:
        start = 0
        for weight in (weight for layer in self.layers.values() for weight in learned_by(layer)):
            yield flat[start : start + weight.numel()].view(weight.shape)
            start += weight.numel()


class Network:
    """The LoRA layers inside a UNet and, when wanted, two text encoders."""

    def __init__(self, layers: Mapping[str, Mapping[str, LoraLayer]], place: torch.device) -> None:
        sizes = {name: _size(members) for name, members in layers.items() if members}
        self.gradients = torch.zeros(sum(map(_rounded, sizes.values())) + 1, dtype=torch.float32, device=place)
        """Those of all groups, and in the last place the loss of the step: what processes exchange in one piece."""
        starts = accumulate(map(_rounded, sizes.values()), initial=0)
        self._spans = [slice(start, start + size) for start, size in zip(starts, sizes.values(), strict=False)]
        self.groups = [
            Group(name, layers[name], self.gradients[span]) for name, span in zip(sizes, self._spans, strict=True)
        ]
        self._lower: Tensor | None = None
        self._lower_gradients: Tensor | None = None

    def compute_in(self, dtype: torch.dtype) -> None:
        """Let the layers compute in the base's arithmetic, with a copy of the weights that follows the exact ones.

        One copy a step takes the place of autocast, which casts 1,444 weights on their own, and makes every norm of
        the base fp32. Whoever changes the exact weights calls `follow` afterwards.
        """
        if dtype == self.gradients.dtype:
            return
        self._lower = torch.zeros_like(self.gradients[:-1], dtype=dtype)
        self._lower_gradients = torch.zeros_like(self._lower)
        for group, span in zip(self.groups, self._spans, strict=True):
            group.lie_in(self._lower[span], self._lower_gradients[span])
        self.follow()

    def follow(self) -> None:
        """Bring the copy that the layers compute with up to date."""
        if self._lower is not None:
            for group, span in zip(self.groups, self._spans, strict=True):
                self._lower[span].copy_(group.flat.data)

    def gather(self) -> None:
        """Add what a backward pass has left to the exact gradients."""
        if self._lower_gradients is not None:
            self.gradients[:-1] += self._lower_gradients
            self._lower_gradients.zero_()

    @property
    def parameters(self) -> list[nn.Parameter]:
        """One flat buffer a group."""
        return [group.flat for group in self.groups]

    def zero_grad(self) -> None:
        """Forget the gradients; the buffers stay where they are."""
        self.gradients.zero_()
        if self._lower_gradients is not None:
            self._lower_gradients.zero_()

    @property
    def buffers(self) -> dict[str, Tensor]:
        """The exact weights, one buffer a group; the next step changes them."""
        return {group.name: group.flat.detach() for group in self.groups}

    def restore(self, buffers: Mapping[str, Tensor]) -> None:
        """Take the weights of a checkpoint."""
        for group in self.groups:
            group.flat.data.copy_(buffers[group.name])
        self.follow()

    def tensors(self, buffers: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Every weight under the name that sd-scripts gives it, with its alpha; those of `buffers` or of now."""
        found = {}
        for group in self.groups:
            for name, layer, (down, up, *longer) in group.exact(buffers[group.name] if buffers else None):
                found[f"{name}.lora_down.weight"] = down
                found[f"{name}.lora_up.weight"] = up
                found[f"{name}.alpha"] = torch.tensor(float(layer.lora_alpha[ADAPTER]))
                if magnitude := dora.magnitude_of(layer):
                    found[f"{name}.{dora.PART}"] = magnitude.scale(*longer)
        return found

    @contextmanager
    def strength(self, factor: float) -> Iterator[None]:
        """Use the LoRA at `factor` of its strength for a while; 0 is the base alone."""
        layers = [layer for group in self.groups for layer in group.layers.values()]
        magnitudes = [magnitude for layer in layers if (magnitude := dora.magnitude_of(layer))]
        plain = [layer for layer in layers if not dora.magnitude_of(layer)]
        before = [layer.scaling[ADAPTER] for layer in plain]
        for layer, scaling in zip(plain, before, strict=True):
            layer.scaling[ADAPTER] = scaling * factor
        # Of a layer with a magnitude the whole change is taken at this strength, its rows' lengths too.
        for magnitude in magnitudes:
            magnitude.strength = factor
        try:
            yield
        finally:
            for layer, scaling in zip(plain, before, strict=True):
                layer.scaling[ADAPTER] = scaling
            for magnitude in magnitudes:
                magnitude.strength = 1.0


def make(plan: Settled, unet: Any, encoders: tuple[Any, Any] | None, place: torch.device) -> Network:
    """A new LoRA as the plan wants it: down as in sd-scripts (Kaiming uniform, a = √5), up zero."""
    layers = {"unet": _inject(unet, unet_layers(plan, unet), keys.Layout.of(unet.config))}
    if plan.text_encoders and encoders:
        found: dict[str, LoraLayer] = {}
        for which, encoder in _numbered(encoders):
            found |= _inject(encoder, text_encoder_layers(plan, encoder), which)
        layers["text_encoders"] = found
    for name, layer in ((name, layer) for members in layers.values() for name, layer in members.items()):
        _initialise(layer, key(plan.seed, name, "LoRA"))
        if plan.dora:
            dora.decompose(layer)
    return Network(_one_rate(layers, plan), place)


def from_file(
    tensors: Mapping[str, Tensor], unet: Any, encoders: tuple[Any, Any] | None, place: torch.device
) -> Network:
    """The LoRA of a file, inside a base. Raises BocetoError when its names or shapes do not fit this base."""
    layout = keys.Layout.of(unet.config)
    names = sorted({name.partition(".")[0] for name in tensors})
    modules: dict[str, tuple[Any, str]] = {
        keys.unet_name(path, layout): (unet, path) for path in keys.unet_targets(unet, convolutions=True)
    }
    for which, encoder in _numbered(encoders):
        for path in keys.text_encoder_targets(encoder):
            modules[keys.text_encoder_name(path, which)] = (encoder, path)
    parts = ("lora_down.weight", "lora_up.weight")
    unknown = [name for name in names if name not in modules or not all(f"{name}.{part}" in tensors for part in parts)]
    if unknown:
        raise does_not_fit(
            _("{count} of its {total} layers are not in the base, or of another kind, such as {name}.").format(
                count=len(unknown), total=len(names), name=unknown[0]
            )
        )
    wanted: dict[int, dict[str, tuple[int, float]]] = {}
    for name in names:
        model, path = modules[name]
        rank = tensors[f"{name}.lora_down.weight"].shape[0]
        alpha = float(tensors[f"{name}.alpha"]) if f"{name}.alpha" in tensors else float(rank)
        wanted.setdefault(id(model), {})[path] = (rank, alpha)
    layers: dict[str, LoraLayer] = {}
    for model, where in [(unet, layout), *((encoder, which) for which, encoder in _numbered(encoders))]:
        layers |= _inject(model, wanted.get(id(model), {}), where)
    for name, layer in layers.items():
        for weight, part in zip(weights_of(layer), parts, strict=True):
            given = tensors[f"{name}.{part}"]
            if given.numel() != weight.numel():
                raise does_not_fit(
                    _("Its layer {name} is {given}, and the base's is {own}.").format(
                        name=name, given=list(given.shape), own=list(weight.shape)
                    )
                )
            weight.data = given.to(weight.device, torch.float32).reshape(weight.shape)
        if (scale := tensors.get(f"{name}.{dora.PART}")) is not None:
            dora.decompose(layer)
            put_magnitude(layer, name, scale)
    return Network({"file": layers}, place)


def put_magnitude(layer: Any, name: str, scale: Tensor) -> None:
    """Take the magnitude of a file into a layer. Raises BocetoError when it is not one number a row."""
    magnitude = dora.magnitude_of(layer)
    assert magnitude
    if not dora.is_by_rows(scale, len(magnitude.length)):
        raise does_not_fit(
            _("Its layer {name} is a DoRA by columns, {given}; Boceto knows those by rows, {own}.").format(
                name=name, given=list(scale.shape), own=list(magnitude.scale().shape)
            )
        )
    magnitude.put(scale)


def does_not_fit(detail: str) -> BocetoError:
    """The refusal of a LoRA file whose layers are not those of the base."""
    return BocetoError(
        _("This LoRA does not fit this base."), detail, _("Take the base it was trained on, or one of the same family.")
    )


def _inject(model: Any, wanted: Mapping[str, tuple[int, float]], where: keys.Layout | Which) -> dict[str, LoraLayer]:
    if not wanted:
        return {}
    rank, alpha = next(iter(wanted.values()))
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=list(wanted),
        rank_pattern={f"^{path}$": r for path, (r, a) in wanted.items() if r != rank},
        alpha_pattern={f"^{path}$": a for path, (r, a) in wanted.items() if a != alpha},
        init_lora_weights=True,
    )
    inject_adapter_in_model(config, model)
    found = {}
    for path in wanted:
        layer = model.get_submodule(path)
        name = keys.unet_name(path, where) if isinstance(where, keys.Layout) else keys.text_encoder_name(path, where)
        layer.cast_input_dtype_enabled = False  # it comes in the arithmetic that the layer computes in
        in_one_piece(layer)
        for weight in weights_of(layer):
            weight.data = weight.data.float()
        found[name] = layer
    return found


def _initialise(layer: LoraLayer, seed: int) -> None:
    down, up = weights_of(layer)
    generator = torch.Generator().manual_seed(seed)
    start = torch.empty(down.shape)
    nn.init.kaiming_uniform_(start, a=5**0.5, generator=generator)
    down.data = start.to(down.device)
    up.data.zero_()


def _one_rate(layers: dict[str, dict[str, LoraLayer]], plan: Settled) -> dict[str, dict[str, LoraLayer]]:
    """All in one group when all have one rate."""
    if len(layers) < 2 or plan.text_encoder_rate != plan.learning_rate:
        return layers
    return {"all": {name: layer for members in layers.values() for name, layer in members.items()}}


def _numbered(encoders: tuple[Any, Any] | None) -> list[tuple[Which, Any]]:
    return [(1, encoders[0]), (2, encoders[1])] if encoders else []


def weights_of(layer: Any) -> tuple[nn.Parameter, nn.Parameter]:
    """Down and up."""
    return layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight


def learned_by(layer: Any) -> tuple[nn.Parameter, ...]:
    """Down, up, and the magnitude where there is one."""
    magnitude = dora.magnitude_of(layer)
    return (*weights_of(layer), magnitude.weight) if magnitude else weights_of(layer)


def _size(layers: Mapping[str, LoraLayer]) -> int:
    return sum(weight.numel() for layer in layers.values() for weight in learned_by(layer))


def _rounded(size: int) -> int:
    """So that every group begins where a device reads at once: at a multiple of 256 bytes."""
    return -(-size // 64) * 64
