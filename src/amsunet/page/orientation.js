/** Which way up an image was taken, by EXIF or XMP, and the image turned upright. */

/** @typedef {import("./types.js").Samples} Samples */

const ORIENTATION = 0x0112;

/**
 * @typedef {object} Pixels Interleaved samples, row after row.
 * @property {number} width
 * @property {number} height
 * @property {number} channels
 * @property {Samples} samples
 * @property {Uint8Array} [palette] Red, green and blue of each colour, where samples are numbers of colours.
 */

/**
 * The orientation in EXIF data.
 *
 * @param {Uint8Array} exif From the byte order on, as TIFF begins.
 * @returns {number | null} Null where there is none.
 */
export function orientationOfExif(exif) {
  if (exif.length < 14) return null;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return null;
  const little = order === 0x4949;
  const start = view.getUint32(4, little);
  if (start + 2 > exif.length) return null;
  const count = view.getUint16(start, little);
  for (let place = start + 2; place < start + 2 + 12 * count && place + 12 <= exif.length; place += 12) {
    if (view.getUint16(place, little) === ORIENTATION) return view.getUint16(place + 8, little);
  }
  return null;
}

/**
 * The orientation in an XMP packet, where EXIF has none.
 *
 * @param {Uint8Array} xmp
 * @returns {number | null}
 */
export function orientationOfXmp(xmp) {
  const found = /tiff:Orientation(?:="|>)([0-9])/.exec(new TextDecoder("latin1").decode(xmp));
  return found ? Number(found[1]) : null;
}

/**
 * Turn an image upright.
 *
 * @param {Pixels} image
 * @param {number} orientation By EXIF: 1 is upright, from 5 on it lies on its side.
 * @returns {Pixels}
 */
export function upright(image, orientation) {
  if (!(orientation >= 2 && orientation <= 8)) return image;
  const { width, height, channels, samples, palette } = image;
  const turned = orientation >= 5;
  const across = turned ? height : width;
  const down = turned ? width : height;
  const mirrored = [2, 3, 6, 7].includes(orientation);
  const flipped = [3, 4, 7, 8].includes(orientation);
  const out = new /** @type {any} */ (samples.constructor)(samples.length);
  let target = 0;
  for (let y = 0; y < down; y++) {
    const row = flipped ? down - 1 - y : y;
    for (let x = 0; x < across; x++) {
      const column = mirrored ? across - 1 - x : x;
      let source = (turned ? column * width + row : row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++) out[target++] = samples[source++];
    }
  }
  return { width: across, height: down, channels, samples: out, palette };
}
