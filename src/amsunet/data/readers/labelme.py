"""Outlines of LabelMe, a file of JSON for each image: see ``outlines.OutlineReader``."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from amsunet.data.missing_rows import missing_in_png
from amsunet.data.readers.polygon_fill import OutlineError, OutsideError, Piece, fill

_IGNORED = "__ignore__"
_NO_OBJECT = (_IGNORED, "_background_")
_NO_AREA = ("point", "points", "line", "linestrip")
_CORNERS = 180
"""Of the polygon that a circle is drawn as."""


def parse(content: Any) -> Any:
    """The content itself, if it is what LabelMe saves."""
    known = isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content
    return content if known else None


def find(content: Any) -> dict[str, list[str]]:
    """The labels, all of the one image."""
    return {"": [str(shape["label"]) for shape in _shapes(content)]}


def draw(content: Any, image: str, size: tuple[int, int]) -> Iterator[Piece]:
    """Each shape is an object."""
    known = (content.get("imageHeight"), content.get("imageWidth"))
    if None not in known and known != size:
        raise OutsideError(
            f"it was drawn in an image of {known[1]} x {known[0]} pixels, and this has {size[1]} x {size[0]}"
        )
    if any(one["label"] == _IGNORED and one.get("shape_type") not in _NO_AREA for one in content["shapes"]):
        raise OutlineError(
            f"marks a region as {_IGNORED}, which is not read here: remove it if it is background; else put a mask "
            "into a folder roi/, of the image's name and 0 where it is to be ignored"
        )
    for shape in _shapes(content):
        label, kind = str(shape["label"]), shape.get("shape_type") or "polygon"
        points = np.asarray(shape["points"], np.float64).reshape(-1, 2)
        if kind == "mask":
            yield _bitmap(label, shape["mask"], points, size)
        else:
            yield fill(label, [_outline(kind, points)], size)


def _shapes(content: Any) -> list[Any]:
    return [shape for shape in content["shapes"] if shape["label"] not in _NO_OBJECT]


def _outline(kind: str, points: Any) -> Any:
    if kind == "rectangle":
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    if kind == "circle":
        middle, edge = points
        angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
        return middle + np.hypot(*(edge - middle)) * np.column_stack([np.cos(angles), np.sin(angles)])
    if kind == "polygon" and len(points) > 2:
        return points
    raise OutlineError(
        f"holds a {kind} of {len(points)} points, which marks no area: remove it, or draw it as a polygon"
    )


def _bitmap(label: str, text: str, points: Any, size: tuple[int, int]) -> Piece:
    left, top = points[0].round().astype(int).tolist()
    content = io.BytesIO(base64.b64decode(text))
    with Image.open(content, formats=("PNG",)) as picture:
        height, width = picture.height, picture.width
        if min(left, top) < 0 or left + width > size[1] or top + height > size[0]:
            raise OutsideError(f"a mask leaves its image of {size[1]} x {size[0]} pixels")
        inside = np.asarray(picture.convert("L")) > 0
    if missing := missing_in_png(content):
        raise OutlineError(f"holds a mask that is damaged ({missing}): export it again")
    return Piece(label, top, left, inside)
