"""What a package of bioimage.io says of a network: its description (RDF), and a text for people."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from amsunet import __version__
from amsunet.data.channels import numbered
from amsunet.data.images import Array
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.spacing import describe_spacing
from amsunet.deployment.standalone_onnx import IMAGE, PROBABILITY, smallest_side
from amsunet.errors import InputError
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import ModelRef

_FORMAT = "0.5.4"
"""Of the description."""
_PERCENTILES = {"min_percentile": 0.5, "max_percentile": 99.5}
_EXPRESSIBLE = "depth, percentiles and channels"
_AXES = ("batch", "channel", "y", "x")
_LONGEST = 1024
"""Characters of the short description."""
_PAPER = {
    "text": "Yin et al., AMSUnet: A neural network using atrous multi-scale convolution for medical image "
    "segmentation. Computers in Biology and Medicine 162 (2023).",
    "doi": "10.1016/j.compbiomed.2023.107120",
}

Step = dict[str, Any]
"""One of the format's operations, with its ``kwargs``."""


def normalization_steps(preprocessing: Preprocessing, name: str) -> tuple[str, list[Step]]:
    """How an image becomes values of 0 ... 255, in the format's operations.

    Args:
        preprocessing: Of the network.
        name: Of the network, for the error.

    Returns:
        The type of the image's values, and the operations.

    Raises:
        InputError: If it has none for this normalization.
    """
    types = preprocessing.values
    dtype = str(types[0].type) if types else "uint8"
    steps: list[Step] = [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}]
    if preprocessing.normalization in ("percentiles", "channels"):
        axes = ["channel", "y", "x"] if preprocessing.normalization == "percentiles" else ["y", "x"]
        steps.append({"id": "scale_range", "kwargs": {"axes": axes, **_PERCENTILES}})
        steps.append({"id": "scale_linear", "kwargs": {"gain": 255.0, "offset": 0.0}})
        return dtype, steps
    if preprocessing.normalization != "depth":
        raise InputError(
            f"{name} has the normalization {preprocessing.normalization}, which bioimage.io has no operations for: "
            f"export another network ({_EXPRESSIBLE} can be exported), or in another format"
        )
    if len(types) > 1:
        raise InputError(
            f"{name} was trained on images of {' and of '.join(map(str, types))}, and a package of bioimage.io takes "
            "one type: train it on images of one type"
        )
    if types and (types[0].low, types[0].high) != (0, 255):
        if types[0].always:  # a window, outside of which there are values too
            steps.append({"id": "clip", "kwargs": {"min": types[0].low, "max": types[0].high}})
        gain = 255 / ((types[0].high - types[0].low) or 1.0)
        steps.append({"id": "scale_linear", "kwargs": {"gain": gain, "offset": -gain * types[0].low}})
    return dtype, steps


def apply_steps(tensor: Array, steps: Sequence[Step]) -> Array:
    """What the operations of ``normalization_steps`` make of a tensor (N, C, H, W), in float32."""
    for step in steps:
        how = step["kwargs"]
        if step["id"] == "ensure_dtype":
            tensor = tensor.astype(how["dtype"])
        elif step["id"] == "scale_linear":
            tensor = tensor * how["gain"] + how["offset"]
        elif step["id"] == "clip":
            tensor = tensor.clip(how["min"], how["max"])
        else:
            over = tuple(_AXES.index(axis) for axis in how["axes"])
            ends = (how["min_percentile"], how["max_percentile"])
            low, high = np.percentile(tensor, ends, axis=over, keepdims=True)
            tensor = (tensor - low) / (high - low + 1e-6)
    return tensor.astype(np.float32)


@dataclass(frozen=True)
class Package:
    """What is known of a network before it is packed."""

    model: ModelRef
    description: ModelDescription
    authors: Sequence[str]
    licence: str | None
    """By its name in the SPDX list."""
    dtype: str
    steps: Sequence[Step]
    """As ``normalization_steps`` gives them, like the type."""

    def describe(self, files: Mapping[str, bytes], opset: int) -> dict[str, Any]:
        """The description, ready for JSON.

        Args:
            files: The content of the files that it names.
            opset: The version of ONNX's operators.
        """

        def file(name: str) -> dict[str, str]:
            return {"source": name, "sha256": hashlib.sha256(files[name]).hexdigest()}

        side = {"min": smallest_side(self.description.preprocessing), "step": 1}
        image = self._tensor(IMAGE, self._channels, {"y": side, "x": side}, self.dtype)
        same = {axis: {"tensor_id": IMAGE, "axis_id": axis} for axis in "yx"}
        probability = self._tensor(PROBABILITY, self.description.convention.class_names, same, "float32")
        return {
            "type": "model",
            "format_version": _FORMAT,
            "name": _plain_name(self.model.name),
            "description": self._headline,
            "authors": [{"name": name} for name in self.authors],
            "cite": [_PAPER] if self.description.model.startswith("amsunet") else [],
            "license": self.licence,
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "tags": ["semantic-segmentation", "2d", "medical", "amsunet"],
            "documentation": "README.md",
            "covers": ["cover.png"],
            "inputs": [{**image, "test_tensor": file("test_input.npy"), "preprocessing": self.steps}],
            "outputs": [{**probability, "test_tensor": file("test_output.npy")}],
            "weights": {"onnx": {**file("weights.onnx"), "opset_version": opset}},
            "config": {"amsunet": {"version": __version__, "description": self.description.model_dump(mode="json")}},
        }

    def write_readme(self) -> str:
        """The text for people, in Markdown."""
        card = self.model.card
        lines = [f"# {_plain_name(self.model.name)}", "", f"{self._headline}.", ""]
        lines += [f"For research, not for diagnosis. Written by amsunet {__version__}.", "", "## Use", ""]
        lines += [*self._use(), "", "## Validation", ""]
        if card is not None:
            lines += [f"Test images: {card.test}.", "", "Known failures:", "", *(f"- {one}" for one in card.fails)]
        else:
            lines.append("The report of the training has the scores; compare masks on images of your own.")
        weights = self.licence or ("research only" if card else "no licence is named: ask the authors")
        terms = f" Training data: {card.terms}" if card else ""
        return "\n".join([*lines, "", "## Licence", "", f"Weights: {weights}.{terms}", ""])

    def _use(self) -> Iterator[str]:
        known, names = self.description.preprocessing, self.description.convention.class_names
        if known.channel_names:
            yield f"The input has these channels, in this order: {', '.join(known.channel_names)}."
        yield f"The output holds a probability for each class: {', '.join(names)}."
        if len(names) == 2:
            yield f"A pixel is {names[1]} where its probability is above {self.description.threshold:g}."
        if self.description.smallest_object:
            yield f"Then objects and holes of fewer than {self.description.smallest_object} pixels are left out."
        if known.spacing is not None:
            yield f"Pixels must be {describe_spacing(known.spacing)}, as those of the training images: scale others."
        elif known.typical_size is not None:
            height, width = known.typical_size
            kept = "are brought to this size inside" if known.image_scale == "size" else "are taken pixel for pixel"
            yield f"The training images have about {width} x {height} pixels; images of another size {kept}."

    @property
    def _headline(self) -> str:
        card, names = self.model.card, self.description.convention.class_names[1:]
        text = f"Finds {card.finds}" if card is not None else f"Segments {', '.join(names)}; trained with amsunet"
        return text[:_LONGEST]

    @property
    def _channels(self) -> Sequence[str]:
        known = self.description.preprocessing
        colours = {1: ["grey"], 3: ["red", "green", "blue"]}
        return known.channel_names or colours.get(known.in_channels) or numbered(known.in_channels)

    def _tensor(self, name: str, channels: Sequence[str], sides: Mapping[str, Any], dtype: str) -> dict[str, Any]:
        spacing = self.description.preprocessing.spacing
        scales: list[dict[str, Any]] = [{}, {}]
        if spacing is not None:
            scales = [{"unit": "millimeter", "scale": side} for side in spacing]
        spaces = [
            {"type": "space", "id": axis, "size": sides[axis], **scale}
            for axis, scale in zip("yx", scales, strict=True)
        ]
        named = {"type": "channel", "channel_names": _identifiers(channels, "channel" if name == IMAGE else "class")}
        return {"id": name, "axes": [{"type": "batch"}, named, *spaces], "data": {"type": dtype}}


def _identifiers(names: Sequence[str], kind: str) -> list[str]:
    """Names as the format takes them for channels, each once."""
    found: list[str] = []
    for number, name in enumerate(names):
        plain = re.sub(r"\W", "_", name)
        plain = plain if plain.isidentifier() else f"{kind}_{plain}"
        found.append(f"{plain}_{number}" if plain in found else plain)
    return found


def _plain_name(name: str) -> str:
    """A name in the characters that the format allows."""
    return re.sub(r"[^A-Za-z0-9_ ()+-]", "-", name)[:128]
