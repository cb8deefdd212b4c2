"""The optimizers on the flat buffers."""

from collections.abc import Iterable
from math import inf, nan
from typing import Any

import torch
from torch import Tensor

from core.errors import BocetoError
from core.language import _
from core.plan.optimizers import rate_factor
from core.settings import Settled
from core.training.network import Network
from core.training.norms import hold
from core.training.ranks import ALONE, Ranks


class Optimizer:
    """One of AdamW8bit, Prodigy and AdamW, with the plan's arguments and its rate for every step."""

    def __init__(self, plan: Settled, network: Network, steps: int, scaled: bool, ranks: Ranks = ALONE) -> None:
        self.plan, self.network, self.steps, self._ranks = plan, network, steps, ranks
        self._inner = _make(plan, network)
        self._rates = [group["lr"] for group in self._inner.param_groups]
        self._scaler = torch.amp.GradScaler("cuda", enabled=scaled)
        self.broken = torch.zeros((), dtype=torch.bool)
        """Whether the last step was left out, as its loss or a gradient was no number; on the device."""

    def learn(self, losses: Iterable[Tensor], step: int) -> Tensor:
        """Move the weights by the gradients of the sum of `losses`, unless one is no number: then nothing is moved.

        Returns that sum, NaN where the step was left out. In fp16 large gradients are no reason: the scaler takes a
        step back and goes on.
        """
        self.network.zero_grad()
        told = []
        # Each piece gives back what it kept before the next one is looked at.
        for one in losses:
            self._scaler.scale(one).backward()  # type: ignore[no-untyped-call]
            told.append(one.detach())
        loss = told[0] if len(told) == 1 else torch.stack(told).sum()
        # From here on everything is of the whole step, and the same in every process of the training.
        loss = self._ranks.add_up(self.network, loss)
        for group, rate in zip(self._inner.param_groups, self._rates, strict=True):
            group["lr"] = rate * rate_factor(self.plan, step, self.steps)
        self._scaler.unscale_(self._inner)
        most = self.plan.max_grad_norm or inf
        length = torch.nn.utils.clip_grad_norm_(self.network.parameters, most, foreach=True)
        self.broken = ~(torch.isfinite(length) & torch.isfinite(loss))
        if self._scaler.is_enabled():
            self._scaler.step(self._inner)
            self._scaler.update()
        elif self.plan.optimizer == "adamw":
            # Fused, it looks at this by itself, and no one waits for the device.
            self._inner.found_inf = self.broken.float()
            self._inner.step()
        elif not self.broken:
            self._inner.step()
        if self.plan.scale_weight_norms:
            hold(self.network, self.plan.scale_weight_norms, self.broken)
        if self._scaler.is_enabled():
            return loss
        return torch.where(self.broken, torch.full_like(loss, nan), loss)

    @property
    def rate(self) -> float:
        """The learning rate as the UNet's weights feel it: Prodigy's is d × lr."""
        group = self._inner.param_groups[0]
        return float(group["lr"]) * float(group.get("d", 1.0))

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"optimizer": self._inner.state_dict(), "scaler": self._scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        self._inner.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])


def _make(plan: Settled, network: Network) -> Any:
    groups = [
        {
            "params": [group.flat],
            "lr": plan.text_encoder_rate if group.name == "text_encoders" else plan.learning_rate,
        }
        for group in network.groups
    ]
    common = {"betas": plan.betas, "weight_decay": plan.weight_decay}
    match plan.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, fused=True, **common)  # type: ignore[arg-type]
        case "adamw8bit":
            try:
                from bitsandbytes.optim import AdamW8bit
            except (ImportError, RuntimeError, OSError) as error:
                raise BocetoError(
                    _("AdamW8bit cannot run here."),
                    str(error).splitlines()[0],
                    _("Install it with `pip install bitsandbytes`, or choose AdamW."),
                ) from error
            return AdamW8bit(groups, **common)
        case "prodigy":
            from prodigyopt import Prodigy

            return Prodigy(
                groups,
                **common,
                d_coef=plan.d_coef,
                d0=plan.d0,
                decouple=True,
                use_bias_correction=True,
                safeguard_warmup=True,
            )
