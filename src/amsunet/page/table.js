/**
 * Tables of what was found, as CSV: one of objects, one of images.
 *
 * @typedef {import("./types.js").Spacing} Spacing
 * @typedef {import("./measure.js").Measured} Measured
 *
 * @typedef {object} Row An image and what was found in it.
 * @property {string} name
 * @property {number} width
 * @property {number} height
 * @property {string} network
 * @property {Measured} measured
 * @property {Spacing | null} spacing
 * @property {string} check Why the mask is to be checked; empty where nothing says so.
 */

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
 * One row for each object.
 * @param {Row[]} rows
 * @returns {string}
 */
export function objectsTable(rows) {
  const unit = unitOf(rows);
  const head = ["image", "object", "class", "area_px", ...areaName(unit), "centroid_row", "centroid_column", "top", "left",
    "bottom", "right", "equivalent_diameter_px", "mean_probability", "touches_border"];
  const lines = rows.flatMap(({ name, measured, spacing }) =>
    measured.objects.map((object, index) => [
      name, index + 1, measured.classes[object.label - 1].name, object.area, ...areaIn(unit, spacing, object.area),
      round(object.row, 2), round(object.column, 2), object.top, object.left, object.bottom, object.right,
      round(Math.sqrt((4 * object.area) / Math.PI), 2), round(object.probability, 4), object.border ? "yes" : "no",
    ]),
  );
  return csv([head, ...lines]);
}

/**
 * One row for each image and class.
 * @param {Row[]} rows
 * @returns {string}
 */
export function imagesTable(rows) {
  const unit = unitOf(rows);
  const head = ["image", "width", "height", "class", "objects", "area_px", ...areaName(unit), "share", "uncertainty",
    "dice", "check", "threshold", "smallest_object_px", "pixel_size", "unit", "network"];
  const lines = rows.flatMap(({ name, width, height, network, measured, spacing, check }) =>
    measured.classes.map((one) => [
      name, width, height, one.name, one.objects, one.pixels, ...areaIn(unit, spacing, one.pixels),
      round(one.pixels / (width * height), 6), round(measured.uncertainty, 4),
      one.dice === null ? "" : round(one.dice, 4), check, measured.threshold ?? "", measured.smallest ?? "",
      spacing ? sizeOf(spacing) : "", spacing ? spacing.unit : "", network,
    ]),
  );
  return csv([head, ...lines]);
}

/**
 * @param {Row[]} rows
 * @returns {"mm" | "µm" | null} The unit of all areas; null where no pixel's size is known.
 */
function unitOf(rows) {
  const units = new Set(rows.map(({ spacing }) => spacing?.unit));
  return units.has("µm") ? "µm" : units.has("mm") ? "mm" : null;
}

/** @type {(unit: "mm" | "µm" | null) => string[]} */
function areaName(unit) {
  return unit ? [unit === "mm" ? "area_mm2" : "area_um2"] : [];
}

/** @type {(unit: "mm" | "µm" | null, spacing: Spacing | null, pixels: number) => (number | string)[]} */
function areaIn(unit, spacing, pixels) {
  if (!unit) {
    return [];
  }
  const one = areaOfPixel(spacing, unit);
  return [one === null ? "" : Number((one * pixels).toPrecision(7))];
}

/** @type {(spacing: Spacing) => string} */
function sizeOf({ rows, columns }) {
  return rows === columns ? String(rows) : `${rows} x ${columns}`;
}

/** @type {(value: number, digits: number) => number} */
function round(value, digits) {
  return Number(value.toFixed(digits));
}

/**
 * @param {(string | number)[][]} lines
 * @returns {string} With the mark by which spreadsheets know UTF-8.
 */
function csv(lines) {
  const cell = (/** @type {string | number} */ value) => {
    const text = typeof value === "number" ? String(value) : asCell(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `\ufeff${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}
