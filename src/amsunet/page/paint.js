/** Masks as pictures. */

/** The palette of the package's overlays (src/amsunet/data/overlay.py), which colour-blind readers can distinguish. */
export const COLOURS = [
  [0, 220, 150], [230, 159, 0], [86, 180, 233], [213, 94, 0], [204, 121, 167], [240, 228, 66], [0, 114, 178],
];
/** Where mask and reference agree, where the mask misses something, where it has too much; as in reports. */
export const [RIGHT, MISSED, EXTRA] = [COLOURS[0], COLOURS[6], COLOURS[3]];

/**
 * The colour of a class, counted from 1; when the palette is used up, lighter, then darker ones.
 * @param {number} label
 * @returns {number[]} Red, green and blue.
 */
export function colourOf(label) {
  const towards = [null, 255, 0][Math.floor((label - 1) / COLOURS.length) % 3];
  const colour = COLOURS[(label - 1) % COLOURS.length];
  return towards === null ? colour : colour.map((value) => Math.floor((value + towards) / 2));
}

/**
 * @param {number[]} colour
 * @returns {string} As style sheets write it.
 */
export function css(colour) {
  return `rgb(${colour.join(" ")})`;
}

/**
 * @param {number[]} colour
 * @param {number} alpha
 * @returns {number} As four bytes in the order of a picture's, on machines that put the lowest first, as all do.
 */
function packed([red, green, blue], alpha = 255) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * Fill classes with their colours.
 * @param {Uint8Array} labels
 * @param {Uint32Array} pixels To be painted.
 */
export function paintFill(labels, pixels) {
  const colours = Uint32Array.from({ length: 256 }, (_, label) => (label ? packed(colourOf(label)) : 0));
  for (let i = 0; i < labels.length; i += 1) {
    pixels[i] = colours[labels[i]];
  }
}

/**
 * Show where a network is not sure.
 * @param {Uint8Array} uncertainty 0 where it is sure, 255 where all classes are alike.
 * @param {Uint32Array} pixels To be painted.
 */
export function paintUncertainty(uncertainty, pixels) {
  const shades = Uint32Array.from({ length: 256 }, (_, alpha) => packed([235, 97, 20], alpha));
  for (let i = 0; i < pixels.length; i += 1) {
    pixels[i] = shades[uncertainty[i]];
  }
}

/**
 * Show a mask against a reference.
 * @param {Uint8Array} labels
 * @param {Uint8Array} reference 255 where it is ignored.
 * @param {Uint32Array} pixels To be painted.
 */
export function paintDifferences(labels, reference, pixels) {
  const [right, missed, extra] = [RIGHT, MISSED, EXTRA].map((colour) => packed(colour));
  for (let i = 0; i < labels.length; i += 1) {
    const [here, there] = [labels[i], reference[i]];
    if (there === 255) {
      pixels[i] = 0;
    } else if (here === there) {
      pixels[i] = here ? right : 0;
    } else {
      pixels[i] = here ? extra : missed;
    }
  }
}

/**
 * Paint the border pixels of objects; the image's edge is no border.
 * @param {Uint8Array} labels
 * @param {number} width
 * @param {number} height
 * @param {number} thickness In pixels.
 * @param {Uint32Array} pixels To be painted.
 * @param {Uint8Array | Int32Array} [numbers] Of objects that touch others of their class; else classes part them.
 */
export function paintBorders(labels, width, height, thickness, pixels, numbers = labels) {
  const before = Math.floor((thickness - 1) / 2);
  const colours = Uint32Array.from({ length: 256 }, (_, label) => (label ? packed(colourOf(label)) : 0));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0, i = y * width; x < width; x += 1, i += 1) {
      const own = numbers[i];
      const inner = !own
        || ((x === 0 || numbers[i - 1] === own) && (x + 1 === width || numbers[i + 1] === own)
          && (y === 0 || numbers[i - width] === own) && (y + 1 === height || numbers[i + width] === own));
      if (!inner) {
        const [left, right] = [Math.max(0, x - before), Math.min(width, x - before + thickness)];
        for (let row = Math.max(0, y - before); row < Math.min(height, y - before + thickness); row += 1) {
          pixels.fill(colours[labels[i]], row * width + left, row * width + right);
        }
      }
    }
  }
}
