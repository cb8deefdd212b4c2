"""The base computes in bf16, the LoRA is exact: what the layers compute with follows what the optimizer moves."""

from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from core.plan.memory import Measures
from core.runs import events
from core.training.loop import learn
from core.training.network import weights_of
from core.training.studio import Studio
from tests.conftest import SHORT
from tests.core.training.studios import begun, trained

PLAN = replace(SHORT, prior_pictures=0, preview_every=0, optimizer="adamw", conv_rank=2)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def studio_in(folder: Path, precision: str, **choices: object) -> Studio:
    return begun(folder / precision / "small", replace(PLAN, precision=precision, **choices))[0]


def halves(studio: Studio) -> list[torch.Tensor]:
    return [
        weight for group in studio.network.groups for layer in group.layers.values() for weight in weights_of(layer)
    ]


def test_the_layers_compute_with_a_copy_that_follows_the_exact_weights(tmp_path: Path) -> None:
    studio = studio_in(tmp_path, "bf16", scale_weight_norms=0.05, ema=0.9)
    for step in studio.schedule.steps[:3]:
        learn(studio, step)
    network = studio.network
    exact = [weight for group in network.groups for _name, _layer, weights in group.exact() for weight in weights]
    assert all(weight.dtype == torch.float32 for weight in exact)
    assert all(weight.dtype == torch.bfloat16 for weight in halves(studio))
    assert all(torch.equal(coarse, fine.bfloat16()) for coarse, fine in zip(halves(studio), exact, strict=True))
    assert any(not torch.equal(coarse.float(), fine) for coarse, fine in zip(halves(studio), exact, strict=True))
    assert all(tensor.dtype == torch.float32 for tensor in network.tensors().values())
    before = [weight.clone() for weight in halves(studio)]
    with studio.averaged():
        assert any(not torch.equal(now, was) for now, was in zip(halves(studio), before, strict=True))
    assert all(torch.equal(now, was) for now, was in zip(halves(studio), before, strict=True))


def test_gradients_are_those_of_fp32_up_to_the_rounding(tmp_path: Path) -> None:
    found = []
    for precision in ("fp32", "bf16"):
        studio = studio_in(tmp_path, precision)
        for group in studio.network.groups:
            group.flat.data.normal_(std=0.02, generator=torch.Generator().manual_seed(4))
        studio.network.follow()
        studio.optimizer.gradients(studio.losses(studio.data.batch(studio.schedule.steps[0])))
        found.append(torch.cat([group.flat.grad for group in studio.network.groups]))
    assert found[1].dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(*found, dim=0) > 0.995
    assert found[1].norm() / found[0].norm() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_text_encoders_learn_the_same_from_a_step_in_pieces(tmp_path: Path, precision: str) -> None:
    studio = studio_in(tmp_path, precision, text_encoders=True, batch_size=3)
    for group in studio.network.groups:
        group.flat.data.normal_(std=0.02, generator=torch.Generator().manual_seed(4))
    studio.network.follow()
    found = []
    for pieces in (1, 2, 3):
        one = studio.anew(Measures(pieces=pieces))
        one.optimizer.gradients(one.losses(one.data.batch(one.schedule.steps[0])))
        found.append(torch.cat([group.flat.grad.clone() for group in one.network.groups]))
    close = 0.99999 if precision == "fp32" else 0.995
    for other in found[1:]:
        assert torch.nn.functional.cosine_similarity(found[0], other, dim=0) > close
        assert other.norm() / found[0].norm() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("choices", [{}, {"dora": True}, {"text_encoders": True}, {"checkpointing": True}])
def test_a_training_in_bf16_comes_to_what_one_in_fp32_comes_to(tmp_path: Path, choices: dict[str, bool]) -> None:
    ends = []
    for precision in ("fp32", "bf16"):
        studio, run = begun(tmp_path / precision / "small", replace(PLAN, precision=precision, **choices))
        history = list(trained(studio, run))
        figures = [event.trained for event in history if isinstance(event, events.Evaluated)]
        assert figures[-1] < figures[0]
        ends.append(figures[-1])
    assert ends[1] == pytest.approx(ends[0], rel=0.03)
