"""AdamW8bit without waiting for the device, and a step that is left out changes nothing."""

from typing import Any

import torch
from bitsandbytes.optim import AdamW8bit
from torch import Tensor

_CHANGED = ("state1", "state2", "absmax1", "absmax2")


class FlatAdamW8bit(AdamW8bit):  # type: ignore[misc]
    """bitsandbytes' AdamW8bit with a step of its own; kernels, state and checkpoints are those of the package.

    The package waits for the whole device after every parameter. Where the attribute `found_inf` is set and not 0, the
    step changes nothing, as with torch's fused optimizers.
    """

    found_inf: Tensor | None = None
    _step_supports_amp_scaling = True
    """The scaler of fp16 leaves it to `found_inf` too, and waits for nothing."""
    _last: "_Late | None" = None

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Move all weights by their gradients."""
        loss = closure() if closure else None
        self._count()
        if not self.initialized:  # type: ignore[has-type]
            self.to_gpu()
            self.initialized = True
        out = None if self.found_inf is None else self.found_inf != 0
        for index, group in enumerate(self.param_groups):
            for place, weights in enumerate(group["params"]):
                if weights.grad is None:
                    continue
                if not self.state[weights]:
                    self.init_state(group, weights, index, place)
                state = self.state[weights]
                changed = [weights, *(state[name] for name in _CHANGED if name in state)]
                # The package's kernels have no way to be left out: what they did is taken back.
                before = [one.clone() for one in changed] if out is not None else []
                self.update_step(group, weights, index, place)
                if out is not None:
                    for one, was in zip(changed, before, strict=True):
                        torch.where(out, was, one, out=one)
        self._last = None if out is None else _Late(out)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """As the package's."""
        self._count()
        found: dict[str, Any] = super().state_dict()
        return found

    def load_state_dict(self, state_dict: dict[str, Any], move_to_device: bool = True) -> None:
        """Take the package's or this one's."""
        self._last = None
        super().load_state_dict(state_dict, move_to_device)

    def _count(self) -> None:
        """Not count the last step when it was left out: the kernels take the count from here, not from the device."""
        if self._last:
            for state in self.state.values():
                state["step"] -= 1
        self._last = None


class _Late:
    """A yes or no on the device, asked for now and read a step later, when it has long been known.

    At the next step's move it lies before all that the device still has to do for that step, so no one waits for more
    than the step before.
    """

    def __init__(self, answer: Tensor) -> None:
        self._event = None
        self._there = answer
        if answer.is_cuda:
            self._there = torch.empty((), dtype=torch.bool, pin_memory=True)
            self._there.copy_(answer, non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    def __bool__(self) -> bool:
        if self._event:
            self._event.synchronize()
        return bool(self._there)
