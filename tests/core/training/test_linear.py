"""A Linear with its LoRA in one piece gives what peft's own gives."""

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from core.training.linear import OnePiece, in_one_piece

WIDE, HIGH = 24, 40


def layers(bias: bool = True, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, nn.Module]:
    """The same layer twice, with weights as after a long training: peft's, and ours."""
    made = []
    for _time in range(2):
        torch.manual_seed(5)
        model = nn.ModuleDict({"to_q": nn.Linear(WIDE, HIGH, bias=bias, dtype=dtype)})
        inject_adapter_in_model(LoraConfig(r=4, lora_alpha=6, target_modules=["to_q"], init_lora_weights=False), model)
        made.append(model["to_q"])
    made[1].requires_grad_(False)
    for layer in made:
        layer.base_layer.requires_grad_(False)
        for part in (layer.lora_A, layer.lora_B):
            part["default"].weight.requires_grad_(True)
    in_one_piece(made[1])
    assert type(made[1]) is OnePiece
    return made[0], made[1]


def learned(layer: nn.Module, seen: Tensor) -> list[Tensor]:
    """The answer, and all gradients of its squares."""
    seen = seen.clone().requires_grad_()
    answer = layer(seen)
    answer.square().sum().backward()
    weights = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    return [answer.detach(), seen.grad, *(weight.grad for weight in weights)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, WIDE), (2, 7, WIDE), (1, 2, 5, WIDE)])
def test_answer_and_gradients_are_pefts(bias: bool, shape: tuple[int, ...]) -> None:
    seen = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    for theirs, ours in zip(*(learned(layer, seen) for layer in layers(bias)), strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-4)


def test_inputs_that_do_not_lie_in_one_piece_of_memory_are_seen_as_they_are() -> None:
    seen = torch.randn(WIDE, 9, 2, generator=torch.Generator().manual_seed(1)).permute(2, 1, 0)
    for theirs, ours in zip(*(learned(layer, seen) for layer in layers()), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-4)


def test_a_new_strength_counts_at_once() -> None:
    theirs, ours = layers()
    seen = torch.ones(2, WIDE)
    before = ours(seen)
    for layer in (theirs, ours):
        layer.scaling["default"] = 0.0
    assert torch.allclose(ours(seen), theirs.base_layer(seen), atol=1e-5)
    assert not torch.allclose(ours(seen), before, atol=1e-2)


def test_the_same_numbers_where_steps_are_computed_twice_to_save_memory() -> None:
    from torch.utils.checkpoint import checkpoint

    ours, seen = layers()[1], torch.randn(2, 7, WIDE, generator=torch.Generator().manual_seed(1))
    plainly = learned(ours, seen)
    for weight in (ours.lora_A["default"].weight, ours.lora_B["default"].weight):
        weight.grad = None
    again = seen.clone().requires_grad_()
    checkpoint(ours, again, use_reentrant=False).square().sum().backward()
    assert torch.equal(again.grad, plainly[1])
    assert torch.equal(ours.lora_A["default"].weight.grad, plainly[2])


def test_a_lora_of_another_type_is_left_to_peft() -> None:
    theirs, ours = layers(dtype=torch.bfloat16)
    seen = torch.randn(2, 7, WIDE, generator=torch.Generator().manual_seed(1)).bfloat16()
    for layer in (theirs, ours):
        layer.lora_A.float(), layer.lora_B.float()
    assert ours(seen).dtype == torch.bfloat16
    assert torch.equal(ours(seen), theirs(seen))


def test_bf16_is_about_as_exact_as_pefts() -> None:
    seen = torch.randn(2, 7, WIDE, generator=torch.Generator().manual_seed(1)).bfloat16()
    exact = layers(dtype=torch.bfloat16)[0]
    exact.lora_A.bfloat16(), exact.lora_B.bfloat16()
    wanted = learned(exact.double(), seen.double())
    theirs, ours = layers(dtype=torch.bfloat16)
    for layer in (theirs, ours):
        layer.lora_A.bfloat16(), layer.lora_B.bfloat16()
    for right, given, other in zip(wanted, learned(ours, seen), learned(theirs, seen), strict=True):
        assert given.dtype == torch.bfloat16
        assert (given.double() - right).norm() <= 1.5 * (other.double() - right).norm()


def test_other_layers_stay_as_they_are() -> None:
    model = nn.ModuleDict({"conv": nn.Conv2d(3, 3, 3)})
    inject_adapter_in_model(LoraConfig(r=2, target_modules=["conv"]), model)
    kind = type(model["conv"])
    in_one_piece(model["conv"])
    assert type(model["conv"]) is kind
