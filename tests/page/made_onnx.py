"""Small networks as ``amsunet export`` writes them: quick in a browser, and yet every pixel depends on all others."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amsunet.data.masks import MaskConvention
from amsunet.data.preprocessing import Preprocessing
from amsunet.inference.export_checksum import append_checksum
from amsunet.inference.model_metadata import METADATA, ModelDescription


@dataclass(frozen=True)
class SmallNetwork:
    """An exported network, and what the page is told of it."""

    path: Path
    entry: dict[str, Any]
    packed: bytes


def describe(normalization: Any = "depth", in_channels: Any = 3) -> ModelDescription:
    return ModelDescription(
        model="small",
        arguments={},
        preprocessing=Preprocessing(
            in_channels=in_channels,
            normalization=normalization,
            mean=(0.4,) * in_channels,
            std=(0.2,) * in_channels,
        ),
        convention=MaskConvention(kind="values", values=(0, 255), class_names=("background", "cell")),
        threshold=0.6,
    )


def write(
    folder: Path, *, name: str = "small", bias: float = 0.1, description: str | None = None, kernel: int = 3
) -> SmallNetwork:
    """A convolution, and the mean of the whole input: what it gives for tiles is not what it gives for the image."""
    onnx = pytest.importorskip("onnx", reason='needs ONNX: pip install "amsunet[export]"')
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.05, (2, 3, kernel, kernel)).astype(np.float32) / kernel
    sides = ["N", None, "H", "W"]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "weights", "bias"], ["local"], pads=[kernel // 2] * 4),
            helper.make_node("GlobalAveragePool", ["local"], ["mean"]),
            helper.make_node("Sub", ["local", "mean"], ["logits"]),
        ],
        "small",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [*sides[:1], 3, *sides[2:]])],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [*sides[:1], 2, *sides[2:]])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([0, bias], np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, {"other": "first", METADATA: description or describe().model_dump_json()})
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    append_checksum(path)
    content = path.read_bytes()
    entry = {
        "name": name,
        "file": f"networks/{name}.onnx.gz",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "card": None,
        "work": 3 * 2 * kernel**2,
    }
    return SmallNetwork(path, entry, gzip.compress(content))
