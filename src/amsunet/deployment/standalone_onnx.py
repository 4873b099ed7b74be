"""An exported network with its resizing inside: an image goes in, probabilities of the same size come out.

For programs that know ONNX and nothing of this package. What is left to them is the normalization of intensities.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.data.preprocessing import ALIKE, Preprocessing
from amsunet.inference import SMALLEST_SIDE
from amsunet.optional import require

IMAGE, PROBABILITY = "image", "probability"
"""The names of what goes in and comes out."""


def write_standalone(exported: Path, preprocessing: Preprocessing, path: Path) -> int:
    """Write an ONNX file that maps an image to probabilities as ``predict`` does, but for normalization.

    ``image``, (N, C, H, W) of float32 in 0 ... 255, becomes ``probability``, (N, num_classes, H, W). It is scaled by
    its size; the size of its pixels is not known to such a file.

    Args:
        exported: An ONNX file of ``export``, whose mean, standard deviation and temperature are inside.
        preprocessing: How the network wants images.
        path: The file to write. It has no description of amsunet, for it is not one of its exports any more.

    Returns:
        The version of ONNX's operators.
    """
    onnx = require("onnx")
    model = onnx.load(exported)
    graph = model.graph
    inside, taken, given = list(graph.node), graph.input[0].name, graph.output[0].name
    around = _Around(onnx, preprocessing)
    working = around.before(IMAGE)
    for node in inside:
        node.input[:] = [working if name == taken else name for name in node.input]
    around.after(given, PROBABILITY)
    del graph.node[:]
    graph.node.extend([*around.nodes_before, *inside, *around.nodes_after])
    graph.initializer.extend(around.constants)
    classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    for ends, name, channels in ((graph.input, IMAGE, preprocessing.in_channels), (graph.output, PROBABILITY, classes)):
        del ends[:]
        shape = ["batch", channels, "height", "width"]
        ends.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    del graph.value_info[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return max(int(one.version) for one in model.opset_import if one.domain in ("", "ai.onnx"))


def smallest_side(preprocessing: Preprocessing) -> int:
    """Pixels of the shortest side that such a network takes: what is smaller is filled up by ``predict``."""
    return max(1, math.ceil(SMALLEST_SIDE / min(1.0, preprocessing.scale)))


class _Around:
    """The nodes before and behind a network.

    Args:
        onnx: The package.
        preprocessing: How the network wants images.
    """

    def __init__(self, onnx: Any, preprocessing: Preprocessing) -> None:
        self._onnx, self._known = onnx, preprocessing
        self._resizes = preprocessing.scale != 1 or preprocessing.image_scale == "size"
        self.nodes_before: list[Any] = []
        self.nodes_after: list[Any] = []
        self.constants: list[Any] = []
        self._nodes = self.nodes_before

    def before(self, image: str) -> str:
        """Levels of eight bits at working size, as the network was shown them; returns their name."""
        levels = self._add("Round", image)
        if self._resizes:
            self._sides = self._add("Slice", self._add("Shape", image), self._constant([2]), self._constant([4]))
            levels = self._add("Round", self._resize(levels, self._working_sides()))
        return self._add("Clip", levels, self._constant(np.float32(0)), self._constant(np.float32(255)))

    def after(self, logits: str, probability: str) -> None:
        """Probabilities at the size of the image."""
        self._nodes = self.nodes_after
        if self._resizes:
            logits = self._resize(logits, self._sides)
        self._add("Softmax", logits, name=probability, axis=1)

    def _working_sides(self) -> str:
        """Height and width as ``Preprocessing.working_size`` has them where no size of pixels is known."""
        double = self._onnx.TensorProto.DOUBLE
        sides = self._add("Cast", self._sides, to=double)
        factor = self._constant(np.float64(self._known.scale))
        if self._known.image_scale == "size" and self._known.typical_size is not None:
            pixels = self._add("ReduceProd", sides, keepdims=0)
            typical = self._constant(np.float64(math.prod(self._known.typical_size)))
            ratio = self._add("Sqrt", self._add("Div", pixels, typical))
            lowest, highest = (self._constant(np.float64(bound)) for bound in (1 / ALIKE, ALIKE))
            alike = self._add(
                "And",
                self._add("GreaterOrEqual", ratio, lowest),
                self._add("LessOrEqual", ratio, highest),
            )
            factor = self._add("Where", alike, factor, self._add("Div", factor, ratio))
        rounded = self._add("Round", self._add("Mul", sides, factor))  # half to even, as Python
        whole = self._add("Cast", rounded, to=self._onnx.TensorProto.INT64)
        return self._add("Max", whole, self._constant([1]))

    def _resize(self, images: str, sides: str) -> str:
        first = self._add("Slice", self._add("Shape", images), self._constant([0]), self._constant([2]))
        # Older versions of onnxruntime do not follow how many sizes these are, and refuse an unknown number.
        sizes = self._add("Reshape", self._add("Concat", first, sides, axis=0), self._constant([4]))
        how: dict[str, Any] = {"mode": "linear", "antialias": 1, "coordinate_transformation_mode": "half_pixel"}
        return self._add("Resize", images, "", "", sizes, **how)

    def _add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of what it gives."""
        name = name or f"around.{len(self.nodes_before)}.{len(self.nodes_after)}"
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _constant(self, value: Any) -> str:
        name = f"around.constant.{len(self.constants)}"
        array = np.asarray(value, np.int64) if isinstance(value, list) else np.asarray(value)
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name
