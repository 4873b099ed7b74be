/**
 * Masks as pictures and as lines.
 *
 * @typedef {object} Outline A part of the border of a class, in a box of the image.
 * @property {number} label
 * @property {number} left
 * @property {number} top
 * @property {Path2D} path In pixels of the image.
 */

/** The palette of the package's overlays (src/amsunet/data/overlay.py), which colour-blind readers can distinguish. */
export const COLOURS = [
  [0, 220, 150], [230, 159, 0], [86, 180, 233], [213, 94, 0], [204, 121, 167], [240, 228, 66], [0, 114, 178],
];
/** Where mask and reference agree, where the mask misses something, where it has too much; as in reports. */
export const [RIGHT, MISSED, EXTRA] = [COLOURS[0], COLOURS[6], COLOURS[3]];
export const BLOCK = 128;

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
 * @param {Uint8Array} reference 255 where it does not count.
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

// Sides of a cell between four pixels: 0 above, 1 right, 2 below, 3 left. For each way in which its corners (8 above
// left, 4 above right, 2 below right, 1 below left) are inside, the sides that lines join. Pixels that share a corner
// alone are apart, as they are two objects.
const LINES = [
  [], [3, 2], [2, 1], [3, 1], [0, 1], [0, 1, 3, 2], [0, 2], [3, 0],
  [3, 0], [0, 2], [3, 0, 2, 1], [0, 1], [3, 1], [2, 1], [3, 2], [],
];

/**
 * The borders of all classes, as lines through the places where the probability crosses the threshold; half-way
 * between pixels where it is not known. The image's edge is no border.
 * @param {Uint8Array} labels
 * @param {number} width
 * @param {number} height
 * @param {Float32Array | null} [probability] Of the foreground, where there is one class of it.
 * @param {number} [threshold]
 * @returns {Outline[]}
 */
export function outlinesOf(labels, width, height, probability = null, threshold = 0.5) {
  /** @type {Map<number, Outline>} */
  const outlines = new Map();
  const across = Math.ceil(width / BLOCK);
  /** @type {(inside: number, outside: number) => number} How far from one pixel to the next the border lies. */
  const crossing = (one, other) => {
    if (!probability) {
      return 0.5;
    }
    const share = (threshold - probability[one]) / (probability[other] - probability[one]);
    return share > 0.05 && share < 0.95 ? share : 0.5;
  };
  const points = new Float64Array(8);
  for (let y = 0; y + 1 < height; y += 1) {
    for (let x = 0; x + 1 < width; x += 1) {
      const i = y * width + x;
      const a = labels[i];
      const b = labels[i + 1];
      const c = labels[i + width + 1];
      const d = labels[i + width];
      if (a === b && a === c && a === d) {
        continue;
      }
      points.set([
        x + 0.5 + crossing(i, i + 1), y + 0.5, x + 1.5, y + 0.5 + crossing(i + 1, i + width + 1),
        x + 0.5 + crossing(i + width, i + width + 1), y + 1.5, x + 0.5, y + 0.5 + crossing(i, i + width),
      ]);
      for (const label of new Set([a, b, c, d])) {
        if (!label) {
          continue;
        }
        const key = (Math.floor(y / BLOCK) * across + Math.floor(x / BLOCK)) * 256 + label;
        let outline = outlines.get(key);
        if (!outline) {
          outline = { label, left: x - (x % BLOCK), top: y - (y % BLOCK), path: new Path2D() };
          outlines.set(key, outline);
        }
        const inside = Number(a === label) * 8 + Number(b === label) * 4 + Number(c === label) * 2 + Number(d === label);
        const sides = LINES[inside];
        for (let at = 0; at < sides.length; at += 2) {
          outline.path.moveTo(points[2 * sides[at]], points[2 * sides[at] + 1]);
          outline.path.lineTo(points[2 * sides[at + 1]], points[2 * sides[at + 1] + 1]);
        }
      }
    }
  }
  return [...outlines.values()];
}

/**
 * Draw outlines, dark below and coloured above, so that they are seen on bright and on dark ground.
 * @param {CanvasRenderingContext2D} pen Whose unit is a pixel of the image.
 * @param {Outline[]} outlines
 * @param {number} unit The width of a line, in pixels of the image.
 */
export function strokeOutlines(pen, outlines, unit) {
  pen.lineCap = "round";
  pen.strokeStyle = "rgb(0 0 0 / 0.4)";
  pen.lineWidth = 2 * unit;
  for (const { path } of outlines) {
    pen.stroke(path);
  }
  pen.lineWidth = unit;
  for (const { path, label } of outlines) {
    pen.strokeStyle = css(colourOf(label));
    pen.stroke(path);
  }
}
