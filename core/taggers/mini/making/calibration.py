"""The scale of the scores: which logit is to be which probability."""

import torch
from torch import Tensor

from core.taggers.mini.making.network import Network
from core.taggers.mini.making.vocabulary import GROUPS, NAMES, Vocabulary

BALANCED = 0.4
"""The threshold at which as many tags are to be given as there are, so that precision and recall are alike.

In the middle of what people set: 0.35 is WD's, 0.25 and 0.5 are the guide's.
"""


SHIFTED = tuple(group for group in GROUPS if group != NAMES)
"""The groups whose scale is set.

A name that is kept apart was learnt from half as many pictures as the others and is found far less often: to
give as many of those as there are would give far too many of the rest.
"""


def shifts(logits: Tensor, truth: Tensor, vocabulary: Vocabulary) -> dict[str, float]:
    """What to add to the logits of each group, from pictures that nothing was learnt from."""
    wanted = torch.logit(torch.tensor(BALANCED)).item()
    found = {}
    for group in SHIFTED:
        columns = vocabulary.columns(group)
        true = int(truth[:, columns].sum())
        highest = logits[:, columns].flatten().sort(descending=True).values
        # Halfway between the last that is to be given and the first that is not; no tag at all moves nothing.
        found[group] = wanted - (highest[true - 1 : true + 1].mean().item() if true else wanted)
    return found


@torch.no_grad()
def shift(network: Network, by: dict[str, float], vocabulary: Vocabulary) -> None:
    """Add the shifts to the biases of the network."""
    for group, amount in by.items():
        network.head.bias[vocabulary.columns(group)] += amount
