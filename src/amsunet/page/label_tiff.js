/** Objects as a TIFF in which each pixel holds the number of its object, as `interchange/label_tiff.py`. */

import { join } from "./bytes.js";
import { PageError } from "./errors.js";
import { deflate } from "./inflate.js";

const MOST_OBJECTS = 65_535;
const [SHORT, LONG, RATIO, TEXT] = [3, 4, 5, 2];
const ZLIB = 8;

/**
 * @param {import("./table.js").Numbered} numbered
 * @returns {Promise<Uint8Array>} Of 16 bits, with the size of a pixel where ImageJ looks for it.
 */
export async function labelTiff({ numbers, width, height, measured, spacing }) {
  const count = measured.objects.length;
  if (count > MOST_OBJECTS) throw new PageError("objects", { count, limit: MOST_OBJECTS });
  const samples = new Uint8Array(Uint16Array.from(numbers).buffer); // the low byte first, as on all machines
  const pixels = await deflate(samples);
  const unit = spacing && (spacing.unit === "µm" ? "micron" : spacing.unit);
  const text = new TextEncoder().encode(`ImageJ=1.11a\nimages=1\n${unit ? `unit=${unit}\n` : ""}\0`);
  const resolutions = spacing ? [1 / spacing.columns, 1 / spacing.rows] : [1, 1];
  const parts = Math.max(...resolutions) < 4000 ? 1_000_000 : 100; // of a fraction of 32 bits
  const [across, down] = resolutions.map((one) => [Math.round(one * parts), parts]);
  return join(tiff(pixels, [
    [256, LONG, [width]], [257, LONG, [height]], [258, SHORT, [16]], [259, SHORT, [ZLIB]], [262, SHORT, [1]],
    [270, TEXT, text], [273, LONG, [8]], [277, SHORT, [1]], [278, LONG, [height]], [279, LONG, [pixels.length]],
    [282, RATIO, across], [283, RATIO, down], [296, SHORT, [1]],
  ]));
}

/**
 * @param {Uint8Array} pixels
 * @param {[number, number, number[] | Uint8Array][]} tags Number, type and values.
 * @returns {Uint8Array[]} The file, in pieces.
 */
function tiff(pixels, tags) {
  const padding = new Uint8Array(pixels.length % 2);
  const start = 8 + pixels.length + padding.length;
  const head = new DataView(new ArrayBuffer(8));
  [0x4949, 42].forEach((value, at) => head.setUint16(2 * at, value, true));
  head.setUint32(4, start, true);
  const directory = new DataView(new ArrayBuffer(2 + 12 * tags.length + 4));
  directory.setUint16(0, tags.length, true);
  /** @type {Uint8Array[]} */
  const far = [];
  let end = start + directory.byteLength;
  tags.forEach(([tag, type, values], at) => {
    const place = 2 + 12 * at;
    directory.setUint16(place, tag, true);
    directory.setUint16(place + 2, type, true);
    directory.setUint32(place + 4, type === RATIO ? 1 : values.length, true);
    if (type === SHORT) directory.setUint16(place + 8, values[0], true);
    else if (type === LONG) directory.setUint32(place + 8, values[0], true);
    else {
      const bytes = type === TEXT ? Uint8Array.from(values) : new Uint8Array(Uint32Array.from(values).buffer);
      directory.setUint32(place + 8, end, true);
      far.push(bytes, new Uint8Array(bytes.length % 2));
      end += bytes.length + (bytes.length % 2);
    }
  });
  return [new Uint8Array(head.buffer), pixels, padding, new Uint8Array(directory.buffer), ...far];
}
