"""A training that begins from an existing LoRA, and not from nothing."""

from hashlib import file_digest
from pathlib import Path

import torch

from core.errors import BocetoError
from core.language import _
from core.lora import file
from core.plan.frozen import FrozenPlan
from core.training import dora
from core.training.dora import ADAPTER
from core.training.network import Network, does_not_fit, put_magnitude, weights_of

_PARTS = ("lora_down.weight", "lora_up.weight", "alpha", dora.PART)


@torch.no_grad()
def begin_from(frozen: FrozenPlan, network: Network) -> None:
    """Put the weights of the plan's LoRA file into a new network, so that it changes the base exactly as the file does.

    A layer of lower rank fills the first rows; a layer that the file has not stays new. Raises BocetoError for a file
    that is not the one the plan was made with, or that has more than the plan trains.
    """
    path = Path(frozen.plan.init_lora)
    _same_file(path, frozen.init_digest)
    tensors = file.read(path)
    own = {name: layer for group in network.groups for name, layer in group.layers.items()}
    for name in sorted({key.partition(".")[0] for key in tensors}):
        found = {key.partition(".")[2]: tensors[key].float() for key in tensors if key.partition(".")[0] == name}
        if name not in own:
            raise does_not_fit(
                _("Its layer {name} is not in the base, or the plan does not train it.").format(name=name)
            )
        magnitude = dora.magnitude_of(own[name])
        if strange := sorted(set(found) - set(_PARTS if magnitude else _PARTS[:3])):
            raise does_not_fit(
                _("Its layer {name} has a part {part}: it is a LoRA of another kind.").format(
                    name=name, part=strange[0]
                )
            )
        down, up = (weight.data for weight in weights_of(own[name]))
        given = found[_PARTS[0]].flatten(1), found[_PARTS[1]].flatten(1)
        rank = len(given[0])
        if down.flatten(1).shape[1] != given[0].shape[1] or len(up) != len(given[1]) or given[1].shape[1] != rank:
            raise does_not_fit(
                _("Its layer {name} is {given}, and the base's is {own}.").format(
                    name=name, given=[len(given[1]), given[0].shape[1]], own=[len(up), down.flatten(1).shape[1]]
                )
            )
        if rank > len(down):
            raise does_not_fit(
                _("Its layer {name} has rank {given}, and the plan's is {own}.").format(
                    name=name, given=rank, own=len(down)
                )
            )
        alpha = float(found.get("alpha", torch.tensor(float(rank))))
        down.flatten(1)[:rank] = given[0].to(down.device)
        up.flatten(1)[:, :rank] = given[1].to(up.device) * (alpha / rank / float(own[name].scaling[ADAPTER]))
        if magnitude and dora.PART in found:
            put_magnitude(own[name], name, found[dora.PART])
        elif magnitude:
            # A LoRA without magnitudes is the DoRA whose rows are as long as it makes them.
            magnitude.put(dora.norm(own[name]))


def _same_file(path: Path, digest: str) -> None:
    try:
        with path.open("rb") as content:
            found = file_digest(content, "sha256").hexdigest()
    except OSError:
        found = ""
    if found != digest:
        raise BocetoError(
            _("The LoRA “{path}” is no longer the one this run was planned with.").format(path=path),
            _("It was changed, moved or removed since."),
            _("Put the old file back to go on, or start a new training."),
        )
