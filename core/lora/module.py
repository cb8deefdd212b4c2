"""The layers of a plan in the words of sd-scripts: `network_module` and `network_args`."""

from typing import Any

from core.settings import Settled


def network_module(plan: Settled) -> str:
    """Who makes such layers there: sd-scripts itself, or LyCORIS, a package beside it."""
    return "lycoris.kohya" if needs_lycoris(plan) else "networks.lora"


def network_args(plan: Settled) -> dict[str, Any]:
    """What the module is told beside rank and alpha."""
    said: dict[str, Any] = {}
    if needs_lycoris(plan):
        # Its “full” is the only one with convolutions.
        said |= {"algo": "lora", "preset": "full" if plan.conv_rank else "attn-mlp"}
    if plan.dora:
        said |= {"dora_wd": True, "wd_on_output": True}
    if plan.conv_rank:
        said |= {"conv_dim": plan.conv_rank, "conv_alpha": plan.conv_alpha}
    return said


def needs_lycoris(plan: Settled) -> bool:
    """Whether sd-scripts alone has no such layers."""
    return plan.dora
