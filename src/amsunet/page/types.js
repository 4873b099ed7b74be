/**
 * What travels between the modules of the page. Types only: there is nothing here to run.
 *
 * @typedef {Uint8Array | Uint16Array | Float32Array} Samples
 *
 * @typedef {object} Picture An image as the package reads it: upright, without alpha.
 * @property {number} width
 * @property {number} height
 * @property {1 | 3} channels
 * @property {Samples} samples Interleaved, row after row; its type tells the depth, and is the one that the package has.
 * @property {Spacing | null} spacing From the file, where it tells.
 *
 * @typedef {object} Spacing Size of a pixel.
 * @property {number} rows From one row to the next.
 * @property {number} columns From one column to the next.
 * @property {"mm" | "µm"} unit
 *
 * @typedef {object} Prepared What the network takes in place of an image.
 * @property {Float32Array} planes Channel after channel, each row after row, at working size.
 * @property {number} channels
 * @property {number} width
 * @property {number} height
 * @property {string} outOfDistribution In what the image is out-of-distribution; empty where it is not.
 * @property {string} polarity How the image was taken, where that is in doubt: `dark-on-bright` or `bright-on-dark`, by
 *   the package's names for objects and ground; else empty. In `description.preprocessing.polarity` it decides.
 *
 * @typedef {object} Prediction What the network says of one image, at the image's own size.
 * @property {number} width
 * @property {number} height
 * @property {Spacing | null} [spacing] From the file of the image, where it tells.
 * @property {string[]} classes The background first.
 * @property {Float32Array} probability Class after class, each row after row.
 * @property {string} outOfDistribution
 * @property {string} polarity
 * @property {number} seconds
 * @property {boolean} preview Whether it was made of a smaller image, to be followed by the true one.
 *
 * @typedef {object} View An image to look at, before anything is predicted.
 * @property {number} width
 * @property {number} height
 * @property {Uint8ClampedArray} rgba
 * @property {Spacing | null} spacing
 *
 * @typedef {object} Network One of the networks that are inside.
 * @property {string} name As `zoo:NAME` or the name of a run.
 * @property {string} file Where the page finds it, gzipped.
 * @property {string} sha256 Of the unpacked file.
 * @property {number} bytes Of the unpacked file.
 * @property {Card | null} card What is known of it.
 * @property {number} work Multiply-accumulates a pixel, for estimates of time.
 *
 * @typedef {object} Card As the zoo has it in its JSON files, without the images it has seen.
 * @property {string} finds
 * @property {string} terms
 * @property {boolean} research_only
 * @property {string[]} fails
 *
 * @typedef {Record<string, any>} Description The JSON under `amsunet` in the metadata of an exported ONNX file.
 */

export {};
