"""The layers of a plan in the words of sd-scripts: `network_module` and `network_args`."""

from collections.abc import Iterable, Sequence
from typing import Any

from core.lora.parts import BLOCKS, block_ranks
from core.settings import Settled

_COUNTS = {"first": 1, "down": 9, "mid": 3, "up": 9, "last": 1}
"""sd-scripts' 23 blocks of SDXL (`get_block_index`); no layer of ours is in the first or the last."""


def network_module(plan: Settled) -> str:
    """Who makes such layers there: sd-scripts itself, or LyCORIS, a package beside it."""
    return "lycoris.kohya" if needs_lycoris(plan) else "networks.lora"


def network_args(plan: Settled) -> dict[str, Any]:
    """What the module is told beside rank and alpha."""
    said: dict[str, Any] = {}
    if needs_lycoris(plan):
        # Its “full” is the only one with convolutions.
        said |= {"algo": "lora", "preset": "full" if plan.conv_rank else plan.layers}
    if plan.dora:
        said |= {"dora_wd": True, "wd_on_output": True}
    ranks = block_ranks(plan)
    own = not needs_lycoris(plan) and set(ranks.values()) != {plan.rank}
    if own:
        each = _each_block(ranks)
        said["block_dims"] = _listed(each)
    if plan.conv_rank and own:
        dims = [plan.conv_rank if rank else 0 for rank in each]
        alphas = (plan.conv_alpha or float(plan.conv_rank) for _rank in each)
        said |= {"conv_block_dims": _listed(dims), "conv_block_alphas": _listed(alphas)}
    elif plan.conv_rank:
        said |= {"conv_dim": plan.conv_rank, "conv_alpha": plan.conv_alpha}
    return said


def needs_lycoris(plan: Settled) -> bool:
    """Whether sd-scripts alone has no such layers."""
    return plan.dora or plan.layers == "attn-only"


def blocks_of(dims: Sequence[Any]) -> dict[str, int] | None:
    """The rank in each part, from the ranks of sd-scripts' blocks; None where a part has several or it is no SDXL."""
    if len(dims) != sum(_COUNTS.values()):
        return None
    found, start = {}, 0
    for part, count in _COUNTS.items():
        values = set(dims[start : start + count])
        start += count
        if part in BLOCKS:
            if len(values) > 1 or not all(isinstance(value, int) for value in values):
                return None
            found[part] = values.pop()
    return found


def _each_block(ranks: dict[str, int]) -> list[int]:
    return [ranks.get(part, 0) for part, count in _COUNTS.items() for _block in range(count)]


def _listed(values: Iterable[float]) -> str:
    return ",".join(map(str, values))
