"""The optimizers on the flat buffers."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
        self._rates = [float(group["lr"]) for group in self._groups]
        self._scaler = torch.amp.GradScaler("cuda", enabled=scaled)
        self.broken = torch.zeros((), dtype=torch.bool)
        """Whether the last step was left out, as its loss or a gradient was no number; on the device."""
        self.moving = False
        """Whether weights are half-way between two steps: what fails then must not be kept."""

    def pace(self, step: int) -> None:
        """Set the rates of `step`."""
        factor = rate_factor(self.plan, step, self.steps)
        for group, rate in zip(self._groups, self._rates, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * factor)
            else:
                group["lr"] = rate * factor

    def gradients(self, losses: Iterable[Tensor]) -> Tensor:
        """The first half of a step: gradients of the sum of `losses`, of the right length; nothing is moved yet.

        Returns that sum, NaN where the step is left out, as it or a gradient is no number. In fp16 large gradients are
        no reason: the scaler takes a step back and goes on.
        """
        self.network.zero_grad()
        told = []
        # Each piece gives back what it kept before the next one is looked at.
        for one in losses:
            self._scaler.scale(one).backward()  # type: ignore[no-untyped-call]
            self.network.gather()
            told.append(one.detach())
        self.network.gather()  # what came after the last piece
        loss = told[0] if len(told) == 1 else torch.stack(told).sum()
        # From here on everything is of the whole step, and the same in every process of the training.
        loss = self._ranks.add_up(self.network, loss)
        self._scaler.unscale_(self._inner)
        most = self.plan.max_grad_norm or inf
        length = torch.nn.utils.clip_grad_norm_(self.network.parameters, most, foreach=True)
        self.broken = ~(torch.isfinite(length) & torch.isfinite(loss))
        if self._scaler.is_enabled():
            return loss
        return torch.where(self.broken, torch.full_like(loss, nan), loss)

    def move(self) -> None:
        """The second half: move the weights by these gradients, where they are numbers."""
        self.moving = True
        if self._scaler.is_enabled():
            self._scaler.step(self._inner)
            self._scaler.update()
        else:
            # All three look at this on the device by themselves, and no one waits for it.
            self._inner.found_inf = self.broken.float()
            self._inner.step()
        if self.plan.scale_weight_norms:
            hold(self.network, self.plan.scale_weight_norms, self.broken)
        self.network.follow()
        self.moving = False

    @property
    def capturable(self) -> bool:
        """Whether a CUDA graph can hold `move`: AdamW8bit counts its steps here, and the scaler asks the device."""
        return self.plan.optimizer != "adamw8bit" and not self._scaler.is_enabled()

    @contextmanager
    def in_capture(self) -> Iterator[None]:
        """Tell torch's optimizer that a CUDA graph is being captured, which it refuses when nobody has said so."""
        asking = [group for group in self._groups if "capturable" in group]
        for group in asking:
            group["capturable"] = True
        try:
            yield
        finally:
            for group in asking:
                group["capturable"] = False

    @property
    def rate(self) -> float:
        """The learning rate as the UNet's weights feel it: Prodigy's is d × lr."""
        group = self._groups[0]
        return float(group["lr"]) * float(group.get("d", 1.0))

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        inner = self._inner.state_dict()
        for group in inner["param_groups"]:
            group["lr"] = float(group["lr"])
        return {"optimizer": inner, "scaler": self._scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the state of a checkpoint."""
        here = [group["lr"] for group in self._groups]
        self._inner.load_state_dict(state["optimizer"])
        for group, rate in zip(self._groups, here, strict=True):
            group["lr"] = rate  # on this device, wherever that of the checkpoint was
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])

    @property
    def _groups(self) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = self._inner.param_groups
        return groups


def _make(plan: Settled, network: Network) -> Any:
    rates = [
        plan.text_encoder_rate if group.name == "text_encoders" else plan.learning_rate for group in network.groups
    ]
    groups = [{"params": [group.flat], "lr": rate} for group, rate in zip(network.groups, rates, strict=True)]
    common = {"betas": plan.betas, "weight_decay": plan.weight_decay}
    place = network.parameters[0].device
    match plan.optimizer:
        case "adamw":
            for group in groups if place.type == "cuda" else ():
                group["lr"] = torch.tensor(group["lr"], device=place)  # where a CUDA graph reads it
            return torch.optim.AdamW(groups, fused=True, **common)  # type: ignore[arg-type]
        case "adamw8bit":
            try:
                from core.training.eightbit import FlatAdamW8bit
            except (ImportError, RuntimeError, OSError) as error:
                raise BocetoError(
                    _("AdamW8bit cannot run here."),
                    str(error).splitlines()[0],
                    _("Install it with `pip install bitsandbytes`, or choose AdamW."),
                ) from error
            return FlatAdamW8bit(groups, **common)
        case "prodigy":
            from core.training.prodigy import FlatProdigy

            optimizer = FlatProdigy(
                groups,
                **common,
                d_coef=plan.d_coef,
                d0=plan.d0,
                decouple=True,
                use_bias_correction=True,
                safeguard_warmup=True,
            )
            for group in optimizer.param_groups:
                group["lr"] = torch.tensor(group["lr"], dtype=torch.float64, device=place)
            return optimizer
