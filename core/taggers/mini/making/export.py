"""The tagger as files that any reader of WD taggers knows: `model.onnx` and `selected_tags.csv`."""

import copy
import csv
import io
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core.errors import BocetoError
from core.files import write_bytes, write_text
from core.language import _
from core.taggers.mini.making.network import Network
from core.taggers.mini.making.variations import SEEN
from core.taggers.mini.making.vocabulary import Vocabulary

MODEL, TAGS = "model.onnx", "selected_tags.csv"

RATINGS = {"general": 0.97, "sensitive": 0.02, "questionable": 0.005, "explicit": 0.005}
"""WD's four ratings, first in the file, and what is always said of them: emoji teach nothing about it."""
_RATING, _GENERAL = 9, 0
"""WD's numbers for the two categories."""
_LAST_TAG = 9_999_999
"""WD numbers its ratings downwards from here."""
_SMALL = 4096
"""Numbers of a weight up to which it stays in float32: biases decide more than they weigh."""


class _Wd(nn.Module):
    """The network with what WD taggers do inside: pictures in BGR from 0 to 255, ratings first, probabilities."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.ratings = nn.Buffer(torch.tensor([list(RATINGS.values())]))

    def forward(self, pixels: Tensor) -> Tensor:
        """Batches (n, 64, 64, 3) to probabilities (n, 4 + tags)."""
        scores = torch.sigmoid(self.network(pixels.permute(0, 3, 1, 2) / 255))
        return torch.cat([self.ratings.expand(scores.shape[0], -1), scores], dim=1)


def save(network: Network, vocabulary: Vocabulary, counts: Tensor, folder: Path) -> int:
    """Write both files; give their bytes. `counts` says how often each tag was shown."""
    write_text(folder / TAGS, _table(vocabulary, counts))
    write_bytes(folder / MODEL, _halved(_exported(_fused(network))))
    return sum((folder / name).stat().st_size for name in (MODEL, TAGS))


def _table(vocabulary: Vocabulary, counts: Tensor) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("tag_id", "name", "category", "count"))
    shown = int(counts.max())
    for number, rating in enumerate(RATINGS):
        writer.writerow((_LAST_TAG - number, rating, _RATING, 0 if number else shown))
    for number, (tag, count) in enumerate(zip(vocabulary.tags, counts.tolist(), strict=True), 1):
        writer.writerow((number, tag, _GENERAL, int(count)))
    return out.getvalue()


def _fused(network: Network) -> _Wd:
    """A copy with every normalisation inside its convolution, and with the red weights where WD has blue."""
    plain = copy.deepcopy(network).eval()
    del plain.choice
    for module in plain.modules():
        for name, child in module.named_children():
            if not isinstance(child, nn.Sequential) or len(child) != 2:
                continue
            convolution, norm = child
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(convolution, norm))
    first = next(module for module in plain.modules() if isinstance(module, nn.Conv2d))
    with torch.no_grad():
        first.weight.copy_(first.weight.flip(1))
    return _Wd(plain).eval()


def _exported(model: nn.Module) -> bytes:
    try:
        import onnxscript  # noqa: F401 - torch.onnx asks for it late and unclearly
    except ImportError as error:
        raise BocetoError(
            _("The tagger cannot be written: onnxscript is not installed."),
            str(error),
            _("Install it with: pip install 'boceto[mini]'"),
        ) from error
    # It warns of operators of torchvision, which is not installed and not used.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (torch.zeros(2, SEEN, SEEN, 3),),
            input_names=["input"],
            output_names=["output"],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    exported: bytes = program.model_proto.SerializeToString()
    return exported


def _halved(model: bytes) -> bytes:
    """The model with its large weights in float16, which a Cast makes float32 again when it is loaded."""
    import onnx
    from onnx import helper, numpy_helper

    proto = onnx.load_from_string(model)
    graph = proto.graph
    casts = []
    for weight in graph.initializer:
        numbers = numpy_helper.to_array(weight)
        if numbers.dtype != np.float32 or numbers.size <= _SMALL:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(numbers.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    # The exporter notes where in this code each node comes from: twice the size, and paths of this machine.
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del graph.value_info[:]
    del graph.metadata_props[:]
    onnx.checker.check_model(proto, full_check=True)
    halved: bytes = proto.SerializeToString()
    return halved
