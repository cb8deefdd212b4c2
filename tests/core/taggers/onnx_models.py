"""Taggers made by hand: real ONNX models of a few bytes whose scores are known beforehand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Row = tuple[str, int, float]
"""Name as Danbooru writes it, category, score."""

ROWS: tuple[Row, ...] = (
    ("general", 9, 0.9),
    ("sensitive", 9, 0.1),
    ("questionable", 9, 0.01),
    ("explicit", 9, 0.0),
    ("1girl", 0, 0.99),
    ("long_hair", 0, 0.6),
    ("^_^", 0, 0.55),
    ("very_long_hair", 0, 0.5),
    ("<|>_<|>", 0, 0.3),
    ("simple_background", 0, 0.06),
    ("barely_there", 0, 0.04),
    ("hatsune_miku", 4, 0.8),
)


def make(
    folder: Path,
    rows: Sequence[Row] = ROWS,
    *,
    weights: np.ndarray | None = None,
    side: int | str = 32,
    batch: int | str = "batch",
    heavy: int = 0,
    name: str = "model.onnx",
    tags: str = "selected_tags.csv",
) -> Path:
    """A tagger whose scores are those of `rows`, plus the mean of B, G and R (0 to 1) times `weights` (3 × tags).

    `heavy` layers of convolution make it slow without a say in the scores.
    """
    count = len(rows)
    constants = {
        "scale": np.array(255, np.float32),
        "weights": (np.zeros((3, count)) if weights is None else weights).astype(np.float32),
        "bias": np.array([score for _name, _category, score in rows], np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
    }
    nodes = [
        helper.make_node("Transpose", ["input"], ["planes0"], perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Div", ["mean", "scale"], ["colour"]),
        helper.make_node("MatMul", ["colour", "weights"], ["shown"]),
        helper.make_node("Add", ["shown", "bias"], ["sum"]),
        helper.make_node("Clip", ["sum", "zero", "one"], ["clipped"]),
    ]
    last = "clipped"
    for number in range(heavy):
        constants[f"kernel{number}"] = np.full((64, 64 if number else 3, 5, 5), 1e-4, np.float32)
        ends = [f"planes{number}", f"kernel{number}"], [f"planes{number + 1}"]
        nodes.append(helper.make_node("Conv", *ends, pads=[2, 2, 2, 2]))
    if heavy:
        constants["last"] = np.array([1])
        nodes += [
            helper.make_node("ReduceMean", [f"planes{heavy}"], ["pooled"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Unsqueeze", ["pooled", "last"], ["column"]),
            helper.make_node("Mul", ["column", "zero"], ["nothing"]),
            helper.make_node("Add", ["clipped", "nothing"], ["scores"]),
        ]
        last = "scores"
    graph = helper.make_graph(
        nodes,
        "tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, side, side, 3])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [batch, count])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / name)
    lines = [f"{number},{row[0]},{row[1]},1000" for number, row in enumerate(rows)]
    (folder / tags).write_text("\n".join(["tag_id,name,category,count", *lines]) + "\n", encoding="utf-8")
    return folder / name
