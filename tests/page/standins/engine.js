/**
 * An engine for tests of the screen: it takes what is bright for foreground, at once, and needs no network.
 *
 * Names of files steer it: `broken` fails, `slow` takes a second and shows a preview first, `strange` is unlike all
 * training images.
 */

import { PageError } from "./errors.js";

const DESCRIPTION = {
  threshold: 0.5,
  smallest_object: 0,
  uncertainty_limit: 0.4,
  temperature: 1,
  preprocessing: { scale: 1, image_scale: "factor", typical_size: null, spacing: null },
  convention: { kind: "values", values: [0, 255], class_names: ["background", "nucleus"], ignore_value: null, threshold: null },
};
const WITH_TWO = { ...DESCRIPTION.convention, values: [0, 1, 2], class_names: ["background", "core", "rim"] };

export class Engine {
  /** @param {any} network */
  constructor(network) {
    this.several = network.name.includes("two classes");
    this.description = this.several ? { ...DESCRIPTION, convention: WITH_TWO } : DESCRIPTION;
  }

  /**
   * @param {any} network
   * @param {{onProgress: (fraction: number) => void}} options
   */
  static async open(network, { onProgress }) {
    onProgress(0.5);
    if (network.name.includes("damaged")) {
      throw new PageError("network_damaged", { name: network.name });
    }
    return new Engine(network);
  }

  /** @type {(width: number, height: number) => number} */
  estimate(width, height) {
    return (1.2 * width * height) / 65536;
  }

  /** @type {(bytes: Uint8Array, name: string) => Promise<any>} */
  async look(bytes, name) {
    const bitmap = await createImageBitmap(new Blob([/** @type {BlobPart} */ (bytes)])).catch(() => null);
    if (!bitmap || name.includes("broken")) {
      throw new PageError("engine_failed", { name, reason: "it is no image" });
    }
    const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    pen?.drawImage(bitmap, 0, 0);
    const rgba = pen?.getImageData(0, 0, bitmap.width, bitmap.height).data;
    const spacing = name.includes("spaced") ? { rows: 0.5, columns: 0.5, unit: "µm" } : null;
    return { width: bitmap.width, height: bitmap.height, rgba, spacing };
  }

  /** @type {(bytes: Uint8Array, name: string, options: any) => Promise<any>} */
  async predict(bytes, name, { onProgress, onPreview, signal }) {
    const { width, height, rgba } = await this.look(bytes, name);
    const size = width * height;
    const classes = this.description.convention.class_names;
    const probability = new Float32Array(classes.length * size);
    for (let i = 0; i < size; i += 1) {
      const bright = 1 / (1 + Math.exp(-(rgba[4 * i] - 55) / 6));
      const rim = this.several ? Math.max(0, 1 - Math.abs(rgba[4 * i] - 45) / 12) : 0;
      probability[i] = (1 - bright) * (1 - rim);
      probability[size + i] = bright * (1 - rim);
      if (this.several) {
        probability[2 * size + i] = rim;
      }
    }
    const outOfDistribution = name.includes("strange") ? "darker than all" : "";
    const prediction = { width, height, classes, probability, outOfDistribution, polarity: "", seconds: 1.2, preview: false };
    if (name.includes("slow")) {
      onPreview({ ...prediction, preview: true });
      for (let part = 1; part <= 20; part += 1) {
        onProgress(part / 20, (20 - part) / 2);
        await new Promise((resolve) => setTimeout(resolve, 100));
        signal.throwIfAborted();
      }
    }
    return prediction;
  }

  close() {}
}
