"""The optimizers on flat buffers beside those of the packages they come from."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from bitsandbytes.optim import AdamW8bit
from prodigyopt import Prodigy
from torch import nn
from torch.utils._pytree import tree_leaves

from core.training.eightbit import FlatAdamW8bit
from core.training.prodigy import FlatProdigy

STEPS = 200
SIZES = (8192, 5000)


def weights() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    return [nn.Parameter(torch.randn(size, generator=generator)) for size in SIZES]


def ask(parameters: list[nn.Parameter], step: int) -> None:
    """Gradients of a noisy valley that is far steeper in some directions than in others."""
    generator = torch.Generator().manual_seed(step)
    for place, one in enumerate(parameters):
        steep = torch.linspace(0.01, 2, one.numel())
        one.grad = steep * (one.detach() - 3 * place) + 0.1 * torch.randn(one.numel(), generator=generator)


def walk(optimizer: Any, parameters: list[nn.Parameter], steps: range, rate: float = 1.0, broken: Any = ()) -> None:
    for step in steps:
        ask(parameters, step)
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / STEPS / 2)
        if step in broken:
            for one in parameters:
                assert one.grad is not None
                one.grad[::7] = torch.nan
        optimizer.found_inf = torch.tensor(float(step in broken))
        optimizer.step()


def grouped(parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
    return [{"params": [one]} for one in parameters]


@pytest.mark.parametrize(
    "arguments",
    [
        {"use_bias_correction": True, "safeguard_warmup": True, "weight_decay": 0.01, "d_coef": 2.0, "d0": 1e-5},
        {"use_bias_correction": False, "safeguard_warmup": False, "weight_decay": 0.1, "decouple": False},
        {"betas": (0.0, 0.99), "growth_rate": 1.05, "d0": 1e-4},
    ],
)
def test_prodigy_is_that_of_its_package(arguments: dict[str, Any]) -> None:
    ours, theirs = weights(), weights()
    one, other = FlatProdigy(grouped(ours), **arguments), Prodigy(grouped(theirs), **arguments)
    for step in range(STEPS):
        walk(one, ours, range(step, step + 1))
        walk(other, theirs, range(step, step + 1))
        assert float(one.param_groups[1]["d"]) == pytest.approx(other.param_groups[1]["d"], rel=1e-4)
    assert float(one.param_groups[0]["d"]) > 100 * one.param_groups[0]["d0"], "it found a pace"
    for left, right, start in zip(ours, theirs, weights(), strict=True):
        assert (left - start).norm() > 0.1 * start.norm()
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)


def test_prodigy_goes_on_from_its_own_checkpoint_bit_for_bit_and_from_that_of_its_package() -> None:
    arguments = {"use_bias_correction": True, "safeguard_warmup": True, "weight_decay": 0.01, "d0": 1e-5}
    for kind in (FlatProdigy, Prodigy):
        parameters = weights()
        whole = kind(grouped(parameters), **arguments)
        walk(whole, parameters, range(60))
        state, ours = deepcopy(whole.state_dict()), [nn.Parameter(one.detach().clone()) for one in parameters]
        walk(whole, parameters, range(60, 120))
        again = FlatProdigy(grouped(ours), **arguments)
        again.load_state_dict(state)
        walk(again, ours, range(60, 120))
        for left, right in zip(ours, parameters, strict=True):
            if kind is FlatProdigy:
                assert torch.equal(left, right)
            torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)


def test_adamw8bit_is_that_of_its_package_bit_for_bit() -> None:
    ours, theirs = weights(), weights()
    arguments = {"betas": (0.9, 0.99), "weight_decay": 0.1}
    walk(FlatAdamW8bit(grouped(ours), **arguments), ours, range(30), 0.01)
    walk(AdamW8bit(grouped(theirs), **arguments), theirs, range(30), 0.01)
    assert all(torch.equal(left, right) for left, right in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("kind", [FlatAdamW8bit, FlatProdigy])
@pytest.mark.parametrize("broken", [(0,), (7,), (9,), (3, 4, 9)])
def test_steps_that_are_left_out_leave_no_trace(kind: Any, broken: tuple[int, ...]) -> None:
    ours, theirs = weights(), weights()
    one, other = kind(grouped(ours), weight_decay=0.1), kind(grouped(theirs), weight_decay=0.1)
    walk(one, ours, range(10), 0.1, broken)
    for step in (step for step in range(10) if step not in broken):
        walk(other, theirs, range(step, step + 1), 0.1)
    assert all(torch.equal(left, right) for left, right in zip(ours, theirs, strict=True))
    for group in (*one.param_groups, *other.param_groups):
        group["lr"] = 0.1
    leaves = [tree_leaves(optimizer.state_dict()) for optimizer in (one, other)]
    assert len(leaves[0]) == len(leaves[1]) > 10
    for left, right in zip(*leaves, strict=True):
        assert torch.equal(left, right) if isinstance(left, torch.Tensor) else left == right


@pytest.mark.parametrize("kind", [FlatAdamW8bit, FlatProdigy])
def test_no_step_asks_the_device_for_a_number(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = weights()
    optimizer = kind(grouped(parameters))
    walk(optimizer, parameters, range(2), 0.1)
    ask(parameters, 2)
    optimizer.found_inf, optimizer._last = torch.tensor(0.0), None
    for group in optimizer.param_groups:
        group["lr"] = 0.1

    def asked(*_: Any) -> None:
        raise AssertionError("a number was fetched")

    with monkeypatch.context() as patched:
        for name in ("item", "__bool__", "__float__", "tolist"):
            patched.setattr(torch.Tensor, name, asked)
        optimizer.step()
