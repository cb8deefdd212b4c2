"""Prodigy without waiting for the device: its estimates stay there, and a step that is left out changes nothing."""

from math import log, sqrt
from typing import Any

import torch
from prodigyopt import Prodigy
from torch import Tensor

_SHARED = ("d", "d_max", "d_numerator", "k")
"""What all groups have in common, as prodigyopt calls it."""


class FlatProdigy(Prodigy):  # type: ignore[misc]
    """prodigyopt's Prodigy with a step of its own.

    The package fetches two sums from the device for every parameter in every step (`.item()`), and so waits for all
    that was asked of it. Here they, the pace `d` and the count of steps are fp64 numbers on the device; the arithmetic
    is the same, and so is what a checkpoint holds. The rate of a group may be a number or one on the device. Where the
    attribute `found_inf` is set and not 0, the step changes nothing, as with torch's fused optimizers.
    """

    found_inf: Tensor | None = None
    _step_supports_amp_scaling = True
    """The scaler of fp16 leaves it to `found_inf` too, and waits for nothing."""

    def __init__(self, groups: Any, **arguments: Any) -> None:
        super().__init__(groups, **arguments)
        if any(group["slice_p"] != 1 or group["fsdp_in_use"] for group in self.param_groups):
            raise ValueError("every entry of every weight counts here")
        self._place = self.param_groups[0]["params"][0].device
        self._shared = {name: self._number(self.param_groups[0][name]) for name in _SHARED}
        self._share()

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Move all weights by their gradients, which are used up."""
        loss = closure() if closure else None
        first, shared = self.param_groups[0], self._shared
        beta1, beta2 = first["betas"]
        beta3 = first["beta3"] or sqrt(beta2)
        rates = [self._number(group["lr"]) for group in self.param_groups]
        rate = torch.stack(rates).max()
        counts = torch.ones((), dtype=torch.bool, device=self._place)
        if self.found_inf is not None:
            counts = self.found_inf == 0
        d, k = shared["d"].clone(), shared["k"] + 1
        pace = d * rate
        if first["use_bias_correction"]:
            pace = pace * ((1 - _power(beta2, k)).sqrt() / (1 - _power(beta1, k)))
        numerator, denominator = shared["d_numerator"] * beta3, self._filled(0.0)
        for group, own in zip(self.param_groups, rates, strict=True):
            moves, d0 = counts & (own > 0), group["d0"]
            # A share of one keeps what there is exactly as it is, and a gradient of zero adds nothing to it.
            keep1, keep2, keep3 = (self._where(moves, beta, 1.0) for beta in (beta1, beta2, beta3))
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                gradient = weights.grad.masked_fill_(~moves, 0.0)
                if group["weight_decay"] and not group["decouple"]:
                    gradient.addcmul_(weights, self._where(moves, group["weight_decay"], 0.0))
                state = self._begun(weights, beta1)
                numerator = numerator + d / d0 * pace * torch.dot(gradient.flatten(), (state["p0"] - weights).flatten())
                if beta1 > 0:
                    state["exp_avg"].mul_(keep1).addcmul_(gradient, (d * (1 - beta1)).float())
                state["exp_avg_sq"].mul_(keep2).addcmul_(gradient * (d * d * (1 - beta2)).float(), gradient)
                weight = d / d0 * (d if group["safeguard_warmup"] else pace)
                state["s"].mul_(keep3).addcmul_(gradient.flatten(), weight.float())
                denominator = denominator + state["s"].abs().sum()
        moved = counts & (rate > 0) & (denominator != 0)
        self._find_pace(first, moved, numerator, denominator)
        # As in prodigyopt, this step is as long as the pace before it says; only what divides it is already new.
        pace, d = torch.where(moved, pace, self._filled(0.0)), shared["d"]
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                state = self.state[weights]
                size = state["exp_avg_sq"].sqrt().add_((d * group["eps"]).float())
                if group["weight_decay"] and group["decouple"]:
                    weights.addcmul_(weights, (-group["weight_decay"] * pace).float())
                if beta1 > 0:
                    weights.addcdiv_(state["exp_avg"] * (-pace).float(), size)
                else:
                    weights.addcdiv_(weights.grad * (-pace * d).float(), size)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """As prodigyopt's, the shared numbers as plain ones."""
        found: dict[str, Any] = super().state_dict()
        plain = {name: float(number) for name, number in self._shared.items()}
        for group in found["param_groups"]:
            group.update(plain, k=int(plain["k"]), lr=float(group["lr"]))
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take prodigyopt's or this one's."""
        super().load_state_dict(state_dict)
        for name, number in self._shared.items():
            number.fill_(float(self.param_groups[0][name]))
        self._share()

    def _find_pace(self, first: dict[str, Any], moved: Tensor, numerator: Tensor, denominator: Tensor) -> None:
        shared = self._shared
        found = first["d_coef"] * numerator / denominator
        d, most = shared["d"], torch.maximum(shared["d_max"], found)
        risen = torch.where(d == first["d0"], torch.maximum(d, found), d)
        new = {"d": torch.minimum(most, risen * first["growth_rate"]), "d_max": most, "d_numerator": numerator}
        for name, number in new.items():
            shared[name].copy_(torch.where(moved, number, shared[name]))
        shared["k"].add_(moved)

    def _begun(self, weights: Tensor, beta1: float) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[weights]
        if not state:
            state["s"] = torch.zeros_like(weights).flatten()
            state["p0"] = weights.detach().clone()
            if beta1 > 0:
                state["exp_avg"] = torch.zeros_like(weights)
            state["exp_avg_sq"] = torch.zeros_like(weights)
        return state

    def _number(self, value: float | Tensor) -> Tensor:
        return torch.as_tensor(value, dtype=torch.float64, device=self._place)

    def _filled(self, value: float) -> Tensor:
        # Filled there: a number brought there from here, as `torch.where` does with one, waits for the device.
        return torch.full((), value, dtype=torch.float64, device=self._place)

    def _where(self, condition: Tensor, value: float, otherwise: float) -> Tensor:
        return torch.where(condition, self._filled(value), self._filled(otherwise)).float()

    def _share(self) -> None:
        for group in self.param_groups:
            group.update(self._shared)


def _power(beta: float, k: Tensor) -> Tensor:
    return (k * log(beta)).exp() if beta else torch.zeros_like(k)
