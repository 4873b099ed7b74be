"""Outlines of GeoJSON, as QuPath writes them: see ``outlines.OutlineReader``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from amsunet.data.readers.polygon_fill import OutlineError, Piece, fill

Features = list[dict[str, Any]]


def parse(content: Any) -> Features | None:
    """Its features: of a collection, a list, as QuPath wrote before 0.3, a single one or a bare geometry."""
    if isinstance(content, list):
        found = all(isinstance(one, dict) and one.get("type") == "Feature" for one in content)
        return content if found else None
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "FeatureCollection":
        return list(content["features"])
    if kind in ("Polygon", "MultiPolygon", "GeometryCollection"):
        return [{"geometry": content}]
    return [content] if kind == "Feature" else None


def find(features: Features) -> dict[str, list[str]]:
    """The classes, all of the one image."""
    return {"": [_class_of(feature) for feature in features]}


def draw(features: Features, image: str, size: tuple[int, int]) -> Iterator[Piece]:
    """Each feature is an object; the parts of one lie apart, so the even-odd rule unites them."""
    for feature in features:
        rings = [np.asarray(ring, np.float64)[:, :2] for ring in _rings(feature.get("geometry"))]
        if rings:
            yield fill(_class_of(feature), rings, size)


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
        raise OutlineError(f"holds a {kind}, which marks no area: remove it, or draw it as a polygon")
