/**
 * The borders of a mask: lines of one width at any zoom where there are few of them in sight, and a picture of the
 * borders where there are very many, which is as quick as any picture.
 */

import { colourOf, css, paintBorders } from "./paint.js";
import { canvasOf } from "./view.js";

const BLOCK = 128;
/** Places in sight at which borders pass, above which they are shown as a picture. */
const MOST = 15_000;

// Sides of a cell between four pixels: 0 above, 1 right, 2 below, 3 left. For each way in which its corners (8 above
// left, 4 above right, 2 below right, 1 below left) are inside, the sides that lines join. Pixels that share a corner
// alone are apart, as they are two objects.
const LINES = [
  [], [3, 2], [2, 1], [3, 1], [0, 1], [0, 1, 3, 2], [0, 2], [3, 0],
  [3, 0], [0, 2], [3, 0, 2, 1], [0, 1], [3, 1], [2, 1], [3, 2], [],
];

export class Outlines {
  /**
   * @param {Uint8Array} labels
   * @param {number} width
   * @param {number} height
   * @param {Float32Array | null} [probability] Of the foreground, where there is one class of it: lines then run where
   *   it crosses the threshold, and half-way between pixels without it.
   * @param {number} [threshold]
   * @param {Uint8Array | Int32Array} [numbers] Of objects that touch others of their class; else classes part them.
   */
  constructor(labels, width, height, probability = null, threshold = 0.5, numbers = labels) {
    this.labels = labels;
    this.numbers = numbers;
    this.width = width;
    this.height = height;
    this.probability = probability;
    this.threshold = threshold;
    this.across = Math.ceil(width / BLOCK);
    this.counts = this.count();
    /** @type {Map<number, Map<number, Path2D>>} Lines of each class, by blocks. */
    this.traced = new Map();
    /** @type {{thickness: number, canvas: HTMLCanvasElement} | null} */
    this.picture = null;
  }

  /** @returns {Uint32Array} In how many places borders pass, by blocks. The image's edge is no border. */
  count() {
    const { numbers, width, height } = this;
    const counts = new Uint32Array(this.across * Math.ceil(height / BLOCK));
    for (let y = 0; y + 1 < height; y += 1) {
      const row = Math.floor(y / BLOCK) * this.across;
      for (let x = 0, i = y * width; x + 1 < width; x += 1, i += 1) {
        const own = numbers[i];
        if (own !== numbers[i + 1] || own !== numbers[i + width] || own !== numbers[i + width + 1]) {
          counts[row + Math.floor(x / BLOCK)] += 1;
        }
      }
    }
    return counts;
  }

  /**
   * Draw them, dark below and coloured above, so that they are seen on bright and on dark ground.
   * @param {CanvasRenderingContext2D} pen Whose unit is a pixel of the image.
   * @param {number} unit The width of a line, in pixels of the image.
   * @param {{left: number, top: number, right: number, bottom: number}} [sight] The part of the image that is seen.
   */
  draw(pen, unit, { left, top, right, bottom } = { left: 0, top: 0, right: this.width, bottom: this.height }) {
    const blocks = [...this.counts.keys()].filter((block) => {
      const [x, y] = [(block % this.across) * BLOCK, Math.floor(block / this.across) * BLOCK];
      return this.counts[block] && x < right && y < bottom && x + BLOCK + 1 > left && y + BLOCK + 1 > top;
    });
    if (blocks.reduce((sum, block) => sum + this.counts[block], 0) > MOST) {
      pen.drawImage(this.pictureOf(Math.max(1, Math.round(0.7 * unit))), 0, 0);
      return;
    }
    const lines = blocks.flatMap((block) => [...this.linesIn(block)]);
    pen.lineCap = "round";
    pen.strokeStyle = "rgb(0 0 0 / 0.4)";
    pen.lineWidth = 2 * unit;
    lines.forEach(([, path]) => pen.stroke(path));
    pen.lineWidth = unit;
    for (const [label, path] of lines) {
      pen.strokeStyle = css(colourOf(label));
      pen.stroke(path);
    }
  }

  /**
   * @param {number} thickness
   * @returns {HTMLCanvasElement}
   */
  pictureOf(thickness) {
    if (this.picture?.thickness !== thickness) {
      const { labels, numbers, width, height } = this;
      const canvas = canvasOf(width, height, (pixels) => paintBorders(labels, width, height, thickness, pixels, numbers));
      this.picture = { thickness, canvas };
    }
    return /** @type {HTMLCanvasElement} */ (this.picture?.canvas);
  }

  /**
   * @param {number} block
   * @returns {Map<number, Path2D>}
   */
  linesIn(block) {
    let lines = this.traced.get(block);
    if (!lines) {
      lines = new Map();
      const [x, y] = [(block % this.across) * BLOCK, Math.floor(block / this.across) * BLOCK];
      for (let row = y; row < Math.min(y + BLOCK, this.height - 1); row += 1) {
        for (let column = x; column < Math.min(x + BLOCK, this.width - 1); column += 1) {
          this.trace(column, row, lines);
        }
      }
      this.traced.set(block, lines);
    }
    return lines;
  }

  /**
   * Add the lines through a cell between four pixels.
   * @param {number} x
   * @param {number} y
   * @param {Map<number, Path2D>} lines
   */
  trace(x, y, lines) {
    const { labels, numbers, width } = this;
    const i = y * width + x;
    const [a, b, c, d] = [numbers[i], numbers[i + 1], numbers[i + width + 1], numbers[i + width]];
    if (a === b && a === c && a === d) {
      return;
    }
    const points = [
      [x + 0.5 + this.crossing(i, i + 1), y + 0.5],
      [x + 1.5, y + 0.5 + this.crossing(i + 1, i + width + 1)],
      [x + 0.5 + this.crossing(i + width, i + width + 1), y + 1.5],
      [x + 0.5, y + 0.5 + this.crossing(i, i + width)],
    ];
    for (const own of new Set([a, b, c, d])) {
      if (own) {
        const label = labels[own === a ? i : own === b ? i + 1 : own === c ? i + width + 1 : i + width];
        const path = lines.get(label) ?? new Path2D();
        lines.set(label, path);
        const inside = Number(a === own) * 8 + Number(b === own) * 4 + Number(c === own) * 2 + Number(d === own);
        const sides = LINES[inside].map((side) => points[side]);
        sides.forEach(([right, down], at) => (at % 2 ? path.lineTo(right, down) : path.moveTo(right, down)));
      }
    }
  }

  /**
   * @param {number} one
   * @param {number} other
   * @returns {number} How far from one pixel to the next the border lies.
   */
  crossing(one, other) {
    const { probability, threshold } = this;
    if (!probability) {
      return 0.5;
    }
    const share = (threshold - probability[one]) / (probability[other] - probability[one]);
    return share > 0.05 && share < 0.95 ? share : 0.5;
  }
}
