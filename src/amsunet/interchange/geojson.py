"""Outlines as GeoJSON, in the terms of QuPath: each object a detection with its class, colour and measurements."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from amsunet.atomic_io import atomic_write, printable
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange.calibration import calibrate
from amsunet.interchange.object_values import measure_objects
from amsunet.interchange.polygons import Rings, outline_objects

suffix = ".geojson"


def write(result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
    """Write objects as a FeatureCollection, see ``result_formats.Writer``."""
    values, pixel = measure_objects(result, objects), calibrate(result.spacing)
    lines = []
    for index, outline in enumerate(outline_objects(objects.numbers, len(objects))):
        measurements: dict[str, float] = {"Area px^2": int(values.pixels[index])}
        if pixel is not None:
            measurements[f"Area {pixel.unit}^2"] = round(int(values.pixels[index]) * pixel.area, 6)
        measurements["Mean probability"] = round(float(values.probabilities[index]), 4)
        feature = {
            "type": "Feature",
            "id": str(uuid5(NAMESPACE_URL, f"{printable(result.name)}/{index + 1}")),  # the same each time
            "geometry": _geometry(outline),
            "properties": {
                "objectType": "detection",
                "classification": {"name": values.class_names[index], "color": values.colours[index]},
                "measurements": measurements,
            },
        }
        lines.append(json.dumps(feature, ensure_ascii=False, separators=(",", ":")))
    text = '{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n"
    with atomic_write(path, durable=False) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _geometry(outline: list[Rings]) -> dict[str, object]:
    polygons = [[ring.tolist() for ring in rings] for rings in outline]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}
