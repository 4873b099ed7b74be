"""Outlines of GeoJSON, as QuPath writes them: see ``outlines.OutlineReader``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from amsunet.data.readers.polygon_fill import Piece, fill


def is_of(content: Any) -> bool:
    """Whether this is a feature, several, or a geometry."""
    if isinstance(content, list):  # as QuPath wrote them before 0.3
        return all(isinstance(one, dict) and one.get("type") == "Feature" for one in content)
    kinds = ("FeatureCollection", "Feature", "Polygon", "MultiPolygon", "GeometryCollection")
    return isinstance(content, dict) and content.get("type") in kinds


def find(content: Any) -> dict[str, list[str]]:
    """The classes, all of the one image."""
    return {"": [_class_of(feature) for feature in _features(content)]}


def draw(content: Any, image: str, size: tuple[int, int]) -> Iterator[Piece]:
    """Each feature is an object; the parts of one lie apart, so the even-odd rule unites them."""
    for feature in _features(content):
        rings = [np.asarray(ring, np.float64)[:, :2] for ring in _rings(feature.get("geometry"))]
        if rings:
            yield fill(_class_of(feature), rings, size)


def _features(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, list):
        return content
    if content["type"] == "FeatureCollection":
        return list(content["features"])
    return [content if content["type"] == "Feature" else {"geometry": content}]


def _class_of(feature: dict[str, Any]) -> str:
    known = (feature.get("properties") or {}).get("classification") or {}
    return str(known.get("name") or " ".join(known.get("names") or ()))


def _rings(geometry: Any) -> Iterator[Any]:
    if geometry is None:
        return
    kind = geometry["type"]
    if kind == "Polygon":
        yield from geometry["coordinates"]
    elif kind == "MultiPolygon":
        for polygon in geometry["coordinates"]:
            yield from polygon
    elif kind == "GeometryCollection":
        for one in geometry["geometries"]:
            yield from _rings(one)
    else:
        raise ValueError(f"holds a {kind}, which marks no area: remove it, or draw it as a polygon")
