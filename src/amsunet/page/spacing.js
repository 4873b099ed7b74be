/** The size of a pixel, where a file tells it and means it, as `data/image_spacing.py` reads it. */

/** @typedef {import("./types.js").Spacing} Spacing */

/** Micrometres. Coarser resolutions in inches or centimetres are those of a printer or a screen. */
const PRINTED = 10;
/** Micrometres: no pixel is smaller or larger. */
const [SMALLEST, LARGEST] = [1e-5, 1e7];
/** @type {(side: number) => boolean} In micrometres; not of NaN. */
export const isPossible = (side) => side >= SMALLEST && side <= LARGEST;
const IN_MICROMETRES = /** @type {Record<string, number>} */ ({
  Å: 1e-4, nm: 1e-3, µm: 1, μm: 1, um: 1, micron: 1, microns: 1, micrometer: 1, "\\u00B5m": 1, mm: 1e3, cm: 1e4, m: 1e6,
});
const METRE = 1e6;
/** By tag 296 of TIFF: inches and centimetres. */
const OF_TAG = /** @type {Record<number, number>} */ ({ 2: 25_400, 3: 10_000 });

/**
 * @param {import("./tiff.js").TiffPage} page
 * @returns {Spacing | null} By ImageJ's or OME's text, else by a resolution that no printer has.
 */
export function spacingOfTiff({ text, tags }) {
  const [across, down, orientation] = [tags.across?.[0] ?? 0, tags.down?.[0] ?? 0, tags.orientation?.[0] ?? 1];
  if (text.startsWith("ImageJ")) {
    const unit = IN_MICROMETRES[/^unit=(.*)$/m.exec(text)?.[1].trim() ?? ""];
    return unit ? spacingFrom(unit / down, unit / across, orientation) : null;
  }
  const ome = /<(?:\w+:)?Pixels\b[^>]*>/.exec(text)?.[0];
  if (ome) {
    const [rows, columns] = ["Y", "X"].map((axis) => Number(valueIn(ome, `PhysicalSize${axis}`) || NaN)
      * (IN_MICROMETRES[valueIn(ome, `PhysicalSize${axis}Unit`) ?? "µm"] ?? NaN));
    return spacingFrom(rows, columns, orientation);
  }
  return ofDensity(down, across, OF_TAG[tags.unit?.[0] ?? 2], orientation);
}

/**
 * @param {Uint8Array | undefined} data Of the chunk pHYs.
 * @param {number} orientation By EXIF.
 * @returns {Spacing | null}
 */
export function spacingOfPng(data, orientation) {
  if (!data || data.length < 9 || data[8] !== 1) return null; // 1: in metres
  const view = new DataView(data.buffer, data.byteOffset, 9);
  return ofDensity(view.getUint32(4), view.getUint32(0), METRE, orientation);
}

/**
 * @param {string} element
 * @param {string} name
 * @returns {string | undefined} The value of an attribute.
 */
function valueIn(element, name) {
  const text = new RegExp(`\\b${name}\\s*=\\s*"([^"]*)"`).exec(element)?.[1];
  return text?.replace(/&#(x?)([0-9a-f]+);/gi, (_, hex, digits) => String.fromCodePoint(parseInt(digits, hex ? 16 : 10)));
}

/**
 * What a resolution says that may be meant for a printer.
 * @param {number} down Pixels a unit.
 * @param {number} across
 * @param {number | undefined} unit In micrometres.
 * @param {number} orientation
 * @returns {Spacing | null}
 */
function ofDensity(down, across, unit, orientation) {
  const found = unit ? spacingFrom(unit / down, unit / across, orientation) : null;
  const coarse = found && (found.unit === "mm" || Math.max(found.rows, found.columns) > PRINTED);
  return coarse ? null : found;
}

/**
 * @param {number} rows Micrometres.
 * @param {number} columns
 * @param {number} orientation By EXIF: from 5 on the image lies on its side.
 * @returns {Spacing | null} Of the upright image, in millimetres from a tenth of one on.
 */
function spacingFrom(rows, columns, orientation) {
  if (![rows, columns].every(isPossible)) return null;
  const [down, across] = orientation >= 5 && orientation <= 8 ? [columns, rows] : [rows, columns];
  return down >= 100 ? { rows: down / 1000, columns: across / 1000, unit: "mm" } : { rows: down, columns: across, unit: "µm" };
}
