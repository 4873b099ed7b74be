/** The size of a pixel, where an image tells it and means it. */

/** @typedef {import("./types.js").Spacing} Spacing */

/** Resolutions from here on, in pixels a millimetre, are those of instruments: no printer or scanner has them. */
const INSTRUMENT = 100;
const IN_MICROMETRES = /** @type {Record<string, number>} */ ({
  nm: 1e-3, µm: 1, μm: 1, um: 1, micron: 1, microns: 1, micrometer: 1, "\\u00B5m": 1, mm: 1e3, cm: 1e4, m: 1e6,
});

/**
 * @param {import("./tiff.js").TiffPage} page
 * @returns {Spacing | null} By ImageJ's or OME's text, else by a resolution that no printer has.
 */
export function spacingOfTiff(page) {
  const [across, down] = [page.tags.across?.[0] ?? 0, page.tags.down?.[0] ?? 0];
  if (page.text.startsWith("ImageJ")) {
    const unit = IN_MICROMETRES[/^unit=(.*)$/m.exec(page.text)?.[1].trim() ?? ""];
    return unit ? ofMicrometres(unit / down, unit / across) : null;
  }
  const ome = /<Pixels\b[^>]*>/.exec(page.text)?.[0];
  if (ome) {
    const [columns, rows] = ["X", "Y"].map((axis) => {
      const size = new RegExp(`PhysicalSize${axis}="([^"]+)"`).exec(ome)?.[1];
      const unit = new RegExp(`PhysicalSize${axis}Unit="([^"]+)"`).exec(ome)?.[1] ?? "µm";
      return Number(size) * (IN_MICROMETRES[unit] ?? NaN);
    });
    return ofMicrometres(rows, columns);
  }
  const unit = { 2: 25.4, 3: 10 }[page.tags.unit?.[0] ?? 2];
  if (!unit || across / unit < INSTRUMENT || down / unit < INSTRUMENT) return null;
  return ofMicrometres((1000 * unit) / down, (1000 * unit) / across);
}

/**
 * @param {number} rows
 * @param {number} columns
 * @returns {Spacing | null} In millimetres from a tenth of one on.
 */
function ofMicrometres(rows, columns) {
  if (!(rows > 0 && columns > 0 && Number.isFinite(rows + columns))) return null;
  return rows >= 100 ? { rows: rows / 1000, columns: columns / 1000, unit: "mm" } : { rows, columns, unit: "µm" };
}
