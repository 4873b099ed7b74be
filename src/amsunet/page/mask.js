/** Masks in the convention of the training masks, as `MaskConvention.encode` and `Segmentation.save` write them. */

import { crcOf, join } from "./bytes.js";
import { PageError } from "./errors.js";
import { deflate } from "./inflate.js";
import { numbersOf } from "./objects.js";

/** @typedef {import("./types.js").Description} Description */

const MOST_OBJECTS = 65535;

/**
 * @param {Uint8Array} labels
 * @param {number} width
 * @param {number} height
 * @param {Description} description
 * @param {number} separation How deep a waist must be at which objects that touch are parted; 0 for none.
 * @returns {Promise<Uint8Array>} A PNG.
 */
export async function encodeMask(labels, width, height, description, separation) {
  const { convention } = description;
  if (convention.kind === "instances") {
    const numbers = numbersOf(labels, width, height, separation);
    const count = numbers.reduce((one, other) => Math.max(one, other), 0);
    if (count > MOST_OBJECTS) throw new PageError("objects", { count, limit: MOST_OBJECTS });
    return encodePng(count < 256 ? Uint8Array.from(numbers) : Uint16Array.from(numbers), width, height, 1);
  }
  const values = /** @type {number[]} */ (convention.values);
  if (convention.kind === "colours") {
    const colours = new Uint8Array(3 * labels.length);
    for (let index = 0; index < labels.length; index++) {
      const colour = values[labels[index]];
      colours.set([colour >> 16, (colour >> 8) & 255, colour & 255], 3 * index);
    }
    return encodePng(colours, width, height, 3);
  }
  const samples = new (Math.max(...values) < 256 ? Uint8Array : Uint16Array)(labels.length);
  for (let index = 0; index < labels.length; index++) samples[index] = values[labels[index]];
  return encodePng(samples, width, height, 1);
}

/**
 * The files of a mask: one, or where the training masks have a folder for each class, one in each folder.
 *
 * @param {Uint8Array} labels
 * @param {number} width
 * @param {number} height
 * @param {Description} description
 * @param {number} separation How deep a waist must be at which objects that touch are parted; 0 for none.
 * @returns {Promise<{folder: string, png: Uint8Array}[]>} The folder is empty for a single one.
 */
export async function encodeMasks(labels, width, height, description, separation) {
  const { kind, class_names: names } = description.convention;
  if (kind !== "folders") return [{ folder: "", png: await encodeMask(labels, width, height, description, separation) }];
  const classes = /** @type {string[]} */ (names).slice(1);
  return Promise.all(
    classes.map(async (folder, index) => {
      const mask = Uint8Array.from(labels, (label) => (label === index + 1 ? 255 : 0));
      return { folder, png: await encodePng(mask, width, height, 1) };
    }),
  );
}

/**
 * @param {Uint8Array | Uint16Array} samples Interleaved.
 * @param {number} width
 * @param {number} height
 * @param {1 | 3} channels
 * @returns {Promise<Uint8Array>} A PNG of 8 or 16 bits.
 */
export async function encodePng(samples, width, height, channels) {
  const size = samples.BYTES_PER_ELEMENT;
  const stride = width * channels * size;
  const rows = new Uint8Array((stride + 1) * height);
  for (let y = 0, source = 0; y < height; y++) {
    let target = y * (stride + 1) + 1;
    for (let column = 0; column < width * channels; column++, source++) {
      if (size === 2) rows[target++] = samples[source] >> 8;
      rows[target++] = samples[source] & 255;
    }
  }
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint8(8, 8 * size);
  head.setUint8(9, channels === 3 ? 2 : 0);
  return join([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", new Uint8Array(head.buffer)),
    chunk("IDAT", await deflate(rows)),
    chunk("IEND", new Uint8Array()),
  ]);
}

/**
 * @param {string} kind
 * @param {Uint8Array} data
 * @returns {Uint8Array}
 */
function chunk(kind, data) {
  const named = join([new TextEncoder().encode(kind), data]);
  const out = new Uint8Array(named.length + 8);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(named, 4);
  view.setUint32(named.length + 4, crcOf(named));
  return out;
}
