/** The image on its stage: zoomed and moved, with layers above it, in one pane or in two that move together. */

import { oncePerFrame } from "./dom.js";

/**
 * @typedef {object} Layers What lies over an image.
 * @property {HTMLCanvasElement | null} picture At the image's size.
 * @property {number} opacity Of the picture.
 * @property {import("./outlines.js").Outlines | null} outlines
 */

const LARGEST = 40;
const LINE = 1.75;
const THUMBNAIL = 112;

/**
 * A picture as a canvas.
 * @param {number} width
 * @param {number} height
 * @param {(pixels: Uint32Array) => void} paint
 * @returns {HTMLCanvasElement}
 */
export function canvasOf(width, height, paint) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const data = new ImageData(width, height);
  paint(new Uint32Array(data.data.buffer));
  pen.putImageData(data, 0, 0);
  return canvas;
}

/**
 * A small square picture of the middle of an image.
 * @param {import("./types.js").View} view
 * @returns {HTMLCanvasElement}
 */
export function thumbnailOf({ width, height, rgba }) {
  const side = Math.min(width, height);
  const whole = canvasOf(width, height, (pixels) => pixels.set(new Uint32Array(rgba.buffer, rgba.byteOffset, pixels.length)));
  const small = canvasOf(THUMBNAIL, THUMBNAIL, () => {});
  const pen = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d"));
  pen.imageSmoothingQuality = "high";
  pen.drawImage(whole, (width - side) / 2, (height - side) / 2, side, side, 0, 0, THUMBNAIL, THUMBNAIL);
  return small;
}

/** One image, looked at through one or two panes. */
export class Stage {
  /**
   * @param {HTMLElement[]} panes Each holds a canvas.
   * @param {{onMove: () => void, onPoint: (place: {x: number, y: number} | null) => void}} listeners
   */
  constructor(panes, { onMove, onPoint }) {
    this.panes = panes.map((figure) => ({
      figure,
      canvas: /** @type {HTMLCanvasElement} */ (figure.querySelector("canvas")),
      layers: /** @type {Layers} */ ({ picture: null, opacity: 1, outlines: null }),
    }));
    /** @type {HTMLCanvasElement | null} */
    this.image = null;
    this.scale = 1;
    this.left = 0;
    this.top = 0;
    this.fitted = true;
    this.onMove = onMove;
    this.draw = oncePerFrame(() => this.drawNow());
    const observer = new ResizeObserver(() => (this.fitted ? this.fit() : this.move(0, 0)));
    for (const { figure, canvas } of this.panes) {
      observer.observe(figure);
      listenTo(this, canvas, onPoint);
    }
  }

  /**
   * Show an image; it is fitted where it has another size than the last one.
   * @param {HTMLCanvasElement | null} image
   */
  show(image) {
    const same = this.image?.width === image?.width && this.image?.height === image?.height;
    this.image = image;
    for (const pane of this.panes) {
      pane.layers = { picture: null, opacity: 1, outlines: null };
    }
    if (same && !this.fitted) {
      this.draw();
    } else {
      this.fit();
    }
  }

  /**
   * Put layers over the image in one of the panes.
   * @param {number} pane
   * @param {Layers} layers
   */
  cover(pane, layers) {
    this.panes[pane].layers = layers;
    this.draw();
  }

  /**
   * Show the second pane, or hide it.
   * @param {boolean} wanted
   */
  open(wanted) {
    if (this.panes[1].figure.hidden === wanted) {
      this.panes[1].figure.hidden = !wanted;
      this.draw();
    }
  }

  get size() {
    const { clientWidth, clientHeight } = this.panes[0].figure;
    return { width: clientWidth, height: clientHeight };
  }

  get fittingScale() {
    const { width, height } = this.size;
    return this.image ? Math.min(width / this.image.width, height / this.image.height, LARGEST) : 1;
  }

  fit() {
    this.fitted = true;
    this.scale = this.fittingScale;
    this.move(0, 0);
  }

  /**
   * @param {number} factor
   * @param {number} [x] What stays where it is, in the pane; its middle without.
   * @param {number} [y]
   */
  zoom(factor, x = this.size.width / 2, y = this.size.height / 2) {
    const smallest = Math.min(1, this.fittingScale);
    const scale = Math.min(LARGEST, Math.max(smallest, this.scale * factor));
    const change = scale / this.scale;
    this.scale = scale;
    this.fitted = scale <= this.fittingScale && scale === smallest;
    this.move((1 - change) * (x - this.left), (1 - change) * (y - this.top));
  }

  /**
   * Move the image; one that is smaller than the pane stays in its middle.
   * @param {number} right
   * @param {number} down
   */
  move(right, down) {
    if (this.image) {
      const { width, height } = this.size;
      this.left = kept(this.left + right, width, this.image.width * this.scale);
      this.top = kept(this.top + down, height, this.image.height * this.scale);
    }
    for (const { canvas } of this.panes) {
      canvas.style.touchAction = this.scale > this.fittingScale ? "none" : "pan-y";
    }
    this.onMove();
    this.draw();
  }

  drawNow() {
    for (const pane of this.panes) {
      if (!pane.figure.hidden) {
        drawPane(this, pane);
      }
    }
  }
}

/**
 * @param {number} start
 * @param {number} room
 * @param {number} length
 * @returns {number} Where a picture starts that is not to leave its pane.
 */
function kept(start, room, length) {
  return length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, start));
}

/**
 * @param {Stage} stage
 * @param {Stage["panes"][0]} pane
 */
function drawPane(stage, { canvas, figure, layers }) {
  const ratio = window.devicePixelRatio;
  const [width, height] = [figure.clientWidth, figure.clientHeight];
  const [fine, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== fine || canvas.height !== tall) {
    canvas.width = fine;
    canvas.height = tall;
  }
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (!stage.image) {
    return;
  }
  const { scale, left, top } = stage;
  pen.setTransform(scale * ratio, 0, 0, scale * ratio, left * ratio, top * ratio);
  pen.imageSmoothingEnabled = scale * ratio < 3;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(stage.image, 0, 0);
  if (layers.picture) {
    pen.globalAlpha = layers.opacity;
    pen.drawImage(layers.picture, 0, 0);
    pen.globalAlpha = 1;
  }
  pen.beginPath();
  pen.rect(0, 0, stage.image.width, stage.image.height);
  pen.save();
  pen.clip();
  const [x, y] = [-left / scale, -top / scale];
  layers.outlines?.draw(pen, LINE / scale, { left: x, top: y, right: x + width / scale, bottom: y + height / scale });
  pen.restore();
}

/**
 * Mouse, touch, wheel and keys of a pane.
 * @param {Stage} stage
 * @param {HTMLCanvasElement} canvas
 * @param {(place: {x: number, y: number} | null) => void} onPoint
 */
function listenTo(stage, canvas, onPoint) {
  /** @type {Map<number, {x: number, y: number}>} */
  const pointers = new Map();
  const release = (/** @type {PointerEvent} */ event) => pointers.delete(event.pointerId);
  canvas.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => onPoint(null));
  canvas.addEventListener("pointermove", (event) => {
    const here = { x: event.offsetX, y: event.offsetY };
    onPoint({ x: (here.x - stage.left) / stage.scale, y: (here.y - stage.top) / stage.scale });
    const before = pointers.get(event.pointerId);
    if (!before) {
      return;
    }
    pointers.set(event.pointerId, here);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = Math.hypot(before.x - other.x, before.y - other.y);
      stage.zoom(Math.hypot(here.x - other.x, here.y - other.y) / Math.max(apart, 1), other.x, other.y);
    } else {
      stage.move(here.x - before.x, here.y - before.y);
    }
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode ? 16 : 1;
    stage.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002)), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => {
    if (stage.fitted) {
      stage.zoom(Math.max(1, 3 * stage.scale) / stage.scale, event.offsetX, event.offsetY);
    } else {
      stage.fit();
    }
  });
  canvas.addEventListener("keydown", (event) => {
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (event.key in moves) {
      event.preventDefault();
      stage.move(...moves[event.key]);
    }
  });
}
