/** Outlines as GeoJSON, in the terms of QuPath, as `interchange/geojson.py`: each object a detection. */

import { colourOf } from "./paint.js";
import { outlineObjects } from "./polygons.js";
import { areaOfPixel } from "./table.js";

/**
 * @typedef {import("./polygons.js").Ring} Ring
 * @typedef {import("./table.js").Numbered} Numbered
 */

/**
 * @param {Numbered} numbered
 * @returns {string} A FeatureCollection.
 */
export function geojson({ numbers, width, measured, spacing }) {
  const outlines = outlineObjects(numbers, width, measured.objects.length);
  const features = measured.objects.map(({ label, area, probability }, index) => {
    const { outer, holes } = outlines[index];
    const inUnit = spacing ? { [`Area ${spacing.unit}^2`]: round(area * (areaOfPixel(spacing, spacing.unit) ?? 0), 6) } : {};
    return JSON.stringify({
      type: "Feature",
      geometry: { type: "Polygon", coordinates: [outer, ...holes].map(closed) },
      properties: {
        objectType: "detection",
        classification: { name: measured.classes[label - 1].name, color: colourOf(label) },
        measurements: { "Area px^2": area, ...inUnit, "Mean probability": round(probability, 4) },
      },
    });
  });
  return `{"type":"FeatureCollection","features":[\n${features.join(",\n")}\n]}\n`;
}

/** @type {(ring: Ring) => Ring} */
function closed(ring) {
  return [...ring, ring[0]];
}

/** @type {(value: number, digits: number) => number} */
function round(value, digits) {
  return Number(value.toFixed(digits));
}
