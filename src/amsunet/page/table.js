/**
 * Tables of what was found, as CSV, with the columns that `predict --objects` writes: one of objects, one of images.
 *
 * @typedef {import("./types.js").Picture} Picture
 * @typedef {import("./types.js").Spacing} Spacing
 * @typedef {import("./measure.js").Measured} Measured
 *
 * @typedef {object} Found An image and what was found in it.
 * @property {string} name
 * @property {number} width
 * @property {number} height
 * @property {Measured} measured
 * @property {Spacing | null} spacing
 *
 * @typedef {Found & {numbers: Int32Array}} Numbered With the number of the object of each pixel.
 *
 * @typedef {Record<string, string | number>} Row A value by the name of its column.
 */

import { circularities, meanIntensities } from "./object_shapes.js";

const OBJECTS = ["image", "object", "class", "area_px", "centroid_row", "centroid_column", "top", "left", "bottom", "right",
  "equivalent_diameter_px", "circularity", "mean_probability", "touches_border"];
const COUNTS = ["image", "width", "height", "class", "objects", "area_px", "share", "uncertainty", "check"];

// As src/amsunet/safe_text.py: what is not seen is written out, and what a spreadsheet would run gets a quote before it.
const UNSEEN = /[\0-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Surrogate}/gu;
const FORMULA = /^'*[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const ESCAPES = new Map([["\t", "\\t"], ["\n", "\\n"], ["\r", "\\r"]]);

/**
 * A text as a cell that no spreadsheet runs.
 * @param {string} text
 * @returns {string}
 */
export function asCell(text) {
  const line = text.replace(UNSEEN, (character) => {
    const code = character.charCodeAt(0);
    const short = `\\x${code.toString(16).padStart(2, "0")}`;
    return ESCAPES.get(character) ?? (code < 256 ? short : `\\u${code.toString(16).padStart(4, "0")}`);
  });
  return FORMULA.test(line) && !NUMBER.test(line) ? `'${line}` : line;
}

/**
 * The area of a pixel in a unit.
 * @param {Spacing | null} spacing
 * @param {"mm" | "µm"} unit
 * @returns {number | null} Null where the pixel's size is not known.
 */
export function areaOfPixel(spacing, unit) {
  if (!spacing) {
    return null;
  }
  const factor = spacing.unit === unit ? 1 : unit === "µm" ? 1000 : 0.001;
  return spacing.rows * spacing.columns * factor * factor;
}

/**
 * A row for each object.
 * @param {Numbered} found
 * @param {Picture} picture The image as it is in its file; its intensities are averaged.
 * @returns {Row[]}
 */
export function objectRows({ name, width, numbers, measured, spacing }, picture) {
  const areas = measured.objects.map(({ area }) => area);
  const round = circularities(numbers, width, areas);
  const intensities = meanIntensities(numbers, areas, picture);
  return measured.objects.map(({ label, area, row, column, top, left, bottom, right, probability, border }, index) => {
    const diameter = Math.sqrt((4 * area) / Math.PI);
    const means = intensities.map((means, channel) =>
      [picture.channels === 1 ? "mean_intensity" : `mean_intensity_${channel + 1}`, significant(means[index])]);
    return {
      image: name, object: index + 1, class: measured.classes[label - 1].name, area_px: area,
      centroid_row: rounded(row, 2), centroid_column: rounded(column, 2), top, left, bottom, right,
      equivalent_diameter_px: rounded(diameter, 2), circularity: rounded(round[index], 4),
      mean_probability: rounded(probability, 4), touches_border: border ? "yes" : "no",
      ...inUnit("area", spacing, area, 2), ...inUnit("equivalent_diameter", spacing, diameter, 1), ...Object.fromEntries(means),
    };
  });
}

/**
 * A row for each class of an image.
 * @param {Found} found
 * @param {string} check Why the mask is to be checked; empty where nothing says so.
 * @param {string} network
 * @returns {Row[]}
 */
export function countRows({ name, width, height, measured, spacing }, check, network) {
  return measured.classes.map((one) => ({
    image: name, width, height, class: one.name, objects: one.objects, area_px: one.pixels,
    share: rounded(one.pixels / (width * height), 6), uncertainty: rounded(measured.uncertainty, 4), check,
    ...inUnit("area", spacing, one.pixels, 2),
    ...(spacing ? { pixel_height: spacing.rows, pixel_width: spacing.columns, unit: spacing.unit } : {}),
    ...(one.dice === null ? {} : { dice: rounded(one.dice, 4) }),
    ...(measured.threshold === null ? {} : { threshold: measured.threshold }),
    ...(measured.smallest === null ? {} : { smallest_object_px: measured.smallest }),
    separation_px: measured.separation, network,
  }));
}

/** @type {(rows: Row[]) => string} */
export function objectsTable(rows) {
  return csv(rows, OBJECTS);
}

/** @type {(rows: Row[]) => string} */
export function countsTable(rows) {
  return csv(rows, COUNTS);
}

/**
 * @param {string} name
 * @param {Spacing | null} spacing
 * @param {number} pixels A length or an area.
 * @param {1 | 2} power
 * @returns {Row} In the unit of the pixels' size, where that is known.
 */
function inUnit(name, spacing, pixels, power) {
  const one = spacing && areaOfPixel(spacing, spacing.unit);
  if (!spacing || !one) {
    return {};
  }
  const unit = spacing.unit === "mm" ? "mm" : "um";
  return { [`${name}_${unit}${power === 1 ? "" : power}`]: significant(pixels * one ** (power / 2)) };
}

/** @type {(value: number) => number} */
function significant(value) {
  return Number(value.toPrecision(7));
}

/** @type {(value: number, digits: number) => number} As NumPy does it, halves to the even one. */
function rounded(value, digits) {
  const [factor, scaled] = [10 ** digits, value * 10 ** digits];
  const lower = Math.floor(scaled);
  const up = scaled - lower === 0.5 ? lower % 2 : Number(scaled - lower > 0.5);
  return (lower + up) / factor;
}

/**
 * @param {Row[]} rows
 * @param {string[]} columns The first ones; those that only some rows have follow.
 * @returns {string} With the mark by which spreadsheets know UTF-8.
 */
function csv(rows, columns) {
  const names = [...new Set([...columns, ...rows.flatMap((row) => Object.keys(row))])];
  const cell = (/** @type {string | number} */ value) => {
    const text = typeof value === "number" ? String(value) : asCell(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [names, ...rows.map((row) => names.map((name) => row[name] ?? ""))];
  return `\ufeff${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}
